import { spawn, type ChildProcess } from "node:child_process";
import type { ServiceOutput } from "./output.js";
import { hasGroup, identify, isThere, signal, type ProcessId } from "./proc.js";
import type { Hands, Outcome } from "./service.js";

/** How often we look whether a process that our forerunner has started is still there, milliseconds. */
const LOOK_MS = 100;

/** What is told of an owned process. */
export interface OwnerEvents {
  began(pid: number): void;
  ended(outcome: Outcome): void;
  problem(words: string): void;
}

export interface OwnerOptions {
  readonly words: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string | undefined;
  readonly output: ServiceOutput;
  /** What is left on the disk for a successor. */
  readonly record: { write(process: ProcessId): void; remove(): void };
  /** What must be done before each start. */
  readonly prepare?: (() => Promise<void>) | undefined;
  /** Lets starts take turns with all else that happens. */
  readonly turn: (work: () => void) => void;
}

/** Owns a process in the foreground and the group that it leads; sees its end at once. */
export class Owner implements Hands {
  readonly #options: OwnerOptions;
  readonly #events: OwnerEvents;
  #process: ProcessId | undefined;
  /** A successor can find it. */
  #isRecorded = true;
  /** Stopped before it was started. */
  #isCancelled = false;

  constructor(options: OwnerOptions, events: OwnerEvents) {
    this.#options = options;
    this.#events = events;
  }

  start(): void {
    const { turn, prepare } = this.#options;
    this.#isCancelled = false;
    const begin = () => {
      if (this.#isCancelled) this.#events.ended({ isOk: true, words: "stopped before it was started" });
      else this.#spawn();
    };
    const fail = (error: Error) => this.#events.ended({ isOk: false, words: error.message });
    turn(() => (prepare ? void prepare().then(begin, fail) : begin()));
  }

  stop(): void {
    if (this.#process) this.#signal("SIGTERM");
    else this.#isCancelled = true;
  }

  kill(): void {
    this.#signal("SIGKILL");
  }

  /** Take over what our forerunner has started. @returns whether it is there, and the same */
  adopt(process: ProcessId): boolean {
    if (!isThere(process)) return false;
    this.#process = process;
    // It is no child of ours: nobody tells us of its end.
    const timer = setInterval(() => {
      if (isThere(process)) return;
      clearInterval(timer);
      this.#gone({ isOk: false, words: "has ended" });
    }, LOOK_MS).unref();
    return true;
  }

  /** Nobody was found to be taken over: whoever writes into our pipe all the same was left behind. */
  clear(groups: Iterable<number>): void {
    if (!this.#process) for (const group of groups) this.#killGroup(group);
  }

  /** Leave on the disk what a successor must know, unless it is there: a full disk may have room again. */
  record(): Error | undefined {
    if (this.#isRecorded || !this.#process) return undefined;
    try {
      this.#options.record.write(this.#process);
      this.#isRecorded = true;
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  #spawn(): void {
    const { words, env, cwd, output } = this.#options;
    const [file = "", ...args] = words;
    output.forget();
    let child: ChildProcess;
    try {
      child = output.open((descriptor) =>
        spawn(file, args, {
          detached: true,
          env,
          stdio: ["ignore", descriptor, descriptor],
          ...(cwd !== undefined && { cwd }),
        }),
      );
    } catch (error) {
      this.#events.ended({ isOk: false, words: (error as Error).message });
      return;
    }
    const { pid } = child;
    if (pid === undefined) {
      child.on("error", (error) => this.#events.ended({ isOk: false, words: error.message }));
      return;
    }
    this.#process = identify(pid) ?? { pid, started: "" };
    // Told to leave it running we can end before it does.
    child.unref();
    child.on("error", (error) => this.#events.problem(error.message));
    child.on("exit", (status, name) => {
      this.#gone({
        isOk: status === 0,
        words: name === null ? `exit status ${status}` : `ended by ${name}`,
      });
    });
    this.#isRecorded = false;
    const error = this.record();
    if (error) this.#events.problem(`could not be found again after a crash: ${error.message}`);
    this.#events.began(pid);
  }

  #gone(outcome: Outcome): void {
    const pid = this.#process?.pid;
    this.#process = undefined;
    // Its children have no place without it: a second copy would meet them.
    if (pid !== undefined && hasGroup(pid)) this.#killGroup(pid);
    // Only then: if we are killed before, our successor must find them.
    this.#options.record.remove();
    this.#events.ended(outcome);
  }

  /** End what it has left behind. */
  #killGroup(group: number): void {
    signal(-group, "SIGKILL");
    this.#events.problem(`left processes of its group ${group} behind: they are killed`);
  }

  #signal(name: NodeJS.Signals): void {
    const process = this.#process;
    // A number alone may be another's by now.
    if (!process || (process.started !== "" && !isThere(process))) return;
    if (!signal(-process.pid, name) && isThere(process)) {
      this.#events.problem(`cannot be sent ${name}: it is another account's`);
    }
  }
}
