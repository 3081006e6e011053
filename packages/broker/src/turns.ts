/** How long work goes on before the event loop has its turn, milliseconds: heart-beats must not be late. */
const SLICE_MS = 8;

/** How long a task rests after a failure, milliseconds: a disk that fails must not make us spin. */
const REST_MS = 1000;

/** Somebody with work to do, now and then. */
export interface Task {
  /** Do one small piece of work. False: there is none until the next `wake`. */
  step(): boolean;
}

/**
 * Lets tasks work by turns, one step each, in slices between which the event loop goes on: a client that
 * sends without end delays nobody.
 */
export class Turns {
  /** In the order of their turns: who has had one goes to the end. */
  readonly #due = new Set<Task>();
  readonly #resting = new Map<Task, NodeJS.Timeout>();
  readonly #log: (line: string) => void;
  #scheduled: NodeJS.Immediate | undefined;
  #stopped = false;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** There may be work for this task. */
  wake(task: Task): void {
    if (this.#stopped || this.#resting.has(task)) return;
    this.#due.add(task);
    this.#scheduled ??= setImmediate(() => this.#slice());
  }

  stop(): void {
    this.#stopped = true;
    this.#due.clear();
    clearImmediate(this.#scheduled);
    for (const timer of this.#resting.values()) clearTimeout(timer);
  }

  #slice(): void {
    const end = performance.now() + SLICE_MS;
    for (const task of this.#due) {
      this.#due.delete(task);
      try {
        if (task.step()) this.#due.add(task);
      } catch (error) {
        this.#rest(task, error as Error);
      }
      if (performance.now() >= end) break;
    }
    this.#scheduled = this.#due.size > 0 ? setImmediate(() => this.#slice()) : undefined;
  }

  #rest(task: Task, error: Error): void {
    this.#log(`${error.message}; trying again in ${REST_MS / 1000} s`);
    const timer = setTimeout(() => {
      this.#resting.delete(task);
      this.wake(task);
    }, REST_MS);
    this.#resting.set(task, timer);
  }
}
