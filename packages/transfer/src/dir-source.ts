import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  type Stats,
} from "node:fs";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { Message } from "@spoolwire/message";
import { ConfigError, type Logger, type Properties } from "@spoolwire/program";
import { DiskTrouble, doAll, isPassing, MOST_UNDONE } from "./disk-trouble.js";
import { Sleeper } from "./sleeper.js";
import type { Arrival, Source, Ticket } from "./source.js";

export interface DirSourceOptions {
  readonly path: string;
  /** Seconds that nothing may have happened to a file before it is taken (default 2). */
  readonly settle?: number | undefined;
  /** Move a file here when it is acknowledged; on the same file system (default: see `remove`). */
  readonly done?: string | undefined;
  /** Go on looking at the end of the directory instead of ending there (default false). */
  readonly loop?: boolean | undefined;
  /** Remove a file when it is acknowledged, unless there is `done` (default false: it stays). */
  readonly remove?: boolean | undefined;
}

/**
 * The options of a directory as they are written on a command line.
 * @param what names them in an error
 * @throws ConfigError
 */
export function parseDirOptions(
  properties: Properties,
  what: string,
): Pick<DirSourceOptions, "path" | "settle" | "done"> {
  const known = ["type", "path", "settle", "done"];
  const unknown = Object.keys(properties).find((name) => !known.includes(name));
  const { path, settle, done } = properties;
  if (path === undefined || unknown !== undefined) {
    const got = unknown === undefined ? "no path" : `\`${unknown}\``;
    throw new ConfigError(`Expected ${what} type=dir to have path, and settle and done or not, got ${got}`);
  }
  if (settle !== undefined && !/^\d+(\.\d+)?$/.test(settle)) {
    throw new ConfigError(`Expected \`settle\` in ${what} to be seconds, got "${settle}"`);
  }
  return { path, settle: settle === undefined ? undefined : Number(settle), done };
}

/** One file, as it was when it was read. */
interface FileTicket {
  readonly name: string;
  readonly version: string;
}

/** How often a directory is looked at, milliseconds; but looking takes no more than a hundredth of the time. */
const LOOK_MS = 1000;
const SHARE = 1 / 100;

/** After so many files that are not taken, others have their turn. */
const MOST_SKIPPED = 500;

/** Where a file goes that can never be sent, within the directory; nobody looks for files there. */
const REJECTED = ".rejected";

/** What stands in a name for bytes that are no UTF-8: by such a name no file is found. */
const NOT_UTF8 = "\ufffd";

/** What programs call a file that they are not done with. */
const UNFINISHED = /^\.|~$|\.(tmp|temp|part|partial|filepart|crdownload|swp)$/i;

/**
 * The files of a plain directory, one message each: its bytes, and the header `file-name`. A file is taken when it
 * has settled: its name is not that of an unfinished one, and nothing has happened to it (`ctime`, which no program
 * can set) for `settle` seconds. Writers that give a file its name when it is whole need no such time.
 *
 * What is acknowledged goes (`done`, `remove`), but not if the file has changed since it was read: then it is
 * taken again. What stays is taken once while it does not change. Files have no locks: one agent a directory.
 *
 * With `loop` a disk that fails is tried again until it can be worked on: what could not be put away stays, and is
 * not taken again.
 */
export class DirSource implements Source {
  readonly name: string;
  readonly #options: DirSourceOptions;
  readonly #clock: () => number;
  /** The versions that were taken, by name. */
  #taken = new Map<string, string>();
  #names: string[] = [];
  #lookAt = 0;
  /** What was acknowledged and could not be put away. */
  readonly #left = new Set<FileTicket>();
  readonly #trouble: DiskTrouble;
  readonly #sleeper = new Sleeper();

  /** @param clock the time, milliseconds: that of the file system */
  constructor(options: DirSourceOptions, log: Logger, clock = () => Date.now()) {
    this.name = `directory ${options.path}`;
    this.#trouble = new DiskTrouble(this.name, log, "worked on");
    this.#options = options;
    this.#clock = clock;
  }

  async start(): Promise<void> {
    const { path, done } = this.#options;
    // Rather now than after the first message was sent.
    if (done !== undefined) {
      mkdirSync(done, { recursive: true });
      if (statSync(done).dev !== statSync(path).dev) {
        throw new ConfigError(`Expected \`done\` to be on the file system of ${path}, got ${done}`);
      }
    }
    this.#look();
  }

