/** So many items of arrays may take no bytes, as `true` does: in all of a message. */
const MOST_EMPTY = 65_536;

/** Stands before a value that is described by another. */
const DESCRIBED = 0;

/**
 * Walk through encoded values as the library does, to see that the bytes can hold as many items as they tell of. The
 * library makes room for that many first, and has no end to items that take no bytes, or that are beyond the end: a
 * message of 30 bytes would take all the memory.
 * @throws RangeError
 */
export function checkCounts(bytes: Buffer): void {
  new Walk(bytes).all();
}

class Walk {
  readonly #bytes: Buffer;
  #at = 0;
  #empty = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  all(): void {
    while (this.#at < this.#bytes.length) this.#value();
  }

  #value(): void {
    this.#content(this.#typeCode());
  }

  /** Returns the code of the type. */
  #typeCode(): number {
    const code = this.#number(1);
    if (code !== DESCRIBED) return code;
    this.#value();
    return this.#typeCode();
  }

  /** The first digit of a code tells how long a value is, or how long what tells that. */
  #content(code: number): void {
    const kind = code >> 4;
    const width = kind % 2 === 0 ? 1 : 4;
    if (kind < 0xa) this.#skip(lengthOf(kind));
    else if (kind < 0xc) this.#skip(this.#number(width));
    else this.#items(kind, width);
  }

  #items(kind: number, width: number): void {
    this.#number(width); // bytes of the items, which the library does not look at
    const count = this.#number(width);
    if (kind < 0xe) {
      this.#expect(count, 1);
      for (let index = 0; index < count; index++) this.#value();
      return;
    }
    const code = this.#typeCode();
    const least = lengthOf(code >> 4);
    this.#expect(count, least);
    if (least === 0) this.#empty += count;
    if (this.#empty > MOST_EMPTY) {
      throw new RangeError(`Expected at most ${MOST_EMPTY} items without bytes, got ${this.#empty}`);
    }
    for (let index = 0; index < count; index++) this.#content(code);
  }

  /** Not `+=` with a length that is read: what it adds to would be where it was before. */
  #skip(length: number): void {
    this.#at += length;
  }

  /** @param least bytes of each */
  #expect(count: number, least: number): void {
    const left = this.#bytes.length - this.#at;
    if (count * least > left) throw new RangeError(`Expected ${count} items, got ${left} bytes for them`);
  }

  #number(width: number): number {
    const number = this.#bytes.readUIntBE(this.#at, width);
    this.#at += width;
    return number;
  }
}

/** Bytes of each value of a kind, at the least. */
const lengthOf = (kind: number): number => (kind < 5 ? 0 : kind < 0xa ? 2 ** (kind - 5) : 1);
