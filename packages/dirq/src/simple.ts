import { dirname, resolve } from "node:path";
import { DirqError } from "./errors.js";
import { Files, type FileCalls } from "./files.js";
import { checkName, isDirectory, isElement, NameMaker, systemClock, type Clock } from "./name.js";
import { checkOptions, checkPurgeOptions, defaults, type Durability, type QueueOptions } from "./options.js";
import type { DirQueue, PurgeOptions, PurgeReport } from "./queue.js";

/** What a queue stands on; tests put their own in. */
export interface Surroundings {
  readonly calls?: FileCalls;
  readonly clock?: Clock;
}

/** So many elements are committed together; more are no faster, and each has a file open. */
const BATCH = 128;

/** A file that is written and still open. */
interface Temporary {
  readonly path: string;
  readonly fd: number;
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
  readonly #durability: Durability;
  readonly #files: Files;
  readonly #clock: Clock;
  readonly #names: NameMaker;
  /** What we have locked: `remove` need not look whether it is. */
  readonly #held = new Set<string>();
  /** The intermediate directory whose own name is known to be on the disk. */
  #durableDirectory: string | undefined;
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
    this.#durability = options.durability ?? defaults.durability;
    if (options.create ?? defaults.create) this.#make();
    else this.#files.demandDir(this.path);
  }

  add(data: string | Uint8Array): string {
    return this.#masked(() => {
      const directory = this.#names.directory(this.#granularity);
      const { path, fd } = this.#writeTemporary(directory, data);
      let name: string;
      try {
        try {
          if (this.#durability !== "none") this.#files.syncFile(fd);
        } finally {
          this.#files.close(fd);
        }
        name = this.#publish(path, directory);
      } finally {
        this.#files.discard(path);
      }
      if (this.#durability === "full") this.#syncDirectory(directory);
      return name;
    });
  }

  async addMany(elements: Iterable<string | Uint8Array>): Promise<string[]> {
    const names: string[] = [];
    let batch: (string | Uint8Array)[] = [];
    for (const element of elements) {
      batch.push(element);
      if (batch.length < BATCH) continue;
      names.push(...(await this.#addBatch(batch)));
      batch = [];
    }
    return batch.length > 0 ? [...names, ...(await this.#addBatch(batch))] : names;
  }

  /**
   * Move a file into the queue; it keeps its mode, and must be a regular file on the queue's file system.
   * After an error it is where it was, and not in the queue.
   * Counterpart: add_path().
   * @throws DirqError DIRQ_BAD_DATA
   */
  addPath(path: string): string {
    return this.#masked(() => {
      if (!this.#files.isFile(path)) throw notRegular(path);
      const directory = this.#names.directory(this.#granularity);
      this.#files.makeDir(`${this.path}/${directory}`);
      const name = this.#publish(path, directory);
      try {
        this.#files.unlink(path);
      } catch (error) {
        // It must not be in both places. Only if it is: a file system may fail after the deed.
        if (this.#files.modified(path) !== undefined) this.#files.discard(`${this.path}/${name}`);
        throw error;
      }
      return name;
    });
  }

  lock(name: string, permissive = true): boolean {
    const file = this.#file(name);
    const obstacle = this.#tryLock(file);
    if (obstacle === undefined) {
      this.#held.add(name);
      return true;
    }
    if (permissive) return false;
    throw new DirqError("DIRQ_NOT_LOCKED", `Cannot lock ${file}: ${obstacle}`);
  }

  unlock(name: string, permissive = false): boolean {
    const file = this.#file(name);
    this.#held.delete(name);
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
    if (content === "foreign") throw notRegular(path);
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
    if (!this.#held.has(name) && this.#files.modified(lock) === undefined) throw notLocked(file);
    // The element goes first: a crash in between leaves a lock without an element, which purge removes.
    const removed = this.#files.unlink(file);
    this.#held.delete(name);
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
    const { maxtemp = this.#maxtemp, maxlock = this.#maxlock, signal } = checkPurgeOptions(options);
    signal?.throwIfAborted();
    const report: PurgeReport = { temporary: 0, locks: 0, directories: 0 };
    let slice = Date.now() + SLICE_MS;
    const pause = async () => {
      await new Promise(setImmediate);
      signal?.throwIfAborted();
      slice = Date.now() + SLICE_MS;
    };
    const directories = this.#directories();
    const last = directories.at(-1);
    for (const directory of directories) {
      const path = `${this.path}/${directory}`;
      for (const name of this.#files.files(path)) {
        if (Date.now() >= slice) await pause();
        const kind = name.endsWith(".tmp") ? "temporary" : name.endsWith(".lck") ? "locks" : undefined;
        // Other names are not ours to judge: they stay, and keep their directory.
        if (kind === undefined || !isElement(name.slice(0, -4))) continue;
        if (this.#isStale(`${path}/${name}`, kind === "locks" ? maxlock : maxtemp)) {
          if (this.#files.unlink(`${path}/${name}`)) report[kind]++;
        }
      }
      // An element added meanwhile keeps the directory: rmdir refuses, and that is right.
      if (directory !== last && this.#files.removeDir(path)) report.directories++;
      if (Date.now() >= slice) await pause();
    }
    return report;
  }

  #file(name: string): string {
    checkName(name);
    return `${this.path}/${name}`;
  }

  /** Lock an element. Returns why not, if not. */
  #tryLock(file: string): string | undefined {
    const lock = `${file}.lck`;
    const failed = this.#files.link(file, lock);
    if (failed !== "") return failed === "EEXIST" ? "somebody else holds it" : "it is not there";
    try {
      if (!this.#files.touch(file, this.#seconds())) {
        // RACE: another process locked and removed the element while our link was under way.
        this.#files.unlink(lock);
        return "it is not there";
      }
      // RACE: until it was touched the lock looked as old as the element, and a purge may have removed it.
      return this.#files.modified(lock) === undefined ? "a purge took the lock for stale" : undefined;
    } catch (error) {
      this.#files.discard(lock);
      throw error;
    }
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
    return this.#files.directories(this.path).filter(isDirectory).sort();
  }

  /** Unsorted; empty if the directory vanished, as a purge may do. */
  #elements(directory: string): string[] {
    return this.#files.files(`${this.path}/${directory}`).filter(isElement);
  }

  #make(): void {
    const first = this.#masked(() => this.#files.makePath(this.path));
    if (first === undefined || this.#durability !== "full") return;
    // From the queue upwards, each directory that was made is a name in the one above it.
    for (let made = resolve(this.path); ; made = dirname(made)) {
      this.#files.syncDir(dirname(made));
      if (made === resolve(first)) break;
    }
  }

  /** Bring an intermediate directory to the disk, its own name included, whoever made it. */
  #syncDirectory(directory: string): void {
    this.#files.syncDir(`${this.path}/${directory}`);
    if (this.#durableDirectory !== directory) this.#files.syncDir(this.path);
    this.#durableDirectory = directory;
  }

  /** One group commit: the files are written and synced together, then published, then their directory. */
  async #addBatch(batch: readonly (string | Uint8Array)[]): Promise<string[]> {
    const directory = this.#names.directory(this.#granularity);
    const temporaries: Temporary[] = [];
    let names: string[];
    try {
      const open: number[] = [];
      try {
        this.#masked(() => {
          for (const data of batch) {
            const temporary = this.#writeTemporary(directory, data);
            temporaries.push(temporary);
            if (this.#durability === "none") this.#files.close(temporary.fd);
            else open.push(temporary.fd);
          }
        });
        if (open.length > 0) await this.#files.syncFiles(open);
      } finally {
        for (const fd of open) this.#files.closeQuietly(fd);
      }
      names = temporaries.map(({ path }) => this.#publish(path, directory));
    } finally {
      for (const { path } of temporaries) this.#files.discard(path);
    }
    if (this.#durability === "full") {
      await this.#files.syncDirLater(`${this.path}/${directory}`);
      if (this.#durableDirectory !== directory) await this.#files.syncDirLater(this.path);
      this.#durableDirectory = directory;
    }
    return names;
  }

  #writeTemporary(directory: string, data: string | Uint8Array): Temporary {
    for (let races = 0; races < MOST_RACES; races++) {
      const path = `${this.path}/${directory}/${this.#names.element()}.tmp`;
      const created = this.#files.create(path, data);
      if (typeof created === "number") return { path, fd: created };
      // No such directory yet. RACE: or a purge has just removed it for being empty.
      if (created === "ENOENT") {
        this.#durableDirectory = undefined;
        this.#files.makeDir(`${this.path}/${directory}`);
      }
    }
    throw tooManyRaces(`${this.path}/${directory}`);
  }

  /** Give a file the name of an element, which is returned; the file keeps its own name as well. */
  #publish(temporary: string, directory: string): string {
    for (let races = 0; races < MOST_RACES; races++) {
      const name = `${directory}/${this.#names.element()}`;
      const failed = this.#files.link(temporary, `${this.path}/${name}`);
      if (failed === "") return name;
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

function notRegular(path: string): DirqError {
  return new DirqError("DIRQ_BAD_DATA", `Expected ${path} to be a regular file`);
}

function tooManyRaces(directory: string): DirqError {
  return new DirqError(
    "DIRQ_BAD_DATA",
    `Cannot add to ${directory}: ${MOST_RACES} names in a row were taken`,
  );
}
