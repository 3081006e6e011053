import { BackOff, type BackOffOptions } from "./backoff.js";
import type { Child, ChildReport, ChildState, Phase, Surroundings } from "./child.js";
import { isUp } from "./child.js";

export const restartPolicies = ["permanent", "transient", "temporary"] as const;
/** Who is started again after it has ended: everybody, who has failed, or nobody. */
export type RestartPolicy = (typeof restartPolicies)[number];

/** What is decided by; all times are in seconds. */
export interface ServicePolicy {
  readonly name: string;
  readonly path: string;
  readonly depends: readonly string[];
  readonly isExpected: boolean;
  readonly restart: RestartPolicy;
  /** So long after `stop` it is killed. */
  readonly stopTimeout: number;
  /** It must be ready so soon after its start. */
  readonly startTimeout: number;
  readonly backOff: BackOffOptions;
}

/** What does what a service decides. Each of them returns at once, and tells later, through the service, what came of it. */
export interface Hands {
  /** Answered by `began` and `ready`, or by `ended`. */
  start(): void;
  /** Answered by `ended`. */
  stop(): void;
  /** With force. Answered by `ended`, even if it was in vain. */
  kill(): void;
}

/** How something ended. */
export interface Outcome {
  /** As it should, by itself. */
  readonly isOk: boolean;
  readonly words: string;
}

/** A leaf of the tree: decides by what its hands tell, and by the clock, what they shall do. */
export class Service implements Child {
  readonly children: readonly Child[] = [];
  readonly #policy: ServicePolicy;
  readonly #around: Surroundings;
  readonly #hands: Hands;
  readonly #backOff: BackOff;
  #phase: Phase = "stopped";
  #since: number;
  #held: boolean | undefined;
  /** When something is due in this phase. */
  #dueMs = Infinity;
  /** Since when it runs. */
  #upMs: number | undefined;
  #restarts = 0;
  /** As the last run left it. */
  #wasUp = false;
  #pid: number | undefined;
  #lastFailure: string | undefined;
  /** Not taken by the parent yet. */
  #failure: string | undefined;
  /** It is being stopped because of this, and not because somebody wants it to. */
  #fault: string | undefined;

