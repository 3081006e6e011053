import { Bell } from "./bell.js";
import { quietly, type FileCalls } from "./calls.js";
import { consume, type ConsumeOptions, type Consumer, type Reading } from "./consume.js";
import { Cursor } from "./cursor.js";
import { DurableNames } from "./durable.js";
import { DirqError, hasCode, notLocked } from "./errors.js";
import { Files, type FileKind } from "./files.js";
import {
  checkName,
  checkQuarantined,
  inOrder,
  isDirectory,
  NameMaker,
  systemClock,
  type Clock,
} from "./name.js";
import { checkPurgeOptions, defaults, type DiskQueueOptions, type Durability } from "./options.js";
import { Quarantine, type Quarantined } from "./quarantine.js";
import type { DirQueue, OnAdded, PurgeOptions, PurgeReport } from "./queue.js";
import { QueueSearch } from "./search.js";

/** What a queue stands on; tests put their own in. */
export interface Surroundings {
  readonly calls?: FileCalls;
  readonly clock?: Clock;
}

/** The limits that a purge goes by, seconds; 0: none. */
export interface Limits {
  readonly maxtemp: number;
  readonly maxlock: number;
}

/** So many files are synced together; more are no faster, and those of two such groups are open. */
const MOST_OPEN = 128;

/** The work of a purge in small steps; each yields what it removed, if it did. */
export type Cleaning<Result = void> = Generator<keyof PurgeReport | undefined, Result>;

/** How long a purge, or adds without a sync, work before they let the event loop run, milliseconds. */
const SLICE_MS = 10;

/**
 * What all queues on disk share: intermediate directories with elements in them, walked in order. A type
 * says what an element and a lock is. A class that extends one has the same constructor, for `copy`.
 */
export abstract class DiskQueue<ToAdd, Element extends ToAdd = ToAdd> implements DirQueue<Element> {
  readonly path: string;
  readonly id: string;
  protected readonly files: Files;
  protected readonly names: NameMaker;
  protected readonly durability: Durability;
  protected readonly durableNames: DurableNames;
  readonly #clock: Clock;
  readonly #options: DiskQueueOptions;
  readonly #surroundings: Surroundings;
  readonly #cursor = new Cursor(this);
  readonly #quarantine: Quarantine;
  #last: { readonly name: string; readonly file: string } | undefined;

  /** The options are checked. Throws ENOENT if `create` is false and nothing is there. */
  constructor(options: DiskQueueOptions, surroundings: Surroundings) {
    this.path = options.path;
    this.#options = options;
    this.#surroundings = surroundings;
    this.files = new Files(surroundings.calls);
    this.#clock = surroundings.clock ?? systemClock();
    this.names = new NameMaker(options.rndhex ?? Math.floor(Math.random() * 16), this.#clock);
    this.durability = options.durability ?? defaults.durability;
    this.durableNames = new DurableNames(this.path, this.files);
    if (options.create ?? defaults.create) {
      const made = this.masked(() => this.files.makePath(this.path));
      if (this.durability === "full") this.durableNames.syncMade(made);
    }
    this.id = this.files.identity(this.path);
    const { path, files, names } = this;
    this.#quarantine = new Quarantine({ path, files, names, seconds: () => this.seconds() });
  }

  abstract touch(name: string): boolean;
  abstract get(name: string): Element;
  abstract remove(name: string): boolean;

  /** What an element is on the disk. */
  protected abstract readonly kind: FileKind;
  /** How many files an element has. */
  protected abstract readonly filesEach: number;
  /** Add an element, synced as the durability says but for its name. */
  protected abstract addOne(element: ToAdd): string;
  /** As `addOne`; the element is locked before anybody can see it. */
  protected abstract addLocked(element: ToAdd): string;
  /**
   * As `addOne`, and the files of all of them are synced together. They are written at once, and get their names
   * when it is their turn. After an error, also of those before them, none counts as added, nor is in the queue.
   */
  protected abstract addGroup(elements: readonly ToAdd[], turn: Promise<unknown>): Promise<string[]>;
  /** Lock an element. Returns why not, if not. */
  protected abstract tryLock(file: string): string | undefined;
  /** Whether somebody has locked the element. */
  protected abstract isLocked(file: string): boolean;
  /** Put back, under a new name, what lay in the quarantine. Undefined: it is not there. */
  protected abstract restore(path: string): string | undefined;
  /** Take the lock away. False: there was none. */
  protected abstract tryUnlock(file: string): boolean;
  /** The elements in an intermediate directory, unsorted; none if it vanished, as a purge may do. */
  protected abstract elements(directory: string): Iterable<string>;
  /** Of these, in order, those that are not seen to be locked at a glance; undefined: a moment to pause. */
  protected free(directory: string): Iterable<string | undefined> {
    return inOrder(this.elements(directory), 14);
  }
  /** Whether an intermediate directory itself changes when an element in it is unlocked. */
  protected abstract readonly showsUnlock: boolean;
  /** Purge an intermediate directory. Returns whether nothing is seen to be left in it. */
  protected abstract cleaning(directory: string, limits: Limits): Cleaning<boolean>;
  /** Purge what is beside the intermediate directories. */
  protected abstract cleaningBeside(limits: Limits): Cleaning;

  add(element: ToAdd): string {
    const name = this.addOne(element);
    try {
      if (this.durability === "full") this.durableNames.sync(name);
    } catch (error) {
      this.takeBack([name]);
      throw error;
    }
    return name;
  }

  async addMany(elements: Iterable<ToAdd>, onAdded?: OnAdded): Promise<string[]> {
    const names: string[] = [];
    const tell = (added: readonly string[]) => {
      names.push(...added);
      onAdded?.(added);
    };
    if (this.durability === "none") {
      await inSlices(elements, (element) => tell([this.add(element)]));
      return names;
    }
    let published = Promise.resolve<string[]>([]);
    let safe: Promise<unknown> = published;
    let safeBefore = safe;
    try {
      for (const group of groups(elements, Math.max(1, Math.floor(MOST_OPEN / this.filesEach)))) {
        const before = [published, safeBefore];
        // Written now, while the files of the group before, and the names of the one before that, go to the disk.
        published = this.addGroup(group, published);
        safeBefore = safe;
        safe = this.#secure(published, safe).then(tell);
        // It may fail before anybody waits for it.
        safe.catch(() => undefined);
        if (!(await areFulfilled(before))) break;
      }
    } finally {
      // Also if the elements have failed: nothing is under way then.
      await Promise.allSettled([safe]);
    }
    await safe;
    return names;
  }

  /** Bring the names of what is added to the disk, if that is promised; in order, and none after an error. */
  async #secure(adding: Promise<string[]>, before: Promise<unknown>): Promise<string[]> {
    // When this fails, neither of them may be under way any more.
    await Promise.allSettled([adding, before]);
    try {
      await before;
      const added = await adding;
      if (this.durability === "full") await this.durableNames.syncMany(added);
      return added;
    } catch (error) {
      // An adding that has failed has nothing left in the queue.
      this.takeBack(await adding.catch(() => []));
      throw error;
    }
  }

