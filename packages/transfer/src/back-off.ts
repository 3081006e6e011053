import { LONGEST_MS } from "@spoolwire/program";

/** How long to wait before something is tried again. */
export interface BackOff {
  /** The first pause, milliseconds. */
  readonly initialMs: number;
  /** The longest pause, milliseconds. */
  readonly maxMs: number;
  /** Each pause is so many times the one before. */
  readonly multiplier: number;
  /** Give up after so many attempts in a row (Infinity: never). */
  readonly attempts: number;
}

export const defaultBackOff: BackOff = Object.freeze({
  initialMs: 100,
  maxMs: 30_000,
  multiplier: 2,
  attempts: Infinity,
});

/** How often to try a broker: as its URI says, or else as the agent likes; undefined: once. */
export const backOffOf = (
  { mayReconnect, backOff }: { readonly mayReconnect: boolean; readonly backOff: BackOff | undefined },
  failover: BackOff | undefined,
): BackOff | undefined => (mayReconnect ? (failover ?? backOff) : undefined);

/** The pauses of one who tries again: they grow, and differ by chance so that a thousand do not come at once. */
export class Pauses {
  readonly #backOff: BackOff;
  #ms = 0;

  constructor(backOff: BackOff) {
    this.#backOff = backOff;
  }

  /** The longest that the last pause can have been, milliseconds; 0: there was none. */
  get lastMs(): number {
    return this.#ms;
  }

  /** The next pause, milliseconds: between a half and the whole of what it has grown to. */
  next(): number {
    const { initialMs, maxMs, multiplier } = this.#backOff;
    const wanted = Math.min(maxMs, this.#ms === 0 ? initialMs : this.#ms * multiplier);
    this.#ms = Math.min(Math.max(wanted, 1), LONGEST_MS);
    return this.#ms * (0.5 + Math.random() / 2);
  }

  /** It went well: begin with the first pause again. */
  reset(): void {
    this.#ms = 0;
  }
}