  constructor(policy: ServicePolicy, around: Surroundings, hands: (service: Service) => Hands) {
    this.#policy = policy;
    this.#around = around;
    this.#since = around.clock();
    this.#backOff = new BackOff(policy.backOff, around.random);
    this.#hands = hands(this);
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
  get isTemporary(): boolean {
    return this.#policy.restart === "temporary";
  }
  get isWanted(): boolean {
    return this.#held ?? this.#policy.isExpected;
  }
  get phase(): Phase {
    return this.#phase;
  }
  get wakeMs(): number {
    return this.#dueMs;
  }
  get pid(): number | undefined {
    return this.#pid;
  }

  hold(isWanted: boolean | undefined): void {
    this.#held = isWanted;
    // Whoever wants it now need not wait, nor for one that is done.
    if (isWanted && !isUp(this)) this.#become("stopped");
    if (isWanted) this.#backOff.reset();
  }

  start(): void {
    if (isUp(this)) return;
    this.#upMs = undefined;
    this.#fault = undefined;
    this.#become("starting", this.#policy.startTimeout);
    this.#around.report({ type: "starting", path: this.path });
    this.#hands.start();
  }

  stop(): void {
    if (!isUp(this)) {
      if (this.#phase !== "stopped") this.#become("stopped");
      return;
    }
    // If it is being stopped for a fault, that is forgotten: it is not to be started again.
    this.#fault = undefined;
    if (this.#phase !== "stopping") this.#beginToStop();
  }

  takeFailure(): string | undefined {
    const failure = this.#failure;
    this.#failure = undefined;
    return failure;
  }

  step(): void {
    if (this.#around.clock() < this.#dueMs) return;
    if (this.#phase === "starting") {
      this.broken(`not ready within ${this.#policy.startTimeout} s`);
    } else if (this.#phase === "stopping") {
      this.#dueMs = Infinity;
      this.#around.report({ type: "killing", path: this.path });
      this.#hands.kill();
    }
  }

  /** What is to be done for it waits for its turn: its deadline does not run meanwhile. What is returned ends that. */
  pause(): () => void {
    if (this.#dueMs === Infinity || !isUp(this)) return () => undefined;
    const since = this.#since;
    const leftMs = this.#dueMs - this.#around.clock();
    this.#dueMs = Infinity;
    return () => {
      // Unless something else has become of it.
      if (this.#since === since) this.#dueMs = this.#around.clock() + leftMs;
    };
  }

  endCycle(): void {
    // A service has no cycles.
  }

  /** Its process is there, and works towards being ready. */
  began(pid?: number): void {
    this.#pid = pid;
  }

  /** It runs, and does what it is there for. */
  ready(): void {
    if (this.#phase !== "starting") return;
    this.#upMs = this.#around.clock();
    this.#become("running");
    this.#around.report({ type: "running", path: this.path });
  }

  /** It runs without having been started by us: by our forerunner, or by somebody else. */
  found(pid?: number): void {
    if (isUp(this)) return;
    this.#pid = pid;
    this.#upMs = this.#around.clock();
    this.#fault = undefined;
    this.#become("running");
    this.#around.report({ type: "note", path: this.path, words: `is found running${ofPid(pid)}` });
  }

  /** It is there, and does not do what it is there for: it must be stopped, and is then as one that has failed. */
  broken(words: string): void {
    if (this.#phase !== "starting" && this.#phase !== "running") return;
    this.#fault = words;
    this.#beginToStop();
  }

  /** It is gone. */
  ended({ isOk, words }: Outcome): void {
    if (!isUp(this)) return;
    const fault = this.#fault;
    const wasStopped = this.#phase === "stopping" && fault === undefined;
    this.#pid = undefined;
    this.#fault = undefined;
    if (wasStopped) {
      this.#become("stopped");
      this.#around.report({ type: "stopped", path: this.path, words });
    } else if (this.isTemporary || (this.#policy.restart === "transient" && isOk && fault === undefined)) {
      this.#become("finished");
      this.#around.report({ type: "finished", path: this.path, words: fault ?? words });
    } else this.#fail(fault ?? words);
  }

  describe(): ChildReport {
    return {
      name: this.name,
      path: this.path,
      kind: "service",
      phase: this.#phase,
      wanted: this.isWanted,
      seconds: (this.#around.clock() - this.#since) / 1000,
      restarts: this.#restarts,
      ...(this.#pid !== undefined && { pid: this.#pid }),
      ...(this.#lastFailure !== undefined && { failure: this.#lastFailure }),
    };
  }

  dump(): ChildState {
    return {
      name: this.name,
      restarts: this.#restarts,
      up: this.#phase === "running",
      ...(this.#held !== undefined && { held: this.#held }),
    };
  }

  load({ restarts = 0, held, up = false }: ChildState): void {
    this.#restarts = restarts;
    this.#held = held;
    this.#wasUp = up;
  }

  /** All that still runs has been found: what ran when we last looked, and is not there, has failed meanwhile. */
  missed(): void {
    const isMissing = this.#wasUp && !isUp(this);
    this.#wasUp = false;
    if (isMissing) this.#fail("has ended while nobody looked");
  }

  #fail(words: string): void {
    const upMs = this.#upMs === undefined ? 0 : this.#around.clock() - this.#upMs;
    const delayMs = this.#backOff.fail(upMs);
    this.#failure = this.#lastFailure = words;
    this.#restarts++;
    this.#become("waiting", delayMs / 1000);
    this.#around.report({ type: "waiting", path: this.path, words, seconds: delayMs / 1000 });
  }

  #beginToStop(): void {
    this.#become("stopping", this.#policy.stopTimeout);
    this.#around.report({ type: "stopping", path: this.path });
    this.#hands.stop();
  }

  #become(phase: Phase, seconds = Infinity): void {
    this.#phase = phase;
    this.#since = this.#around.clock();
    this.#dueMs = this.#since + seconds * 1000;
  }
}

const ofPid = (pid: number | undefined) => (pid === undefined ? "" : ` (pid ${pid})`);
