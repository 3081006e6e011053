// Raw blocks of lz4 and snappy, read byte by byte as the formats say: slow, but all of it can be seen.

/** @returns undefined if the block is none, or not of exactly this length */
export function readLz4(bytes: Buffer, length: number): Buffer | undefined {
  const out: number[] = [];
  let at = 0;
  /** A length of which four bits are known; NaN where it breaks off. */
  const extend = (bits: number): number => {
    let sum = bits;
    for (let byte = bits === 15 ? 255 : 0; byte === 255; sum += byte) byte = bytes[at++] ?? NaN;
    return sum;
  };
  for (;;) {
    const token = bytes[at++];
    if (token === undefined) return undefined;
    const literals = extend(token >> 4);
    if (!(at + literals <= bytes.length)) return undefined;
    for (const end = at + literals; at < end; at++) out.push(bytes[at] ?? 0);
    if (at === bytes.length) return out.length === length ? Buffer.from(out) : undefined;
    if (at + 2 > bytes.length) return undefined;
    const offset = bytes.readUInt16LE(at);
    at += 2;
    if (!copy(out, offset, extend(token & 15) + 4, length)) return undefined;
  }
}

/** @returns undefined if the block is none, or not of exactly this length */
export function readSnappy(bytes: Buffer, length: number): Buffer | undefined {
  const out: number[] = [];
  let at = 0;
  /** The next bytes as a number, little-endian; NaN where they break off. */
  const number = (size: number): number => {
    at += size;
    return size === 0 ? 0 : at <= bytes.length ? bytes.readUIntLE(at - size, size) : NaN;
  };
  while (at < bytes.length) {
    const tag = number(1);
    const upper = tag >> 2;
    if ((tag & 3) === 0) {
      // Readers fetch four bytes for such a length; where it is needed, 60 more follow anyway.
      if (upper >= 60 && at + 4 > bytes.length) return undefined;
      const literals = 1 + (upper < 60 ? upper : number(upper - 59));
      if (!(at + literals <= bytes.length)) return undefined;
      for (const end = at + literals; at < end; at++) out.push(bytes[at] ?? 0);
    } else if ((tag & 3) === 1) {
      if (!copy(out, number(1) + (tag >> 5) * 256, 4 + (upper & 7), length)) return undefined;
    } else if (!copy(out, number((tag & 3) === 2 ? 2 : 4), 1 + upper, length)) {
      return undefined;
    }
  }
  return out.length === length ? Buffer.from(out) : undefined;
}

/** Repeat what is there already. False: it cannot be, or gets too long. */
function copy(out: number[], offset: number, count: number, most: number): boolean {
  if (!(offset > 0 && offset <= out.length && out.length + count <= most)) return false;
  for (let left = count; left > 0; left--) out.push(out[out.length - offset] ?? 0);
  return true;
}
