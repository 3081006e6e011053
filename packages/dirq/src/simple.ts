import { DiskQueue, type Cleaning, type Limits, type Surroundings } from "./disk.js";
import { MOST_RACES, notDirectory, notLocked, notRegular, tooManyRaces } from "./errors.js";
import { hex, HexList, isElement } from "./name.js";
import { checkOptions, defaults, type QueueOptions } from "./options.js";

/** Whoever looks for free elements may pause after so many names, which takes 10 ms. */
const PAUSE = 10_000;

/** A file that is written and still open. */
interface Temporary {
  readonly path: string;
  readonly fd: number;
}

/**
 * A queue with one file an element: `TOP/DDDDDDDD/SSSSSSSSMMMMMR`, a lock is a hard link with `.lck`
 * behind the name, a file being written has `.tmp`. Perl, Python, C and Java programs may use the
 * directory at the same time. What adds throws a TypeError if it is no data.
 * Counterpart: Directory::Queue::Simple.
 *
 * @example
 * for (const name of queue) {
 *   if (!queue.lock(name)) continue; // somebody else works on it
 *   console.log(queue.get(name).toString());
 *   queue.remove(name);
 * }
 */
export class SimpleQueue extends DiskQueue<string | Uint8Array> {
  protected readonly kind = "file";
  protected readonly showsUnlock = true;
  readonly #granularity: number;
  /** What we have locked: `remove` need not look whether it is. */
  readonly #held = new Set<string>();
  /** The intermediate directory that is known to be no link. */
  #checkedDirectory: string | undefined;
  protected readonly filesEach = 1;

  /** @throws TypeError, RangeError naming the option; ENOENT if `create` is false and nothing is there */
  constructor(options: QueueOptions, surroundings: Surroundings = {}) {
    super(checkOptions(options, "simple"), surroundings);
    this.#granularity = options.granularity ?? defaults.granularity;
  }

  /**
   * Move a file into the queue; it keeps its mode, and must be a regular file on the queue's file system.
   * After an error it is where it was, and not in the queue.
   * Counterpart: add_path().
   * @throws DirqError DIRQ_BAD_DATA
   */
  addPath(path: string): string {
    return this.masked(() => {
      if (!this.files.isFile(path)) throw notRegular(path);
      if (this.durability !== "none") this.files.syncPath(path);
      const directory = this.#insertionDirectory();
      this.#makeDirectory(directory);
      const name = this.#publish(path, directory);
      try {
        if (this.durability === "full") this.durableNames.sync(name);
        this.files.unlink(path);
      } catch (error) {
        // It must not be in both places. Only if it is: a file system may fail after the deed.
        if (this.files.modified(path) !== undefined) this.takeBack([name]);
        throw error;
      }
      return name;
    });
  }

  touch(name: string): boolean {
    return this.files.touch(this.file(name), this.seconds());
  }

  get(name: string): Buffer {
    const path = this.getPath(name);
    const content = this.files.read(path);
    if (content === "ENOENT") throw notLocked(this.file(name));
    if (content === "foreign") throw notRegular(path);
    return content;
  }

  /**
   * The path under which a locked element can be read. It is the element itself: do not write to it.
   * Counterpart: get_path().
   */
  getPath(name: string): string {
    return `${this.file(name)}.lck`;
  }

  remove(name: string): boolean {
    const file = this.file(name);
    const lock = `${file}.lck`;
    // Without this look, a caller that never had the lock would delete what it must not.
    if (!this.isLocked(file)) throw notLocked(file);
    // The element goes first: a crash in between leaves a lock without an element, which purge removes.
    const removed = this.files.unlink(file);
    this.#held.delete(file);
    this.files.unlink(lock);
    return removed;
  }

  protected addOne(data: string | Uint8Array): string {
    return this.#addFile(data, false);
  }

  protected addLocked(data: string | Uint8Array): string {
    return this.#addFile(data, true);
  }

