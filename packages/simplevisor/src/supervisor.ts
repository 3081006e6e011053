import { BackOff, backOffDefaults } from "./backoff.js";
import { CycleWindow, RestartBudget } from "./budget.js";
import {
  isSettled,
  isThere,
  isUp,
  type Child,
  type ChildReport,
  type ChildState,
  type Phase,
  type Strategy,
  type Surroundings,
} from "./child.js";
import { affected, isOrdered } from "./strategy.js";

/** What is decided by. */
export interface SupervisorPolicy {
  readonly name: string;
  readonly path: string;
  readonly depends: readonly string[];
  readonly isExpected: boolean;
  readonly strategy: Strategy;
  /** More than `adjustments` adjusted cycles of the last `window`, and it fails. */
  readonly window: number;
  readonly adjustments: number;
  /** More than `intensity` restarts within `period` seconds, and it fails (Infinity: as many as there are). */
  readonly intensity: number;
  readonly period: number;
}

/** An inner node: keeps its children as they should be, in order, and fails if that takes too much. */
export class Supervisor implements Child {
  readonly isTemporary = false;
  #policy: SupervisorPolicy;
  readonly #around: Surroundings;
  #window: CycleWindow;
  #budget: RestartBudget;
  readonly #backOff: BackOff;
  #children: readonly Child[];
  #phase: Phase = "stopped";
  #since: number;
  #held: boolean | undefined;
  #dueMs = Infinity;
  /** When it was last seen to what is due. */
  #steppedMs = -Infinity;
  #upMs: number | undefined;
  #restarts = 0;
  #lastFailure: string | undefined;
  #failure: string | undefined;
  /** It stops its children because of this. */
  #fault: string | undefined;
  /** Children no more: they are stopped, and nobody takes their name before they are down. */
  #retired: readonly Child[] = [];
  /** Those that must be down before anybody is started. */
  readonly #leaving = new Set<Child>();

  constructor(policy: SupervisorPolicy, children: readonly Child[], around: Surroundings) {
    this.#policy = policy;
    this.#children = children;
    this.#around = around;
    this.#since = around.clock();
    this.#window = new CycleWindow(policy.window, policy.adjustments);
    this.#budget = new RestartBudget(policy.intensity, policy.period, around.clock);
    this.#backOff = new BackOff(backOffDefaults, around.random);
  }

