import { inspect } from "node:util";
import { DirqError } from "./errors.js";

/** Microseconds since the epoch. */
export type Clock = () => number;

const ELEMENT = /^[0-9a-f]{14}$/;
const DIRECTORY = /^[0-9a-f]{8}$/;
const ELEMENT_PATH = /^[0-9a-f]{8}\/[0-9a-f]{14}$/;

export const isElement = (name: string): boolean => ELEMENT.test(name);
export const isDirectory = (name: string): boolean => DIRECTORY.test(name);

/**
 * Refuse what is no element name before it reaches a path.
 * @throws DirqError DIRQ_BAD_NAME
 */
export function checkName(name: unknown): asserts name is string {
  if (typeof name !== "string" || !ELEMENT_PATH.test(name)) {
    throw new DirqError(
      "DIRQ_BAD_NAME",
      `Expected an element name as in 5f9c1a40/5f9c1a6d0b2c4e, got ${inspect(name)}`,
    );
  }
}

/** As `checkName`, for a name in the quarantine. */
export function checkQuarantined(name: string): void {
  if (typeof name !== "string" || !isElement(name)) {
    throw new DirqError(
      "DIRQ_BAD_NAME",
      `Expected a name in the quarantine as in 5f9c1a6d0b2c4e, got ${inspect(name)}`,
    );
  }
}

/** When an element was added by its name: seconds since the epoch, on the clock of who added it. */
export function timeOf(name: string): number {
  const digits = name.slice(-14);
  return parseInt(digits.slice(0, 8), 16) + parseInt(digits.slice(8, 13), 16) / 1_000_000;
}

/** The name of an element that was added at a time, in microseconds since the epoch: 14 hexadecimal digits. */
export function nameAt(time: number, digit = "0"): string {
  const seconds = Math.floor(time / 1_000_000);
  return hex(seconds, 8) + hex(time - seconds * 1_000_000, 5) + digit;
}

export const hex = (number: number | bigint, digits: number): string =>
  number.toString(16).padStart(digits, "0");

/**
 * A list of hexadecimal numbers, such as names are, to be sorted. They are kept as numbers: of a million names
 * that is 8 MB, of strings more than 60, and it is faster.
 */
export class HexList {
  #numbers = new BigUint64Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Add a number of at most 16 digits. */
  add(digits: string): void {
    if (this.#length === this.#numbers.length) {
      const larger = new BigUint64Array(2 * this.#length);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#length++] = BigInt(`0x${digits}`);
  }

  /** All of them in order; nothing may be added any more. */
  sorted(): BigUint64Array {
    return this.#numbers.subarray(0, this.#length).sort();
  }
}

/** Names of `digits` hexadecimal digits in their order. */
export function* inOrder(names: Iterable<string>, digits: 8 | 14): IterableIterator<string> {
  const list = new HexList();
  for (const name of names) list.add(name);
  for (const number of list.sorted()) yield hex(number, digits);
}

/** How far the monotonic clock may stray from the time of day before it is set again, microseconds. */
const STRAY = 2000;

/**
 * The time of day in microseconds: Node's own has milliseconds only, so the monotonic clock counts on
 * from the last reading, until the two disagree (somebody has set the clock).
 */
export function systemClock(): Clock {
  let base = -Infinity;
  let start = 0;
  return () => {
    const wall = Date.now() * 1000;
    const ticks = Math.floor(performance.now() * 1000);
    const estimate = base + ticks - start;
    if (estimate >= wall && estimate < wall + STRAY) return estimate;
    base = wall;
    start = ticks;
    return wall;
  };
}

/** A clock set back by less than this (microseconds) does not show in the order of the names. */
const HOLD = 60_000_000;

/**
 * Makes names from the clock: each later than the one before, so that one process's elements keep their
 * order though the clock stands or is set back a little. Two processes can still make the same name:
 * whoever publishes finds it taken and asks for the next.
 */
export class NameMaker {
  readonly #clock: Clock;
  readonly #digit: string;
  #next = 0;

  constructor(rndhex: number, clock: Clock) {
    this.#clock = clock;
    this.#digit = hex(rndhex, 1);
  }

  /** 14 hexadecimal digits: seconds (8), microseconds (5), the random digit. */
  element(): string {
    const now = this.#now();
    this.#next = now + 1;
    return nameAt(now, this.#digit);
  }

  /** 8 hexadecimal digits: the seconds, rounded down to a multiple of `granularity` (0: not rounded). */
  directory(granularity: number): string {
    const seconds = Math.floor(this.#now() / 1_000_000);
    return hex(granularity > 1 ? seconds - (seconds % granularity) : seconds, 8);
  }

  #now(): number {
    const now = this.#clock();
    return now < this.#next && this.#next - now < HOLD ? this.#next : now;
  }
}
