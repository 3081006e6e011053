import { watchQueue } from "@spoolwire/dirq";
import { stateOf, type QueueState } from "./stat.js";

/** How many numbers of elements are remembered. */
const MOST_HISTORY = 100;

/** How a queue stands and what goes through it. */
export interface Reading extends QueueState {
  /** Elements a second, since the reading before. */
  readonly in: number;
  readonly out: number;
}

/** Reads one queue again and again. */
export class Gauge {
  readonly path: string;
  /** The numbers of elements at the last readings, the newest at the end. */
  readonly history: number[] = [];
  readonly #signal: AbortSignal;
  #isWatched = false;
  #added = 0;
  #removed = 0;
  #readAt = performance.now();

  constructor(path: string, signal: AbortSignal) {
    this.path = path;
    this.#signal = signal;
  }

  /** Throws what keeps the queue from being read, ENOENT for one; it may be tried again. */
  async read(): Promise<Reading> {
    if (!this.#isWatched) void this.#watch();
    const state = await stateOf(this.path, { signal: this.#signal });
    const seconds = (performance.now() - this.#readAt) / 1000;
    const rate = (count: number) => Math.round((count / seconds) * 10) / 10;
    const reading = { ...state, in: rate(this.#added), out: rate(this.#removed) };
    [this.#added, this.#removed, this.#readAt] = [0, 0, performance.now()];
    this.history.push(state.elements);
    if (this.history.length > MOST_HISTORY) this.history.shift();
    return reading;
  }

  async #watch(): Promise<void> {
    this.#isWatched = true;
    try {
      for await (const { what } of watchQueue(this.path, { signal: this.#signal })) {
        if (what === "added") this.#added++;
        else if (what === "removed") this.#removed++;
      }
    } catch {
      // The reading of the same queue tells why.
    }
    this.#isWatched = false;
  }
}

/** Numbers as a line of bars, the highest for the greatest. */
export function sparkline(numbers: readonly number[]): string {
  const bars = "▁▂▃▄▅▆▇█";
  const most = Math.max(1, ...numbers);
  return numbers.map((number) => bars[Math.round((number / most) * (bars.length - 1))]).join("");
}
