import { spawnSync } from "node:child_process";
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { PidFileError, withPath } from "./errors.js";

/** A pid file that was not touched for so long, in milliseconds, tells of nobody who works. */
export const FRESH_MS = 60_000;

/** So many bytes of a pid file are looked at. */
const LONGEST = 64;

/** How often a claim is tried while the file changes under our hands. */
const ATTEMPTS = 100;

/** What can be read from a pid file. */
export interface PidFileState {
  /** Undefined: the file is empty, its owner has not written to it yet. */
  readonly pid: number | undefined;
  /** What the owner is told to do, `quit`; or "". */
  readonly action: string;
  /** When the owner touched it last, milliseconds. */
  readonly touchedMs: number;
}

/** What a pid file is judged by; tests have their own. */
export interface Surroundings {
  /** The clock, milliseconds. */
  readonly now: () => number;
  /** Whether a process is there. */
  readonly isAlive: (pid: number) => boolean;
}

/** Those of this system. */
export const surroundings: Surroundings = { now: Date.now, isAlive };

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and another account's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  try {
    // A process that has ended stays in the table until its parent asks for its status; not all parents do.
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return true; // a system without /proc
  }
}

/**
 * Look at a pid file. Undefined: there is none.
 * Counterpart: the format of No::Worries::PidFile.
 * @throws PidFileError PIDFILE_BAD_CONTENT; the file's own error if it cannot be read
 */
export function readPidFile(path: string): PidFileState | undefined {
  const descriptor = openIfThere(path, "r");
  return descriptor === undefined ? undefined : closing(descriptor, () => readState(descriptor, path));
}

/**
 * Whether somebody works behind a pid file: its process is there, and the file was touched of late. Either
 * alone can be wrong: the number of a process that crashed is given to another one, and a file outlives
 * its owner.
 */
export function isActive(
  state: PidFileState,
  { now, isAlive }: Surroundings = surroundings,
  freshMs = FRESH_MS,
): boolean {
  const isFresh = state.touchedMs >= now() - freshMs;
  return isFresh && (state.pid === undefined || isAlive(state.pid));
}

/**
 * Tell the owner of a pid file to quit. False: the file is gone, or another's than `pid`.
 * @throws as readPidFile does
 */
export function tellToQuit(path: string, pid: number): boolean {
  const descriptor = openIfThere(path, "r+");
  if (descriptor === undefined) return false;
  return closing(descriptor, () => {
    const state = readState(descriptor, path);
    if (state.pid !== pid) return false;
    // The first line stays as it is: a reader finds the old content or the new one.
    writeSync(descriptor, `${pid}\nquit\n`, 0);
    // Only the owner makes it fresh.
    futimesSync(descriptor, state.touchedMs / 1000, state.touchedMs / 1000);
    return true;
  });
}

/** Remove a pid file if it is that of `pid`. */
export function removePidFile(path: string, pid: number): void {
  if (readPidFile(path)?.pid !== pid) return;
  try {
    unlinkSync(path);
  } catch (error) {
    // RACE: whoever told us to quit has removed it for us.
    if (!isMissing(error)) throw error;
  }
}

/**
 * The pid file of this process, from `claim` to `release`. Its owner checks it at least every second, which
 * shows that it lives and tells it what others want.
 */
export class PidFile {
  readonly #path: string;
  readonly #pid: number;
  readonly #surroundings: Surroundings;

  private constructor(path: string, pid: number, surroundings: Surroundings) {
    this.#path = path;
    this.#pid = pid;
    this.#surroundings = surroundings;
  }

