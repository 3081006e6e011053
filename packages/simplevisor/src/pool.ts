import { timerMs } from "@spoolwire/program";
import type { Report } from "./event.js";
import { measureQueue, type QueueCondition } from "./probe.js";
import { Scaler } from "./scale.js";
import type { Supervisor } from "./supervisor.js";

export interface PoolOptions {
  readonly least: number;
  readonly most: number;
  /** More instances are wanted while there is more in the queue than its limit. */
  readonly condition: QueueCondition;
  /** Seconds between two looks at the queue. */
  readonly interval: number;
  /** The same text: the same service. */
  readonly digest: string;
}

/** The instances of an elastic service: as many run as there is work for. */
export class Pool {
  readonly supervisor: Supervisor;
  readonly #options: PoolOptions;
  readonly #around: { readonly report: Report; readonly settle: () => void };
  #scaler: Scaler | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param supervisor of all that there may be: those that are not needed are held */
  constructor(
    options: PoolOptions,
    supervisor: Supervisor,
    around: { readonly report: Report; readonly settle: () => void },
  ) {
    this.#options = options;
    this.supervisor = supervisor;
    this.#around = around;
    this.#wait();
  }

  get digest(): string {
    return this.#options.digest;
  }

  /** Look no more; whoever runs goes on. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#timer = setTimeout(() => {
      void this.#look().finally(() => this.#isClosed || this.#wait());
    }, timerMs(this.#options.interval)).unref();
  }

  async #look(): Promise<void> {
    const { least, most, condition } = this.#options;
    const { path, phase, children } = this.supervisor;
    if (phase !== "running") return;
    const value = await measureQueue(condition).catch((error: unknown) => {
      this.#around.report({ type: "problem", path, words: (error as Error).message });
      return undefined;
    });
    if (value === undefined || this.#isClosed) return;
    // What was started before us, and taken over, is as many as were needed a moment ago; it may be fewer than must be.
    const before = this.#scaler?.count ?? children.filter((child) => child.isWanted).length;
    this.#scaler ??= new Scaler(least, most, condition.limit, before);
    const count = this.#scaler.look(value);
    if (count === before) return;
    this.#around.report({ type: "note", path, words: `${before} -> ${count} instances` });
    children.forEach((child, index) => {
      if (index >= count) this.supervisor.halt(child);
      else child.hold(undefined);
    });
    this.#around.settle();
  }
}
