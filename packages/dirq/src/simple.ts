import { DirqError } from "./errors.js";
import { Files, type FileCalls } from "./files.js";
import { checkName, isDirectory, isElement, NameMaker, systemClock, type Clock } from "./name.js";
import { checkOptions, defaults, type QueueOptions } from "./options.js";
import type { DirQueue, PurgeOptions, PurgeReport } from "./queue.js";

/** What a queue stands on; tests put their own in. */
export interface Surroundings {
  readonly calls?: FileCalls;
  readonly clock?: Clock;
}

/** How long a purge works before it lets the event loop run, milliseconds. */
const SLICE_MS = 10;

/** An add gives up after so many lost races, which no honest rival can cause. */
const MOST_RACES = 1000;

/**
 * A queue with one file an element: `TOP/DDDDDDDD/SSSSSSSSMMMMMR`, a lock is a hard link with `.lck`
 * behind the name, a file being written has `.tmp`. Perl, Python, C and Java programs may use the
 * directory at the same time.
 * Counterpart: Directory::Queue::Simple.
 *
 * @example
 * for (const name of queue) {
 *   if (!queue.lock(name)) continue; // somebody else works on it
 *   console.log(queue.get(name).toString());
 *   queue.remove(name);
 * }
 */
export class SimpleQueue implements DirQueue<string | Uint8Array> {
  readonly path: string;
  readonly #granularity: number;
  readonly #maxlock: number;
  readonly #maxtemp: number;
  readonly #umask: number | undefined;
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #names: NameMaker;
  #cursor: IterableIterator<string> | undefined;

  /** @throws TypeError, RangeError naming the option; ENOENT if `create` is false and nothing is there */
  constructor(options: QueueOptions, surroundings: Surroundings = {}) {
    checkOptions(options);
    this.path = options.path;
    this.#granularity = options.granularity ?? defaults.granularity;
    this.#maxlock = options.maxlock ?? defaults.maxlock;
    this.#maxtemp = options.maxtemp ?? defaults.maxtemp;
    this.#umask = options.umask;
    this.#files = new Files(surroundings.calls);
    this.#clock = surroundings.clock ?? systemClock();
    this.#names = new NameMaker(options.rndhex ?? Math.floor(Math.random() * 16), this.#clock);
    if (options.create ?? defaults.create) this.#masked(() => this.#files.makePath(this.path));
    else this.#files.demandDir(this.path);
  }

