import { hex } from "./name.js";

/** What is to be known of a queue to find the place for new elements. */
export interface Place {
  /** The last intermediate directory. */
  last(): string | undefined;
  /** How many elements a directory has. */
  count(directory: string): number;
  make(directory: string): void;
  seconds(): number;
}

/** For so long, in seconds, a directory is taken for the last one and a count for right. */
const TRUSTED = 1;

/**
 * The intermediate directory for new elements: the last one, or the next number when that one is full.
 *
 * The originals list the directory at every add, so that adding takes ever longer: 213 adds a second were
 * left at 20,000 elements. Here a count is good for half of the room that it found, and for a second:
 * rivals may add too, and with them a directory can get a little more than `maxelts`, which harms nothing.
 */
export class InsertionDirectory {
  readonly #maxelts: number;
  readonly #place: Place;
  #directory = "";
  #left = 0;
  #until = 0;

  constructor(maxelts: number, place: Place) {
    this.#maxelts = maxelts;
    this.#place = place;
  }

  /** The directory for one more element. */
  choose(): string {
    const now = this.#place.seconds();
    if (this.#left === 0 || now >= this.#until) this.#look(now);
    this.#left--;
    return this.#directory;
  }

  /** The directory is not there any more. */
  forget(): void {
    this.#left = 0;
  }

  #look(now: number): void {
    const last = this.#place.last();
    let count = last === undefined ? 0 : this.#place.count(last);
    if (last !== undefined && count < this.#maxelts) {
      this.#directory = last;
    } else {
      // After the last number that there is, the directory of that number has to take all.
      this.#directory = hex(last === undefined ? 0 : Math.min(parseInt(last, 16) + 1, 0xffffffff), 8);
      this.#place.make(this.#directory);
      count = 0;
    }
    const room = this.#maxelts - count;
    // The last few are not halved over and over: each look reads all of the directory.
    this.#left = Math.min(room, Math.max(Math.ceil(room / 2), Math.floor(this.#maxelts / 16)));
    this.#until = now + TRUSTED;
  }
}
