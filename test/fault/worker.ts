// The campaigns' side of a worker: a queue in a process of its own, that can be made to fail, or killed.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { endWithUs } from "../helpers/broker.js";
import { root } from "../helpers/embedded.js";

/** The compiled worker, whether this file is compiled or not. */
const main = join(root, "build/test/fault/worker-main.js");

/** No command takes so long, on a slow machine either, but one that spins. */
const SPIN_MS = 60_000;

/** How a command ended: with a result, an error, or the death of the worker. */
export type Outcome =
  | { readonly end: unknown }
  | { readonly failed: { readonly code: string; readonly message: string } }
  | { readonly killed: true };

type Answer = Outcome | { readonly added: string[] };

/** A process that opens queues and calls them. See worker-main.ts for the commands. */
export class Worker implements AsyncDisposable {
  readonly pid: number;
  /** The ids that were acknowledged since the last command was given. */
  acknowledged: string[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #first: (() => void) | undefined;
  #ended: ((outcome: Outcome) => void) | undefined;

  /** `threads`: of the pool, for asynchronous file calls; those of a single one can be counted. */
  constructor({ careless = false, threads = 4 } = {}) {
    this.#child = spawn(process.execPath, [main, ...(careless ? ["careless"] : [])], {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, UV_THREADPOOL_SIZE: `${threads}` },
    });
    endWithUs(this.#child);
    this.pid = this.#child.pid ?? 0;
    this.#child.stdin?.on("error", () => undefined);
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#hear(line));
    this.#closed = once(this.#child, "close").then(() => this.#end({ killed: true }));
  }

  /**
   * Give a command; returns how it ended.
   * @throws Error if it does not end
   */
  async ask(...words: [command: string, ...words: string[]]): Promise<Outcome> {
    return await this.start(...words).done;
  }

  /** As `ask`, and return at once. `first`: something is acknowledged, or it has ended. */
  start(...words: [command: string, ...words: string[]]): { first: Promise<void>; done: Promise<Outcome> } {
    this.acknowledged = [];
    const first = new Promise<void>((resolve) => (this.#first = resolve));
    const done = new Promise<Outcome>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`\`${words.join(" ")}\` does not end`)), SPIN_MS);
      this.#ended = (outcome) => {
        clearTimeout(timer);
        resolve(outcome);
      };
    });
    this.#child.stdin?.write(`${JSON.stringify(words)}\n`);
    return { first, done };
  }

  /**
   * Give a command that must not fail; returns its result.
   * @throws Error if it does
   */
  async demand<Result = unknown>(...words: [command: string, ...words: string[]]): Promise<Result> {
    const outcome = await this.ask(...words);
    if ("end" in outcome) return outcome.end as Result;
    throw new Error(`Expected \`${words.join(" ")}\` to work, got ${JSON.stringify(outcome)}`);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #hear(line: string): void {
    // The last words of one that was killed may be half a line: they have not been said.
    if (!line.endsWith("}")) return;
    const answer = JSON.parse(line) as Answer;
    if ("added" in answer) {
      this.acknowledged.push(...answer.added);
      this.#first?.();
    } else this.#end(answer);
  }

  #end(outcome: Outcome): void {
    this.#first?.();
    this.#ended?.(outcome);
  }
}
