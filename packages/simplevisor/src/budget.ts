/**
 * How many of the last cycles of supervision had an adjustment. Several in one cycle count once: what is wrong is
 * wrong for the whole cycle. Counterpart: the window and the adjustments of the original.
 */
export class CycleWindow {
  readonly #window: number;
  readonly #adjustments: number;
  #cycles: boolean[] = [];
  #isAdjusted = false;

  /** @param window cycles @param adjustments more of them than so many are a failure */
  constructor(window: number, adjustments: number) {
    this.#window = window;
    this.#adjustments = adjustments;
  }

  /** An adjustment, in this cycle. */
  mark(): void {
    this.#isAdjusted = true;
  }

  endCycle(): void {
    this.#cycles = this.#kept(this.#window);
    this.#isAdjusted = false;
  }

  /** The cycles of the window that were adjusted, this one included. */
  get adjusted(): number {
    return this.#kept(this.#window).filter(Boolean).length;
  }

  get isExceeded(): boolean {
    return this.adjusted > this.#adjustments;
  }

  clear(): void {
    this.#cycles = [];
    this.#isAdjusted = false;
  }

  dump(): readonly boolean[] {
    return this.#isAdjusted ? this.#kept(this.#window) : this.#cycles;
  }

  load(cycles: readonly boolean[]): void {
    this.#cycles = cycles.slice(-this.#window);
  }

  #kept(count: number): boolean[] {
    return [...this.#cycles, this.#isAdjusted].slice(-count);
  }
}

/** At most so many restarts within a period, as Erlang's supervisors have it; the period slides. */
export class RestartBudget {
  readonly #intensity: number;
  readonly #periodMs: number;
  readonly #clock: () => number;
  #spent: number[] = [];

  /** @param period seconds */
  constructor(intensity: number, period: number, clock: () => number) {
    this.#intensity = intensity;
    this.#periodMs = period * 1000;
    this.#clock = clock;
  }

  /** One more restart. False: that is one too many. */
  spend(): boolean {
    const now = this.#clock();
    this.#spent = this.#spent.filter((time) => time > now - this.#periodMs);
    this.#spent.push(now);
    return this.#spent.length <= this.#intensity;
  }

  clear(): void {
    this.#spent = [];
  }
}
