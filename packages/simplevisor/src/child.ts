import type { Report } from "./event.js";

/** Where a child is in its life. A promise: operators and their scripts see these words. */
export type Phase =
  /** Not there: not started yet, stopped, or not wanted. */
  | "stopped"
  /** Being started; not ready yet. */
  | "starting"
  | "running"
  | "stopping"
  /** It has failed, and is not there; its parent starts it again, at `wakeMs` at the earliest. */
  | "waiting"
  /** It has ended by itself, and nobody wants it again. */
  | "finished";

/** What operators see of a child. */
export interface ChildReport {
  readonly name: string;
  readonly path: string;
  readonly kind: "service" | "supervisor";
  readonly phase: Phase;
  readonly wanted: boolean;
  /** Seconds in this phase. */
  readonly seconds: number;
  /** How often it was started again after a failure. */
  readonly restarts: number;
  readonly pid?: number;
  /** Why it failed last. */
  readonly failure?: string;
  readonly strategy?: Strategy;
  readonly children?: readonly ChildReport[];
}

export const strategies = ["one_for_one", "rest_for_one", "one_for_all"] as const;
/** Who is restarted with a child that has failed: nobody else, all that were started after it, or all. */
export type Strategy = (typeof strategies)[number];

/** What a child shares with its whole tree. */
export interface Surroundings {
  /** Milliseconds, from any zero; never back. */
  readonly clock: () => number;
  /** From 0 to 1, for the jitter of delays. */
  readonly random: () => number;
  /** Told whatever happens. */
  readonly report: Report;
}

/**
 * A service or a supervisor. Nothing here does anything but decide: what is to be done is told to the services' hands.
 *
 * Its parent alone calls `start` and `stop`, and lets time pass by `step`. Both may be called at any time, and again.
 */
export interface Child {
  readonly name: string;
  /** The names from the root to here, `app/web`. */
  readonly path: string;
  readonly phase: Phase;
  readonly children: readonly Child[];
  /** The names of siblings that must be running before it is started. */
  readonly depends: readonly string[];
  /** Whether its parent shall keep it running: as expected, unless an operator holds it. */
  readonly isWanted: boolean;
  /** Once finished it stays so, even when its siblings are restarted. */
  readonly isTemporary: boolean;
  /** When `step` is to be called at the latest; Infinity: something else happens first. */
  readonly wakeMs: number;
  start(): void;
  stop(): void;
  /** An operator's word, against what is expected: stay stopped (false), run (true), or as expected (undefined). */
  hold(isWanted: boolean | undefined): void;
  /** Why it must be restarted, once for each failure; undefined: it need not. */
  takeFailure(): string | undefined;
  /** Do what is due. */
  step(): void;
  /** A cycle of supervision is over. */
  endCycle(): void;
  describe(): ChildReport;
  /** What the next run needs to know. */
  dump(): ChildState;
  load(state: ChildState): void;
}

/** What is kept of a child from one run to the next. */
export interface ChildState {
  readonly name: string;
  /** Of a supervisor: which of the last cycles were adjusted, the newest last. */
  readonly cycles?: readonly boolean[];
  readonly held?: boolean;
  /** Of a service: it ran. */
  readonly up?: boolean;
  readonly restarts?: number;
  readonly children?: readonly ChildState[];
}

/** Whether its process is there, or may be. */
export const isUp = ({ phase }: Pick<Child, "phase">): boolean =>
  phase === "starting" || phase === "running" || phase === "stopping";

/** Whether it does what it is there for, or has done it. */
export const isThere = ({ phase }: Pick<Child, "phase">): boolean =>
  phase === "running" || phase === "finished";

/** Whether those that come after it may be started. */
export const isSettled = (child: Child): boolean =>
  isThere(child) || (child.phase === "stopped" && !child.isWanted);
