/** How much may come at once after a rest: what comes in this time, seconds. */
const BURST = 0.1;

/**
 * A token bucket: so many messages a second, evenly, but for a tenth of a second's worth (at least one message)
 * that may come at once after a rest.
 */
export class Rate {
  readonly #perMs: number;
  readonly #most: number;
  readonly #clock: () => number;
  #tokens: number;
  #filledAt: number;

  /** @param clock milliseconds that never go back */
  constructor(perSecond: number, clock = () => performance.now()) {
    this.#perMs = perSecond / 1000;
    this.#most = Math.max(1, perSecond * BURST);
    this.#clock = clock;
    this.#tokens = this.#most;
    this.#filledAt = clock();
  }

  /** How long to wait for the next message, milliseconds; 0: it may come now. */
  waitMs(): number {
    const now = this.#clock();
    this.#tokens = Math.min(this.#most, this.#tokens + (now - this.#filledAt) * this.#perMs);
    this.#filledAt = now;
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perMs;
  }

  /** A message has come. */
  take(): void {
    this.#tokens--;
  }
}