  add(data: string | Uint8Array): string {
    return this.#masked(() => {
      const directory = this.#names.directory(this.#granularity);
      const temporary = this.#writeTemporary(directory, data);
      try {
        return this.#publish(temporary, directory);
      } catch (error) {
        this.#files.discard(temporary);
        throw error;
      }
    });
  }

  /**
   * Move a file into the queue; it keeps its mode, and must be on the queue's file system.
   * Counterpart: add_path().
   */
  addPath(path: string): string {
    return this.#masked(() => {
      const directory = this.#names.directory(this.#granularity);
      this.#files.makeDir(`${this.path}/${directory}`);
      return this.#publish(path, directory);
    });
  }

  lock(name: string, permissive = true): boolean {
    const file = this.#file(name);
    const lock = `${file}.lck`;
    let failed = this.#files.link(file, lock);
    if (failed === "") {
      try {
        if (this.#files.touch(file, this.#seconds())) return true;
      } catch (error) {
        this.#files.discard(lock);
        throw error;
      }
      // RACE: another process locked and removed the element while our link was under way.
      this.#files.unlink(lock);
      failed = "ENOENT";
    }
    if (permissive) return false;
    const why = failed === "EEXIST" ? "somebody else holds it" : "it is not there";
    throw new DirqError("DIRQ_NOT_LOCKED", `Cannot lock ${file}: ${why}`);
  }

  unlock(name: string, permissive = false): boolean {
    const file = this.#file(name);
    if (this.#files.unlink(`${file}.lck`)) return true;
    if (permissive) return false;
    throw notLocked(file);
  }

  touch(name: string): boolean {
    return this.#files.touch(this.#file(name), this.#seconds());
  }

  get(name: string): Buffer {
    const path = this.getPath(name);
    const content = this.#files.read(path);
    if (content === "ENOENT") throw notLocked(this.#file(name));
    if (typeof content === "string") {
      throw new DirqError("DIRQ_BAD_DATA", `Expected ${path} to be a regular file, got ${content}`);
    }
    return content;
  }

  /**
   * The path under which a locked element can be read. It is the element itself: do not write to it.
   * Counterpart: get_path().
   */
  getPath(name: string): string {
    return `${this.#file(name)}.lck`;
  }

  remove(name: string): boolean {
    const file = this.#file(name);
    const lock = `${file}.lck`;
    // Without this look, a caller that never had the lock would delete what it must not.
    if (this.#files.modified(lock) === undefined) throw notLocked(file);
    // The element goes first: a crash in between leaves a lock without an element, which purge removes.
    const removed = this.#files.unlink(file);
    this.#files.unlink(lock);
    return removed;
  }

  count(): number {
    let count = 0;
    for (const directory of this.#directories()) count += this.#elements(directory).length;
    return count;
  }

  first(): string | undefined {
    this.#cursor = this[Symbol.iterator]();
    return this.next();
  }

  next(): string | undefined {
    const step = this.#cursor?.next();
    return step === undefined || step.done ? undefined : step.value;
  }

  *[Symbol.iterator](): IterableIterator<string> {
    for (const directory of this.#directories()) {
      for (const element of this.#elements(directory).sort()) yield `${directory}/${element}`;
    }
  }

  async purge(options: PurgeOptions = {}): Promise<PurgeReport> {
    const { maxtemp = this.#maxtemp, maxlock = this.#maxlock, signal } = options;
    const report: PurgeReport = { temporary: 0, locks: 0, directories: 0 };
    const directories = this.#directories();
    const last = directories.at(-1);
    let slice = Date.now() + SLICE_MS;
    for (const directory of directories) {
      const path = `${this.path}/${directory}`;
      for (const name of this.#files.list(path, "file")) {
        const kind = name.endsWith(".tmp") ? "temporary" : name.endsWith(".lck") ? "locks" : undefined;
        // Other names are not ours to judge: they stay, and keep their directory.
        if (kind === undefined || !isElement(name.slice(0, -4))) continue;
        if (this.#isStale(`${path}/${name}`, kind === "locks" ? maxlock : maxtemp)) {
          if (this.#files.unlink(`${path}/${name}`)) report[kind]++;
        }
        if (Date.now() >= slice) {
          await new Promise(setImmediate);
          signal?.throwIfAborted();
          slice = Date.now() + SLICE_MS;
        }
      }
      // An element added meanwhile keeps the directory: rmdir refuses, and that is right.
      if (directory !== last && this.#files.removeDir(path)) report.directories++;
    }
    return report;
  }

  #file(name: string): string {
    checkName(name);
    return `${this.path}/${name}`;
  }

  #seconds(): number {
    return this.#clock() / 1_000_000;
  }

  #masked<Result>(work: () => Result): Result {
    if (this.#umask === undefined) return work();
    const before = process.umask(this.#umask);
    try {
      return work();
    } finally {
      process.umask(before);
    }
  }

  #isStale(path: string, max: number): boolean {
    if (max === 0) return false;
    const modified = this.#files.modified(path);
    return modified !== undefined && modified < this.#seconds() - max;
  }

  #directories(): string[] {
    return this.#files.list(this.path, "directory").filter(isDirectory).sort();
  }

  /** Unsorted; empty if the directory vanished, as a purge may do. */
  #elements(directory: string): string[] {
    return this.#files.list(`${this.path}/${directory}`, "file").filter(isElement);
  }

  #writeTemporary(directory: string, data: string | Uint8Array): string {
    for (let races = 0; races < MOST_RACES; races++) {
      const temporary = `${this.path}/${directory}/${this.#names.element()}.tmp`;
      const created = this.#files.create(temporary, data);
      if (created === "") return temporary;
      // No such directory yet. RACE: or a purge has just removed it for being empty.
      if (created === "ENOENT") this.#files.makeDir(`${this.path}/${directory}`);
    }
    throw tooManyRaces(`${this.path}/${directory}`);
  }

  #publish(temporary: string, directory: string): string {
    for (let races = 0; races < MOST_RACES; races++) {
      const name = `${directory}/${this.#names.element()}`;
      const failed = this.#files.link(temporary, `${this.path}/${name}`);
      if (failed === "") {
        this.#files.unlink(temporary);
        return name;
      }
      // RACE: a purge removed the directory before our file was in it. Else the file itself is missing.
      if (failed === "ENOENT" && !this.#files.makeDir(`${this.path}/${directory}`)) {
        this.#files.demandFile(temporary);
      }
    }
    throw tooManyRaces(`${this.path}/${directory}`);
  }
}

function notLocked(file: string): DirqError {
  return new DirqError("DIRQ_NOT_LOCKED", `Expected ${file} to be locked`);
}

function tooManyRaces(directory: string): DirqError {
  return new DirqError(
    "DIRQ_BAD_DATA",
    `Cannot add to ${directory}: ${MOST_RACES} names in a row were taken`,
  );
}