  #addFile(data: string | Uint8Array, isLocked: boolean): string {
    return this.masked(() => {
      const directory = this.#insertionDirectory();
      const { path, fd } = this.#writeTemporary(directory, data);
      try {
        try {
          if (this.durability !== "none") this.files.syncFile(fd);
        } finally {
          this.files.close(fd);
        }
        return this.#publish(path, directory, isLocked);
      } finally {
        this.files.discard(path);
      }
    });
  }

  protected async addGroup(
    group: readonly (string | Uint8Array)[],
    turn: Promise<unknown>,
  ): Promise<string[]> {
    const directory = this.#insertionDirectory();
    const temporaries: Temporary[] = [];
    const names: string[] = [];
    try {
      try {
        this.masked(() => {
          for (const data of group) temporaries.push(this.#writeTemporary(directory, data, true));
        });
        await this.files.syncFiles(temporaries.map(({ fd }) => fd));
      } finally {
        for (const { fd } of temporaries) this.files.closeQuietly(fd);
      }
      await turn;
      this.masked(() => {
        for (const { path } of temporaries) {
          names.push(this.#publish(path, directory));
          // Each at once: to some file systems a second name is as much as a file, and there may be room for one.
          this.files.discard(path);
        }
      });
    } catch (error) {
      for (const { path } of temporaries.slice(names.length)) this.files.discard(path);
      this.takeBack(names);
      throw error;
    }
    return names;
  }

  protected tryLock(file: string): string | undefined {
    const lock = `${file}.lck`;
    const failed = this.files.link(file, lock);
    if (failed !== "") return failed === "EEXIST" ? "somebody else holds it" : "it is not there";
    try {
      // RACE: until it is touched the lock looks as old as the element, and a purge may have removed it. Hence the
      // lock is touched, which is the element by another name: no other has removed that while we have the lock.
      if (!this.files.touch(lock, this.seconds())) return "a purge took the lock for stale";
      this.#held.add(file);
      return undefined;
    } catch (error) {
      this.files.discard(lock);
      throw error;
    }
  }

  protected isLocked(file: string): boolean {
    return this.#held.has(file) || this.files.modified(`${file}.lck`) !== undefined;
  }

  protected restore(path: string): string | undefined {
    return this.files.modified(path) === undefined ? undefined : this.addPath(path);
  }

  protected tryUnlock(file: string): boolean {
    this.#held.delete(file);
    return this.files.unlink(`${file}.lck`);
  }

  protected *elements(directory: string): Iterable<string> {
    for (const name of this.files.files(`${this.path}/${directory}`)) if (isElement(name)) yield name;
  }

  protected override *free(directory: string): Iterable<string | undefined> {
    // One digit more, so that a lock stands right behind its element.
    const list = new HexList();
    for (const name of this.files.files(`${this.path}/${directory}`)) {
      const element = name.slice(0, 14);
      if (name === element && isElement(element)) list.add(`${element}0`);
      if (name === `${element}.lck` && isElement(element)) list.add(`${element}1`);
      if (list.length % PAUSE === PAUSE - 1) yield undefined;
    }
    const numbers = list.sorted();
    for (let index = 0; index < numbers.length; index++) {
      const number = numbers[index] ?? 0n;
      const isFree = number % 16n === 0n && numbers[index + 1] !== number + 1n;
      if (isFree) yield hex(number / 16n, 14);
    }
  }

  protected *cleaning(directory: string, { maxtemp, maxlock }: Limits): Cleaning<boolean> {
    const path = `${this.path}/${directory}`;
    let isEmpty = true;
    for (const name of this.files.files(path)) {
      const kind = name.endsWith(".tmp") ? "temporary" : name.endsWith(".lck") ? "locks" : undefined;
      // Other names are not ours to judge: they stay, and keep their directory.
      const isOurs = kind !== undefined && isElement(name.slice(0, -4));
      const isLeft = isOurs && this.isStale(`${path}/${name}`, kind === "locks" ? maxlock : maxtemp);
      const isRemoved = isLeft && this.files.unlink(`${path}/${name}`);
      if (!isRemoved) isEmpty = false;
      yield isRemoved ? kind : undefined;
    }
    return isEmpty;
  }

  protected *cleaningBeside(): Cleaning {}

  /** The intermediate directory for new elements. What is behind a link, nobody would find: no walk follows it. */
  #insertionDirectory(): string {
    const directory = this.names.directory(this.#granularity);
    if (directory !== this.#checkedDirectory) {
      const path = `${this.path}/${directory}`;
      if (this.files.look(path)?.kind === "link") throw notDirectory(path);
      this.#checkedDirectory = directory;
    }
    return directory;
  }

  /** Make an intermediate directory, whose name is not on the disk then. False: somebody else made it. */
  #makeDirectory(directory: string): boolean {
    const isMade = this.files.makeDir(`${this.path}/${directory}`);
    if (isMade) this.durableNames.made();
    return isMade;
  }

  #writeTemporary(directory: string, data: string | Uint8Array, isHurried = false): Temporary {
    // There is no UTF-8 for them: what would be written is something else.
    if (typeof data === "string" && !data.isWellFormed()) {
      throw new TypeError("Expected an element to be bytes, or a string without lone surrogates");
    }
    for (let races = 0; races < MOST_RACES; races++) {
      const path = `${this.path}/${directory}/${this.names.element()}.tmp`;
      const created = this.files.create(path, data, isHurried);
      if (typeof created === "number") return { path, fd: created };
      // No such directory yet. RACE: or a purge has just removed it for being empty.
      if (created === "ENOENT") this.#makeDirectory(directory);
    }
    throw tooManyRaces(`${this.path}/${directory}`);
  }

  /** Give a file the name of an element, which is returned; the file keeps its own name as well. */
  #publish(temporary: string, directory: string, isLocked = false): string {
    for (let races = 0; races < MOST_RACES; races++) {
      const name = `${directory}/${this.names.element()}`;
      const file = `${this.path}/${name}`;
      let failed = isLocked ? this.#link(temporary, `${file}.lck`) : "";
      if (failed === "") {
        failed = this.#link(temporary, file);
        if (failed === "") return name;
        if (isLocked) this.files.discard(`${file}.lck`);
      }
      // RACE: a purge removed the directory before our file was in it. Else the file itself is missing.
      if (failed === "ENOENT" && !this.#makeDirectory(directory)) {
        this.files.demandFile(temporary);
      }
    }
    throw tooManyRaces(`${this.path}/${directory}`);
  }

  /** On NFS the answer to a link that was made can get lost: then only the second try is answered. */
  #link(from: string, to: string): "" | "EEXIST" | "ENOENT" {
    const failed = this.files.link(from, to);
    return failed === "EEXIST" && this.files.isSame(from, to) ? "" : failed;
  }
}