  /**
   * Make the file ours. One whose owner has crashed is taken over; of several that try, one succeeds.
   * @param pid whose it becomes
   * @throws PidFileError PIDFILE_RUNNING if its owner is at work, PIDFILE_BAD_CONTENT; the file's own error
   */
  static claim(path: string, pid = process.pid, around: Surroundings = surroundings): PidFile {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const state = readPidFile(path);
      if (state ? takeOver(path, pid, around) : create(path, pid)) return new PidFile(path, pid, around);
    }
    throw new PidFileError("PIDFILE_RUNNING", `The pid file ${path} changes all the time`);
  }

  /**
   * Show that we live, and see what is wanted of us: nothing (""), or `quit`.
   * If the file has vanished it is made again: an agent without one could not be told anything.
   * @throws PidFileError PIDFILE_TAKEN if it is another's now; the file's own error if it cannot be touched
   */
  check(): string {
    const state = readPidFile(this.#path);
    if (!state) {
      create(this.#path, this.#pid);
      return "";
    }
    // Empty for a moment: an older agent is writing `quit` to it.
    if (state.pid !== undefined && state.pid !== this.#pid) {
      throw new PidFileError(
        "PIDFILE_TAKEN",
        `The pid file ${this.#path} was taken over by pid ${state.pid}`,
      );
    }
    const seconds = this.#surroundings.now() / 1000;
    try {
      utimesSync(this.#path, seconds, seconds);
    } catch (error) {
      // RACE: removed since we read it; the next check makes it again.
      if (!isMissing(error)) throw error;
    }
    return state.action;
  }

  /** Remove the file if it is still ours. */
  release(): void {
    removePidFile(this.#path, this.#pid);
  }
}

/** False: somebody else made it first. */
function create(path: string, pid: number): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(path, "wx");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  try {
    return closing(descriptor, () => writeSync(descriptor, `${pid}\n`) > 0);
  } catch (error) {
    // An empty file would hold up the next start for as long as a file is fresh.
    unlinkSync(path);
    throw error;
  }
}

/** False: the file has changed since we saw it. @throws PidFileError PIDFILE_RUNNING */
function takeOver(path: string, pid: number, around: Surroundings): boolean {
  const descriptor = openIfThere(path, "r+");
  if (descriptor === undefined) return false;
  return closing(descriptor, () => {
    refuseActive(readState(descriptor, path), path, pid, around);
    lock(descriptor);
    // RACE: another start may have taken it over, or a quit have removed it, before we had the lock.
    if (!isStillAt(path, descriptor)) return false;
    refuseActive(readState(descriptor, path), path, pid, around);
    const text = `${pid}\n`;
    // Not cut before it is written: on a full disk it would stay empty. Spaces are what a reader in between sees of it.
    writeSync(descriptor, text.padEnd(Math.min(fstatSync(descriptor).size, LONGEST)), 0);
    ftruncateSync(descriptor, text.length);
    return true;
  });
}

function refuseActive(state: PidFileState, path: string, pid: number, around: Surroundings): void {
  // Our own number, before we have claimed it: that of a forerunner, as in a container that is started again.
  if (state.pid === pid || !isActive(state, around)) return;
  const owner =
    state.pid === undefined ? "another process that starts" : `pid ${state.pid}, which is running`;
  throw new PidFileError("PIDFILE_RUNNING", `The pid file ${path} is that of ${owner}`);
}

/**
 * Lock an open file until it is closed. Node cannot: the program `flock` does it to the descriptor that it
 * inherits, and a lock belongs to what was opened, not to the process. Without that program two that take
 * over at once may both succeed, until the next check of the one that wrote first.
 */
function lock(descriptor: number): void {
  spawnSync("flock", ["--exclusive", "--timeout", "10", "3"], {
    stdio: ["ignore", "ignore", "ignore", descriptor],
  });
}

function isStillAt(path: string, descriptor: number): boolean {
  try {
    const [open, named] = [fstatSync(descriptor), statSync(path)];
    return open.ino === named.ino && open.dev === named.dev;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function readState(descriptor: number, path: string): PidFileState {
  const { mtimeMs } = fstatSync(descriptor);
  const buffer = Buffer.alloc(LONGEST);
  const length = withPath(path, () => readSync(descriptor, buffer, 0, buffer.length, 0));
  const text = buffer.toString("latin1", 0, length);
  // To the kernel 0 is the whole group of whoever asks, and a signal to it would end that.
  const match = /^(?:([1-9]\d*)(?:\s+([a-z]+))?\s*)?$/.exec(text);
  if (!match) {
    const shown = JSON.stringify(text.slice(0, 20));
    throw new PidFileError("PIDFILE_BAD_CONTENT", `Expected ${path} to be a pid file, got ${shown}`);
  }
  const [, pid, action = ""] = match;
  return { pid: pid === undefined ? undefined : Number(pid), action, touchedMs: mtimeMs };
}

function openIfThere(path: string, flags: "r" | "r+"): number | undefined {
  try {
    return openSync(path, flags);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function closing<Result>(descriptor: number, work: () => Result): Result {
  try {
    return work();
  } finally {
    closeSync(descriptor);
  }
}

const isMissing = (error: unknown) => (error as NodeJS.ErrnoException).code === "ENOENT";
