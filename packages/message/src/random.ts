/** A number from 0 up to, but not, 1. */
export type Random = () => number;

/** The same numbers again from the same seed (mulberry32: fast, for tests and loads, not for secrets). */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number, or how to draw one: `N`, `N-M` uniformly, `N^M` normally, bounds included. */
export type Amount = number | string;

/** Draws whole numbers as an amount says. */
export type Drawer = (random: Random) => number;

/**
 * Read an amount.
 * @param max the most that makes sense
 * @returns undefined if it is none
 */
export function parseAmount(amount: unknown, max: number): Drawer | undefined {
  if (typeof amount !== "number" && typeof amount !== "string") return undefined;
  const match = /^(\d+)(?:([-^])(\d+))?$/.exec(String(amount));
  if (!match) return undefined;
  const from = Number(match[1]);
  const to = Number(match[3] ?? from);
  if (from > to || to > max) return undefined;
  const share = match[2] === "^" ? normal : (random: Random) => random();
  return from === to ? () => from : (random) => from + Math.floor(share(random) * (to - from + 1));
}

/** From 0 to 1, mostly about the half: the mean of twelve (Irwin-Hall), as the reference does. */
function normal(random: Random): number {
  let sum = 0;
  for (let times = 0; times < 12; times++) sum += random();
  return sum / 12;
}