  /**
   * Remove what does not count as added, as whoever has added it may do it again: all but what somebody has in hand
   * by now. There is another error to tell.
   */
  protected takeBack(names: readonly string[]): void {
    for (const name of names) {
      // The disk that failed the caller may fail this too.
      quietly(() => {
        if (!this.lock(name)) return;
        try {
          this.remove(name);
        } catch {
          this.unlock(name, true);
        }
      });
    }
  }

  copy(): this {
    const type = this.constructor as new (options: DiskQueueOptions, surroundings: Surroundings) => this;
    return new type({ ...this.#options, create: false }, this.#surroundings);
  }

  lock(name: string, permissive = true): boolean {
    const file = this.file(name);
    const obstacle = this.tryLock(file);
    if (obstacle === undefined) return true;
    if (permissive) return false;
    throw new DirqError("DIRQ_NOT_LOCKED", `Cannot lock ${file}: ${obstacle}`);
  }

  unlock(name: string, permissive = false): boolean {
    const file = this.file(name);
    if (this.tryUnlock(file)) return true;
    if (permissive) return false;
    throw notLocked(file);
  }

  consume(options: ConsumeOptions = {}): Consumer<Element> {
    const isMalformed = (error: unknown) => hasCode(error, "DIRQ_BAD_DATA");
    return this.consumeAs({ read: (name) => this.get(name), isMalformed }, options);
  }

  /** As `consume`, with contents that are read in another way. */
  protected consumeAs<Content>(reading: Reading<Content>, options: ConsumeOptions): Consumer<Content> {
    const ground = {
      bell: new Bell(this.files, this.path),
      showsUnlock: this.showsUnlock,
      directories: () => [...this.directories()],
      stamp: (directory: string) => this.files.stamp(`${this.path}/${directory}`),
      free: (directory: string) => this.free(directory),
      isElement: (name: string) => this.files.look(this.file(name))?.kind === this.kind,
      lock: (name: string) => this.lock(name),
      now: () => this.#clock(),
    };
    const search = (forbidden: (name: string, error: Error) => void) => new QueueSearch(ground, forbidden);
    // Others purge by a limit of their own, which is the default where nobody has thought of another.
    const maxlock = Math.min(this.#limits({}).maxlock || Infinity, defaults.maxlock);
    return consume({ ...reading, queue: this, maxlock, search }, options);
  }

  quarantine(name: string, reason: string): string | undefined {
    const file = this.file(name);
    if (!this.isLocked(file)) throw notLocked(file);
    const aside = this.masked(() => this.#quarantine.put(name, reason));
    // The lock of a simple queue is not part of the element. It has gone, whatever becomes of its lock, of which a
    // purge removes what is left.
    if (aside !== undefined) quietly(() => this.tryUnlock(file));
    return aside;
  }

  addQuarantined(element: Element, reason: string): string {
    const name = this.addLocked(element);
    try {
      if (this.durability === "full") this.durableNames.sync(name);
      const aside = this.quarantine(name, reason);
      if (aside === undefined) throw notLocked(this.file(name));
      return aside;
    } catch (error) {
      try {
        // One day its lock would be stale, and the element like any other.
        this.remove(name);
      } catch {
        // The disk that failed the caller fails this too.
      }
      throw error;
    }
  }

  quarantined(): IterableIterator<Quarantined> {
    return this.#quarantine.list();
  }

  requeue(name: string): string | undefined {
    checkQuarantined(name);
    const element = this.restore(this.#quarantine.locate(name));
    // It is in the queue by now: what cannot be removed is left to a purge.
    if (element !== undefined) quietly(() => this.#quarantine.clear(name));
    return element;
  }

  count(): number {
    let count = 0;
    for (const directory of this.#unsorted()) count += this.countIn(directory);
    return count;
  }

  first(): string | undefined {
    return this.#cursor.first();
  }

  next(): string | undefined {
    return this.#cursor.next();
  }

  *[Symbol.iterator](): IterableIterator<string> {
    for (const directory of this.directories()) {
      for (const element of inOrder(this.elements(directory), 14)) yield `${directory}/${element}`;
    }
  }

  async purge(options: PurgeOptions = {}): Promise<PurgeReport> {
    const { signal, progress, ...limits } = checkPurgeOptions(options);
    signal?.throwIfAborted();
    const report: PurgeReport = { temporary: 0, locks: 0, directories: 0 };
    await inSlices(
      this.#cleaning(this.#limits(limits)),
      (removed) => {
        if (removed !== undefined) report[removed]++;
        progress?.(report);
      },
      signal,
    );
    return report;
  }

  *#cleaning(limits: Limits): Cleaning {
    let last = "";
    for (const directory of this.#unsorted()) {
      if (directory > last) last = directory;
      yield undefined;
    }
    for (const directory of this.#unsorted()) {
      const isEmpty = yield* this.cleaning(directory, limits);
      // An element added meanwhile keeps the directory: rmdir refuses, and that is right.
      const isRemoved = isEmpty && directory < last && this.files.removeDir(`${this.path}/${directory}`);
      yield isRemoved ? "directories" : undefined;
    }
    yield* this.cleaningBeside(limits);
    const isStale = (path: string) => this.isStale(path, limits.maxtemp);
    for (const removed of this.#quarantine.cleaning(isStale)) yield removed ? "temporary" : undefined;
  }

  #limits(options: PurgeOptions): Limits {
    const { maxtemp = defaults.maxtemp, maxlock = defaults.maxlock } = this.#options;
    return { maxtemp: options.maxtemp ?? maxtemp, maxlock: options.maxlock ?? maxlock };
  }

  /** The path of an element. It is kept, as an element is locked, read and removed one after the other. */
  protected file(name: string): string {
    if (!this.#last || this.#last.name !== name) {
      checkName(name);
      this.#last = { name, file: `${this.path}/${name}` };
    }
    return this.#last.file;
  }

  protected seconds(): number {
    return this.#clock() / 1_000_000;
  }

  /** Make something with the queue's umask. */
  protected masked<Result>(work: () => Result): Result {
    const { umask } = this.#options;
    if (umask === undefined) return work();
    const before = process.umask(umask);
    try {
      return work();
    } finally {
      process.umask(before);
    }
  }

  /** Whether this was modified longer ago than `max` seconds (0: never). */
  protected isStale(path: string, max: number): boolean {
    if (max === 0) return false;
    const modified = this.files.modified(path);
    return modified !== undefined && modified < this.seconds() - max;
  }

  /** How many elements an intermediate directory has. */
  protected countIn(directory: string): number {
    let count = 0;
    const elements = this.elements(directory)[Symbol.iterator]();
    while (!elements.next().done) count++;
    return count;
  }

  /** The intermediate directories in order. */
  protected directories(): Iterable<string> {
    return inOrder(this.#unsorted(), 8);
  }

  /** The last of the intermediate directories. */
  protected lastDirectory(): string | undefined {
    let last: string | undefined;
    for (const directory of this.#unsorted()) if (last === undefined || directory > last) last = directory;
    return last;
  }

  *#unsorted(): Iterable<string> {
    for (const name of this.files.directories(this.path)) if (isDirectory(name)) yield name;
  }
}

/** Do something for each item, and let the event loop run now and then; the signal can end it there. */
async function inSlices<Item>(
  items: Iterable<Item>,
  work: (item: Item) => void,
  signal?: AbortSignal,
): Promise<void> {
  let slice = Date.now() + SLICE_MS;
  for (const item of items) {
    work(item);
    if (Date.now() < slice) continue;
    await new Promise(setImmediate);
    signal?.throwIfAborted();
    slice = Date.now() + SLICE_MS;
  }
}

async function areFulfilled(promises: readonly Promise<unknown>[]): Promise<boolean> {
  return (await Promise.allSettled(promises)).every(({ status }) => status === "fulfilled");
}

/** The items in arrays of so many, and one of the rest. */
function* groups<Item>(items: Iterable<Item>, size: number): Iterable<Item[]> {
  let group: Item[] = [];
  for (const item of items) {
    if (group.push(item) < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
