import { spawn } from "node:child_process";
import type { Socket } from "node:net";
import { constants } from "node:os";
import { timerMs } from "@spoolwire/program";
import { LineCutter } from "./lines.js";
import { signal } from "./proc.js";

/** What a command that could not be started, and one that took too long, end with; as shells and timeout(1) have it. */
const NOT_STARTED = 127;
export const TIMED_OUT = 124;

export interface RunOptions {
  /** Seconds. */
  readonly timeout: number;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string | undefined;
  /** Told its pid; what is returned is called when it has ended. */
  readonly began: (pid: number) => () => void;
  /** Told each line of its output. */
  readonly line: (line: string) => void;
}

/**
 * Run a command to its end, in a process group of its own that is killed if it takes too long.
 *
 * It counts as ended when its process has: what it left running in the background may keep its output open, and is
 * heard as long as we are there.
 * @returns its exit status, of a signal 128 and its number; 124 after the timeout, 127 if it could not be started
 */
export function runCommand([file = "", ...args]: readonly string[], options: RunOptions): Promise<number> {
  const { timeout, env, cwd, began, line } = options;
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      detached: true,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      ...(cwd !== undefined && { cwd }),
    });
    const ended = child.pid === undefined ? undefined : began(child.pid);
    let hasTimedOut = false;
    const timer = setTimeout(() => {
      hasTimedOut = true;
      line(`killed after ${timeout} s`);
      if (child.pid !== undefined) signal(-child.pid, "SIGKILL");
    }, timerMs(timeout));
    for (const stream of [child.stdout, child.stderr]) {
      const cutter = new LineCutter(line);
      stream.on("data", (chunk: Buffer) => cutter.take(chunk)).on("error", () => undefined);
      stream.on("end", () => cutter.end());
    }
    child.on("error", (error) => {
      clearTimeout(timer);
      line(error.message);
      resolve(NOT_STARTED);
    });
    child.on("exit", (status, name) => {
      clearTimeout(timer);
      ended?.();
      for (const stream of [child.stdout, child.stderr]) (stream as Socket).unref();
      if (hasTimedOut) resolve(TIMED_OUT);
      else resolve(status ?? 128 + (name === null ? 0 : constants.signals[name]));
    });
  });
}

/** So many commands at once, and no more; the others wait for their turn. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Whether the next one must wait. */
  get isBusy(): boolean {
    return this.#free === 0;
  }

  async with<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}