  get name(): string {
    return this.#policy.name;
  }
  get path(): string {
    return this.#policy.path;
  }
  get depends(): readonly string[] {
    return this.#policy.depends;
  }
  get children(): readonly Child[] {
    return this.#children;
  }
  get phase(): Phase {
    return this.#phase;
  }
  get isWanted(): boolean {
    return this.#held ?? this.#policy.isExpected;
  }
  get wakeMs(): number {
    // What was due when it was seen to waits for something else than time.
    const later = [...this.#retired, ...this.#children]
      .map(({ wakeMs }) => wakeMs)
      .filter((ms) => ms > this.#steppedMs);
    return Math.min(this.#dueMs, ...later);
  }

  hold(isWanted: boolean | undefined): void {
    this.#held = isWanted;
    if (isWanted && this.#phase === "waiting") this.#become("stopped");
    if (isWanted) this.#backOff.reset();
  }

  /** From now on it keeps its children as they should be. What was before counts no more. */
  start(): void {
    if (isUp(this)) return;
    // A first start goes on with what was loaded.
    if (this.#phase === "waiting") this.#window.clear();
    this.#budget.clear();
    this.#fault = undefined;
    this.#upMs = this.#around.clock();
    this.#become("starting");
  }

  stop(): void {
    if (!isUp(this)) {
      if (this.#phase !== "stopped") this.#become("stopped");
      return;
    }
    this.#fault = undefined;
    if (this.#phase !== "stopping") this.#become("stopping");
  }

  /** Stop a child and start it again, by an operator's order: that is no failure. */
  restart(child: Child): void {
    child.hold(undefined);
    if (!child.isWanted) child.hold(true);
    this.#leaving.add(child);
  }

  /** Stop a child, by an operator's order; it stays so. */
  halt(child: Child): void {
    child.hold(false);
    child.stop();
  }

  /** Have another policy and other children from now on; those that stay stay as they are. */
  replace(policy: SupervisorPolicy, children: readonly Child[]): void {
    const cycles = this.#window.dump();
    this.#window = new CycleWindow(policy.window, policy.adjustments);
    this.#window.load(cycles);
    this.#budget = new RestartBudget(policy.intensity, policy.period, this.#around.clock);
    const gone = this.#children.filter((child) => !children.includes(child));
    this.#retired = [...this.#retired, ...gone].filter((child) => !children.includes(child));
    for (const child of gone) this.#leaving.delete(child);
    this.#policy = policy;
    this.#children = children;
  }

  takeFailure(): string | undefined {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  step(): void {
    this.#steppedMs = this.#around.clock();
    for (const child of [...this.#retired, ...this.#children]) child.step();
    for (const child of this.#retired) child.stop();
    this.#retired = this.#retired.filter(isUp);
    if (!isUp(this)) return;
    if (this.#phase !== "stopping") this.#adjust();
    if (this.#phase === "stopping") this.#wind();
    else if (this.#takeDown(this.#leaving) || !isOrdered(this.#policy.strategy)) this.#bringUp();
  }

  endCycle(): void {
    this.#window.endCycle();
    for (const child of this.#children) child.endCycle();
  }

  describe(): ChildReport {
    return {
      name: this.name,
      path: this.path,
      kind: "supervisor",
      phase: this.#phase,
      wanted: this.isWanted,
      seconds: (this.#around.clock() - this.#since) / 1000,
      restarts: this.#restarts,
      ...(this.#lastFailure !== undefined && { failure: this.#lastFailure }),
      strategy: this.#policy.strategy,
      children: this.#children.map((child) => child.describe()),
    };
  }

  dump(): ChildState {
    return {
      name: this.name,
      cycles: this.#window.dump(),
      restarts: this.#restarts,
      ...(this.#held !== undefined && { held: this.#held }),
      children: this.#children.map((child) => child.dump()),
    };
  }

  /** Children that are no more, or have another name, are left out; those that are new begin anew. */
  load({ cycles = [], restarts = 0, held, children = [] }: ChildState): void {
    this.#window.load(cycles);
    this.#restarts = restarts;
    this.#held = held;
    for (const child of this.#children) {
      const state = children.find(({ name }) => name === child.name);
      if (state) child.load(state);
    }
  }

  /** See to what has failed, and to what runs and should not. */
  #adjust(): void {
    for (const child of this.#children) {
      const words = child.takeFailure();
      if (words !== undefined && child.isWanted) {
        this.#mark(() => this.#repair(child, words));
      } else if (!child.isWanted && (child.phase === "running" || child.phase === "starting")) {
        this.#mark(() => child.stop());
      } else if (!child.isWanted && child.phase === "waiting") child.stop();
    }
  }

  #mark(repair: () => void): void {
    if (this.#fault !== undefined) return;
    this.#window.mark();
    const { window, adjustments, intensity, period } = this.#policy;
    if (this.#window.isExceeded) {
      this.#giveUp(
        `${this.#window.adjusted} of its last ${window} cycles were adjusted, more than ${adjustments}`,
      );
    } else if (!this.#budget.spend()) this.#giveUp(`more than ${intensity} restarts in ${period} s`);
    else repair();
  }

  #repair(failed: Child, words: string): void {
    const { strategy } = this.#policy;
    const children = affected(strategy, this.#children, failed);
    for (const child of children) if (child !== failed) this.#leaving.add(child);
    if (children.length > 1) {
      const names = children.map(({ name }) => name);
      this.#around.report({
        type: "adjusting",
        path: this.path,
        because: failed.name,
        words,
        children: names,
      });
    }
  }

  #giveUp(words: string): void {
    this.#fault = words;
    this.#around.report({ type: "failed", path: this.path, words });
    this.#become("stopping");
  }

  /** Stop all; then be stopped, or failed. */
  #wind(): void {
    if (!this.#takeDown(new Set(this.#children)) || this.#retired.length > 0) return;
    this.#leaving.clear();
    for (const child of this.#children) {
      child.takeFailure();
      child.stop();
    }
    const fault = this.#fault;
    if (fault === undefined) {
      this.#become("stopped");
      return;
    }
    const delayMs = this.#backOff.fail(this.#around.clock() - (this.#upMs ?? 0));
    this.#failure = this.#lastFailure = fault;
    this.#fault = undefined;
    this.#restarts++;
    this.#become("waiting", delayMs / 1000);
  }

  /**
   * Stop children in the reverse order. Where the strategy is ordered each waits for the one behind it, else only for
   * those that depend on it.
   * @param leaving those that are down are taken out
   * @returns whether nobody is left
   */
  #takeDown(leaving: Set<Child>): boolean {
    const dependants = [...leaving].filter(({ depends }) => depends.length > 0);
    for (const child of this.#children.toReversed()) {
      if (!leaving.has(child)) continue;
      const isNeeded = dependants.some((other) => isUp(other) && other.depends.includes(child.name));
      if (!isNeeded) {
        child.stop();
        child.step();
      }
      if (!isUp(child)) leaving.delete(child);
      else if (isOrdered(this.#policy.strategy)) return false;
    }
    return leaving.size === 0;
  }

  /** Start what should run, in order: where the strategy is ordered each when the one before it is ready. */
  #bringUp(): void {
    for (const child of this.#children) {
      if (this.#mayStart(child)) {
        child.start();
        // A supervisor begins with its own children at once.
        child.step();
      }
      if (isOrdered(this.#policy.strategy) && !isSettled(child)) return;
    }
    if (this.#phase === "starting" && this.#children.every(isSettled)) this.#become("running");
  }

  #mayStart(child: Child): boolean {
    const { phase } = child;
    if (!child.isWanted || this.#leaving.has(child)) return false;
    if (this.#retired.some(({ name }) => name === child.name)) return false;
    if (phase !== "stopped" && (phase !== "waiting" || child.wakeMs > this.#around.clock())) return false;
    return child.depends.every((name) =>
      this.#children.some((other) => other.name === name && isThere(other)),
    );
  }

  #become(phase: Phase, seconds = Infinity): void {
    this.#phase = phase;
    this.#since = this.#around.clock();
    this.#dueMs = this.#since + seconds * 1000;
  }
}
