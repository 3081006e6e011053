import { closeSync, fstatSync, openSync, statSync, writeSync } from "node:fs";
import type { LogLevel, LogTarget } from "./log.js";

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
  readonly #now: () => number;
  #descriptor: number;
  #lost = 0;

  /**
   * @param now the clock, milliseconds
   * @throws the file's own error if it cannot be opened
   */
  constructor(path: string, program: string, now: () => number = Date.now) {
    this.#path = path;
    this.#program = program;
    this.#now = now;
    this.#descriptor = openSync(path, "a");
  }

  write(_level: LogLevel, line: string): void {
    if (this.#isMoved()) this.reopen();
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
    const bytes = Buffer.from(`${time} ${this.#program}[${process.pid}]: ${line}\n`);
    for (let done = 0; done < bytes.length;) done += writeSync(this.#descriptor, bytes, done);
  }

  #isMoved(): boolean {
    try {
      const open = fstatSync(this.#descriptor);
      const named = statSync(this.#path);
      return named.ino !== open.ino || named.dev !== open.dev;
    } catch {
      return true;
    }
  }
}
