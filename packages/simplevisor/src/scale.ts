/** So many looks in a row must find little to do before one is taken away. */
const CALM_LOOKS = 5;

/**
 * Decides how many instances there are: at each look that finds more to do than the limit one more; after several that
 * find half of it or less, one less. Between the two nothing changes, so that it does not swing.
 */
export class Scaler {
  readonly #least: number;
  readonly #most: number;
  readonly #limit: number;
  #count: number;
  #calm = 0;

  /** @param count how many there are now */
  constructor(least: number, most: number, limit: number, count = least) {
    this.#least = least;
    this.#most = most;
    this.#count = Math.min(most, Math.max(least, count));
    this.#limit = limit;
  }

  get count(): number {
    return this.#count;
  }

  /** @param value what there is to do: a depth or an age @returns how many there shall be */
  look(value: number): number {
    this.#calm = value <= this.#limit / 2 ? this.#calm + 1 : 0;
    if (value > this.#limit) this.#count = Math.min(this.#most, this.#count + 1);
    else if (this.#calm >= CALM_LOOKS) {
      this.#calm = 0;
      this.#count = Math.max(this.#least, this.#count - 1);
    }
    return this.#count;
  }
}