  next(waitMs: number): Arrival | Promise<Arrival> {
    if (this.#left.size >= MOST_UNDONE) return this.#rest(waitMs);
    for (let skipped = 0; skipped < MOST_SKIPPED; skipped++) {
      const name = this.#names.pop();
      if (name === undefined) break;
      const arrival = this.#tryToTake(name);
      if (arrival) return arrival;
    }
    if (this.#names.length > 0) return turn().then(() => this.next(waitMs));
    return this.#options.loop ? this.#rest(waitMs) : { kind: "end" };
  }

  wake(): void {
    this.#sleeper.wake();
  }

  ack(ticket: Ticket): void {
    const { done, remove } = this.#options;
    if (done === undefined && !remove) return;
    try {
      this.#putAway(ticket as FileTicket, done);
    } catch (error) {
      this.#heldUp(error as Error);
      this.#left.add(ticket as FileTicket);
    }
  }

  release(ticket: Ticket): void {
    this.#taken.delete((ticket as FileTicket).name);
  }

  reject(ticket: Ticket, reason: string): string {
    const { done, remove, path } = this.#options;
    const what = `${join(path, (ticket as FileTicket).name)}: ${reason}`;
    if (done === undefined && !remove) return `${what}; it stays where it is`;
    const rejected = join(path, REJECTED);
    try {
      mkdirSync(rejected, { recursive: true });
      const now = this.#putAway(ticket as FileTicket, rejected);
      return `${what}; ${now === undefined ? "somebody has changed or removed it since" : `it is now ${now}`}`;
    } catch (error) {
      if (!this.#options.loop || !isPassing(error as Error)) throw error;
      return `${what}; it stays where it is, since ${(error as Error).message}`;
    }
  }

  async stop(): Promise<void> {
    // The last time: whoever waits for the end is told of what stays.
    doAll(Array.from(this.#left, (ticket) => () => void this.#putAway(ticket, this.#options.done)));
  }

  /** @throws the error, if it is in vain to try again */
  #heldUp(error: Error): void {
    if (!this.#options.loop || !isPassing(error)) throw error;
    this.#trouble.begins(error);
  }

  /** Put away what is left, and look again. */
  #work(): void {
    try {
      for (const ticket of this.#left) {
        this.#putAway(ticket, this.#options.done);
        this.#left.delete(ticket);
      }
      this.#look();
      this.#trouble.ends();
    } catch (error) {
      this.#heldUp(error as Error);
      this.#lookAt = performance.now() + LOOK_MS;
    }
  }

  /** In the order of their names, the last one first. */
  #look(): void {
    const started = performance.now();
    this.#names = readdirSync(this.#options.path)
      .filter((name) => !UNFINISHED.test(name))
      .sort()
      .reverse();
    const there = new Set(this.#names);
    for (const name of this.#taken.keys()) if (!there.has(name)) this.#taken.delete(name);
    const now = performance.now();
    this.#lookAt = now + Math.max(LOOK_MS, (now - started) / SHARE);
  }

  /** As `#take`; with `loop` what a disk fails to give is looked at again later, and the others have their turn. */
  #tryToTake(name: string): Arrival | undefined {
    try {
      return this.#take(name);
    } catch (error) {
      this.#heldUp(error as Error);
      this.#taken.delete(name);
      return undefined;
    }
  }

  /** Undefined: it has not settled, was taken, or is no regular file (links are not followed). */
  #take(name: string): Arrival | undefined {
    const { path, settle = 2 } = this.#options;
    const file = this.#stat(name);
    if (!file && name.includes(NOT_UTF8) && !this.#taken.has(name)) {
      this.#taken.set(name, "");
      const told = `${join(path, name)}: Expected its name to be UTF-8; it stays where it is`;
      return { kind: "rejected", told };
    }
    if (!file?.isFile() || this.#clock() - file.ctimeMs < settle * 1000) return undefined;
    const version = versionOf(file);
    if (this.#taken.get(name) === version) return undefined;
    this.#taken.set(name, version);
    try {
      const body = readFileSync(join(path, name));
      const ticket: FileTicket = { name, version };
      return { kind: "message", message: new Message({ header: { "file-name": name }, body }), ticket };
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return undefined;
      // A file may be forbidden; what else fails is the disk.
      if (this.#options.loop && code !== "EACCES" && code !== "EPERM" && isPassing(error as Error))
        throw error;
      return { kind: "rejected", told: `${message}; it stays where it is` };
    }
  }

  #stat(name: string): Stats | undefined {
    return lstatSync(join(this.#options.path, name), { throwIfNoEntry: false });
  }

  /**
   * Never over another file: one of the same name may have come before. Returns where it is now. Undefined: somebody
   * removed it, or wrote to it after we had read it.
   */
  #putAway({ name, version }: FileTicket, to: string | undefined): string | undefined {
    const from = join(this.#options.path, name);
    const file = this.#stat(name);
    if (!file || versionOf(file) !== version) return undefined;
    if (to === undefined) {
      unlinkSync(from);
      return "";
    }
    for (let number = 0; ; number++) {
      const target = join(to, number === 0 ? name : `${name}.${number}`);
      if (lstatSync(target, { throwIfNoEntry: false })) continue;
      renameSync(from, target);
      return target;
    }
  }

  async #rest(waitMs: number): Promise<Arrival> {
    const left = this.#lookAt - performance.now();
    await this.#sleeper.sleep(Math.max(0, Math.min(waitMs, left)));
    if (performance.now() >= this.#lookAt) this.#work();
    return { kind: "none" };
  }
}

const versionOf = ({ ino, size, mtimeMs, ctimeMs }: Stats) => `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
