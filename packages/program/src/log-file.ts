import { closeSync, existsSync, fstatSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import type { LogLevel, LogTarget } from "./log.js";

/** What becomes of a log file that is large. */
export interface Rotation {
  /** So many bytes are large; Infinity: none are. */
  readonly size: number;
  /** So many old ones are kept, as `FILE.1`, which is the newest, to `FILE.N`. */
  readonly keep: number;
}

/**
 * Lines at the end of a file, each with the time (UTC), the program's name and its pid. Each line is one write
 * to the end, so that several programs can share a file.
 *
 * A file that was renamed or removed is noticed at the next line, which goes to a new file of that name; nothing
 * needs to be told. While lines cannot be written (a full disk) they are counted, and the number is told once
 * they can be again.
 */
export class FileTarget implements LogTarget {
  readonly #path: string;
  readonly #program: string;
  readonly #rotation: Rotation;
  readonly #now: () => number;
  #descriptor: number;
  #lost = 0;
  /** The last line was written in part. */
  #isCut = false;

  /**
   * @param now the clock, milliseconds
   * @throws the file's own error if it cannot be opened
   */
  constructor(
    path: string,
    program: string,
    now: () => number = Date.now,
    rotation: Rotation = { size: Infinity, keep: 0 },
  ) {
    this.#path = path;
    this.#program = program;
    this.#rotation = rotation;
    this.#now = now;
    this.#descriptor = openSync(path, "a");
  }

  write(_level: LogLevel, line: string): void {
    const size = this.#size();
    if (size === undefined) this.reopen();
    else if (size >= this.#rotation.size) this.#rotate();
    try {
      if (this.#lost > 0) this.#append(`warning: ${this.#lost} lines of this log could not be written`);
      this.#lost = 0;
      this.#append(line);
    } catch {
      this.#lost++;
    }
  }

  /** If the file cannot be opened, the one that was open stays in use. */
  reopen(): void {
    try {
      const descriptor = openSync(this.#path, "a");
      closeSync(this.#descriptor);
      this.#descriptor = descriptor;
    } catch {
      // The next line tries again.
    }
  }

  close(): Promise<void> {
    closeSync(this.#descriptor);
    return Promise.resolve();
  }

  #append(line: string): void {
    const time = new Date(this.#now()).toISOString();
    const start = this.#isCut && fstatSync(this.#descriptor).size > 0 ? "\n" : "";
    const bytes = Buffer.from(`${start}${time} ${this.#program}[${process.pid}]: ${line}\n`);
    for (let done = 0; done < bytes.length;) {
      done += writeSync(this.#descriptor, bytes, done);
      this.#isCut = done < bytes.length;
    }
  }

  /** Bytes; undefined: another file has its name now, or none. */
  #size(): number | undefined {
    try {
      const open = fstatSync(this.#descriptor);
      const named = statSync(this.#path);
      return named.ino === open.ino && named.dev === open.dev ? open.size : undefined;
    } catch {
      return undefined;
    }
  }

  /** RACE: another program that shares the file may do the same just now; then one of the old files is short. */
  #rotate(): void {
    const { keep } = this.#rotation;
    const name = (age: number) => (age === 0 ? this.#path : `${this.#path}.${age}`);
    try {
      for (let age = keep - 1; age >= 0; age--)
        if (existsSync(name(age))) renameSync(name(age), name(age + 1));
      if (keep === 0) rmSync(this.#path, { force: true });
    } catch {
      // It grows on: a log that is too long is better than none.
    }
    this.reopen();
  }
}
