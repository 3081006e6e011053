// File calls that fail, or that a rival gets ahead of: every moment of an operation, one after the other.
import fs from "node:fs";
import { getSystemErrorMap } from "node:util";
import type { FileCalls } from "@spoolwire/dirq";

/** No operation on a small queue needs as many: it is in a loop that does not end. */
const MOST_CALLS = 10_000;

/** The moment just before one chosen file call. */
export class Moment {
  /** Node's file calls, to be given to the queue under test. */
  readonly calls: FileCalls;
  /** How many calls were made since `arm`. */
  made = 0;
  /** The call that the action came before; undefined: there were not so many. */
  reached: string | undefined;
  #action: (() => void) | undefined;
  readonly #k: number;

  constructor(k: number) {
    this.#k = k;
    this.calls = new Proxy(fs, { get: (_, name) => this.#wrap(name as string) });
  }

  /** Run `action` once, just before the k-th file call from now on. What it throws, the call throws. */
  arm(action: () => void): void {
    this.made = 0;
    this.#action = action;
  }

  /** The operation is over: what follows is not part of it. */
  disarm(): void {
    this.#action = undefined;
  }

  /** Let the k-th file call from now on fail, once. Returns the error. */
  fail(code: string): NodeJS.ErrnoException {
    const error = fileError(code);
    this.arm(() => {
      throw error;
    });
    return error;
  }

  #wrap(name: string): (...args: unknown[]) => unknown {
    const call = Reflect.get(fs, name) as (...args: unknown[]) => unknown;
    return (...args) => {
      if (++this.made > MOST_CALLS) throw new Error(`more than ${MOST_CALLS} file calls, the last ${name}`);
      if (this.#action && this.made === this.#k + 1) {
        const action = this.#action;
        this.#action = undefined;
        this.reached = name;
        try {
          action();
        } catch (error) {
          // A close that fails has closed all the same.
          if (name === "closeSync" || name === "close") call(...args);
          throw error;
        }
      }
      return call(...args);
    };
  }
}

/**
 * Run a scenario once for each file call of the operation that it arms its moment for, until there are no more.
 * Returns the names of the calls, so that a test can see that there were any.
 */
export async function atEveryCall(scenario: (moment: Moment) => void | Promise<void>): Promise<string[]> {
  const reached: string[] = [];
  for (;;) {
    const moment = new Moment(reached.length);
    try {
      await scenario(moment);
    } catch (error) {
      throw new Error(`before call ${reached.length}, ${moment.reached}: ${String(error)}`, { cause: error });
    }
    if (moment.reached === undefined) return reached;
    reached.push(moment.reached);
  }
}

/** An error as Node throws it when a file call fails. */
function fileError(code: string): NodeJS.ErrnoException {
  const [errno, [, text]] = [...getSystemErrorMap()].find(([, [name]]) => name === code)!;
  return Object.assign(new Error(`${code}: ${text}, injected`), { errno, code, syscall: "injected" });
}

/** Everything below a queue's directory but its own empty directories: files, elements, locks. */
export function remainsBelow(path: string): string[] {
  return fs
    .readdirSync(path, { recursive: true, withFileTypes: true })
    .filter(
      (entry) => !entry.isDirectory() || !/^([0-9a-f]{8}|temporary|obsolete|quarantine)$/.test(entry.name),
    )
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(path.length + 1))
    .sort();
}

/** Everything below a directory but directories, as sorted paths relative to it. */
export function filesBelow(path: string): string[] {
  return fs
    .readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => `${entry.parentPath}/${entry.name}`.slice(path.length + 1))
    .sort();
}
