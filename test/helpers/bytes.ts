// Bytes for the tests of what reads bytes: cut anywhere, or changed by chance that a seed makes repeatable.

/** A number from 0 up to, but not, `below`: whole, and the same again from the same seed. */
export type Random = (below: number) => number;

/** mulberry32: small, and good enough to choose test cases. */
export function seeded(seed: number): Random {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/** Pieces of the given sizes, used in turn until the bytes are. */
export function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let start = 0, index = 0; start < bytes.length; index++) {
    const end = start + Math.max(1, sizes[index % sizes.length] ?? 1);
    pieces.push(bytes.subarray(start, end));
    start = end;
  }
  return pieces;
}

/** Cut a few times, anywhere: most pieces are small, some are long. */
export function cutAtRandom(bytes: Buffer, random: Random): Buffer[] {
  const sizes = Array.from({ length: 1 + random(20) }, () => 1 + random(random(2) === 0 ? 4 : 200));
  return cut(bytes, sizes);
}

/** A changed copy: one to four times something is flipped, dropped, doubled or put in. */
export function mutate(bytes: Buffer, random: Random, words: readonly string[]): Buffer {
  let mutant = Buffer.from(bytes);
  for (let times = 1 + random(4); times > 0; times--) {
    const from = random(mutant.length + 1);
    const to = Math.min(mutant.length, from + 1 + random(8));
    const [before, piece, after] = [mutant.subarray(0, from), mutant.subarray(from, to), mutant.subarray(to)];
    const word = Buffer.from(words[random(words.length)] ?? "");
    const middle = [
      () => [],
      () => [piece, piece],
      () => [word, piece],
      () => [Buffer.of(random(256)), piece.subarray(1)],
      () => [Buffer.from(piece).reverse()],
    ][random(5)]?.();
    mutant = Buffer.concat([before, ...(middle ?? []), after]);
  }
  return mutant;
}
