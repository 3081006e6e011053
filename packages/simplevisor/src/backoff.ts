/** How long to wait before what has failed is started again. All times are in seconds. */
export interface BackOffOptions {
  /** Before the second failure in a row is mended (default 0.5); the first is at once. */
  readonly base: number;
  /** Each further one waits so many times longer (default 2). */
  readonly factor: number;
  /** The longest (default 30). */
  readonly cap: number;
  /** So much of it is left to chance, from 0 to 1 (default 0.2), so that many do not come back at once. */
  readonly jitter: number;
  /** Whoever has run for so long begins anew with its next failure (default 10). */
  readonly healthy: number;
}

export const backOffDefaults: BackOffOptions = Object.freeze({
  base: 0.5,
  factor: 2,
  cap: 30,
  jitter: 0.2,
  healthy: 10,
});

/** Counts failures in a row, and tells how long to wait after each. */
export class BackOff {
  readonly #options: BackOffOptions;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: BackOffOptions, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** One more failure. @param upMs for how long it had run @returns milliseconds to wait */
  fail(upMs: number): number {
    const { base, factor, cap, jitter, healthy } = this.#options;
    this.#failures = upMs >= healthy * 1000 ? 1 : this.#failures + 1;
    if (this.#failures === 1) return 0;
    const seconds = Math.min(cap, base * factor ** (this.#failures - 2));
    return seconds * 1000 * (1 - jitter * this.#random());
  }

  reset(): void {
    this.#failures = 0;
  }
}
