import { DiskQueue, type Cleaning, type Limits, type Surroundings } from "./disk.js";
import { MOST_RACES, notDirectory, notLocked, tooManyRaces } from "./errors.js";
import { InsertionDirectory } from "./insertion.js";
import { isElement } from "./name.js";
import { checkOptions, defaults, type NormalQueueOptions } from "./options.js";
import { isField, LOCKED, Schema, type ElementFiles, type Fields, type FieldsToAdd } from "./schema.js";

/** The directories of elements that are being added, and removed. */
const VOLATILE = ["temporary", "obsolete"] as const;

/**
 * A queue with one directory an element, one file in it for each field of its schema, and a directory
 * `locked` while it is locked: `TOP/NNNNNNNN/SSSSSSSSMMMMMR/FIELD`. Elements come and go by way of
 * `TOP/temporary` and `TOP/obsolete`. Perl and Python programs may use the directory at the same time.
 * What adds throws a TypeError that names the field that is missing, unknown, or not of its type.
 * Counterpart: Directory::Queue::Normal.
 *
 * @example
 * const queue = new NormalQueue({ path: "/var/spool/app", schema: { body: "binary", header: "table?" } });
 * queue.add({ body: Buffer.from("hello"), header: { from: "me" } });
 */
export class NormalQueue extends DiskQueue<FieldsToAdd, Fields> {
  protected readonly kind = "directory";
  protected readonly showsUnlock = false;
  readonly #schema: Schema | undefined;
  readonly #nlink: boolean;
  readonly #insertion: InsertionDirectory;

  /** @throws TypeError, RangeError naming the option; ENOENT if `create` is false and nothing is there */
  constructor(options: NormalQueueOptions, surroundings: Surroundings = {}) {
    super(checkOptions(options, "normal"), surroundings);
    this.#schema = options.schema && new Schema(options.schema);
    this.#nlink = options.nlink ?? defaults.nlink;
    this.#insertion = new InsertionDirectory(options.maxelts ?? defaults.maxelts, {
      last: () => this.lastDirectory(),
      count: (directory) => this.#links(directory) ?? this.files.names(`${this.path}/${directory}`).length,
      make: (directory) => {
        const path = `${this.path}/${directory}`;
        if (this.files.makeDir(path)) this.durableNames.made();
        // What is behind a link, nobody would find: no walk follows it.
        else if (this.files.isDirectory(path) === false) throw notDirectory(path);
      },
      seconds: () => this.seconds(),
    });
    if (options.create ?? defaults.create) for (const directory of VOLATILE) this.#makeVolatile(directory);
  }

  touch(name: string): boolean {
    const element = this.file(name);
    const failed = this.files.touchDir(element, this.seconds());
    return failed === "EPERM" ? this.#renewLock(element) : failed === "";
  }

  get(name: string): Fields {
    const element = this.file(name);
    const schema = this.#demandSchema();
    const files = new Map<string, Buffer | "foreign">();
    for (const [field, { optional }] of schema.fields) {
      const path = `${element}/${field}`;
      // A look is cheaper than a failure.
      if (optional && this.files.modified(path) === undefined) continue;
      const content = this.files.read(path);
      if (content !== "ENOENT") files.set(field, content);
    }
    // RACE: only now, as without the lock some of the fields may have gone between our reads.
    if (!this.isLocked(element)) throw notLocked(element);
    return schema.decode(element, files);
  }

  /** What is no field, and so from nobody who knows this layout, stays behind in `obsolete`. */
  remove(name: string): boolean {
    const element = this.file(name);
    if (!this.isLocked(element)) throw notLocked(element);
    const obsolete = this.#retire(element);
    if (obsolete === undefined) return false;
    this.#dismantle(obsolete);
    return true;
  }

  protected override countIn(directory: string): number {
    return this.#links(directory) ?? super.countIn(directory);
  }

  protected get filesEach(): number {
    return this.#demandSchema().fields.size;
  }

  protected addOne(element: FieldsToAdd): string {
    return this.#addFiles(this.#demandSchema().encode(element));
  }

  protected addLocked(element: FieldsToAdd): string {
    return this.#addFiles(this.#demandSchema().encode(element), true);
  }

  protected async addGroup(group: readonly FieldsToAdd[], turn: Promise<unknown>): Promise<string[]> {
    const schema = this.#demandSchema();
    const elements = group.map((element) => schema.encode(element));
    const temporaries: string[] = [];
    const names: string[] = [];
    try {
      const open: number[] = [];
      try {
        this.masked(() => {
          for (const files of elements) temporaries.push(this.#writeOpen(files, open));
        });
        await this.files.syncFiles(open);
      } finally {
        for (const fd of open) this.files.closeQuietly(fd);
      }
      await this.files.syncDirs(temporaries);
      await turn;
      this.masked(() => {
        for (const [n, temporary] of temporaries.entries()) {
          // RACE: a purge took it for left behind: all of it again.
          names.push(this.#publish(temporary) ?? this.#addFiles(elements[n]!));
        }
      });
    } catch (error) {
      for (const temporary of temporaries.slice(names.length)) this.#discard(temporary);
      this.takeBack(names);
      throw error;
    }
    return names;
  }

  protected tryLock(element: string): string | undefined {
    const lock = `${element}/${LOCKED}`;
    const failed = this.masked(() => this.files.makeSubdirectory(lock));
    if (failed !== "") return failed === "EEXIST" ? "somebody else holds it" : "it is not there";
    try {
      const isDirectory = this.files.isDirectory(element);
      if (isDirectory) return undefined;
      // RACE: another process locked and removed the element while our mkdir was under way: the lock is now in
      // `obsolete`, and goes with the element.
      if (isDirectory === undefined) return "it is not there";
    } catch (error) {
      this.files.discardDir(lock);
      throw error;
    }
    this.files.discardDir(lock);
    throw notDirectory(element);
  }

  protected isLocked(element: string): boolean {
    return this.files.isDirectory(`${element}/${LOCKED}`) === true;
  }

  protected restore(path: string): string | undefined {
    this.tryUnlock(path);
    const name = this.masked(() => this.#publish(path));
    if (name !== undefined && this.durability === "full") this.durableNames.sync(name);
    return name;
  }

  protected tryUnlock(element: string): boolean {
    return this.files.removeDir(`${element}/${LOCKED}`);
  }

  protected elements(directory: string): Iterable<string> {
    return this.#elementsIn(`${this.path}/${directory}`);
  }

  protected *cleaning(directory: string, { maxlock }: Limits): Cleaning<boolean> {
    if (maxlock === 0) return true;
    let isEmpty = true;
    for (const element of this.elements(directory)) {
      isEmpty = false;
      yield this.#breakLock(`${this.path}/${directory}/${element}`, maxlock) ? "locks" : undefined;
    }
    return isEmpty;
  }

  protected *cleaningBeside({ maxtemp }: Limits): Cleaning {
    for (const directory of VOLATILE) {
      const path = `${this.path}/${directory}`;
      for (const name of this.#elementsIn(path)) {
        const isLeft = this.isStale(`${path}/${name}`, maxtemp);
        yield isLeft && this.#clear(directory, `${path}/${name}`) ? "temporary" : undefined;
      }
    }
  }

  *#elementsIn(path: string): Iterable<string> {
    for (const name of this.files.subdirectories(path)) if (isElement(name)) yield name;
  }

  /** Unlock an element if the lock is stale. */
  #breakLock(element: string, maxlock: number): boolean {
    // RACE: in this order, as an old element may be unlocked first and locked a moment later.
    return this.isLocked(element) && this.isStale(element, maxlock) && this.tryUnlock(element);
  }

  /** Remove what was left behind in `temporary` or `obsolete`. */
  #clear(directory: (typeof VOLATILE)[number], path: string): boolean {
    // RACE: an add that was only slow must not publish what is half gone: it is moved out of its hands first.
    const obsolete = directory === "temporary" ? this.#retire(path) : path;
    return obsolete !== undefined && this.#dismantle(obsolete);
  }

  #demandSchema(): Schema {
    if (!this.#schema) throw new TypeError("Expected `schema` among the options, for add and get");
    return this.#schema;
  }

  /** How many elements a directory has by its links; undefined: the links do not say. */
  #links(directory: string): number | undefined {
    const links = this.#nlink ? this.files.links(`${this.path}/${directory}`) : undefined;
    // Where links are not counted a directory has one.
    return links === undefined || links < 2 ? undefined : links - 2;
  }

  #makeVolatile(directory: (typeof VOLATILE)[number]): void {
    this.masked(() => this.files.makeDir(`${this.path}/${directory}`));
  }

  /** Write the files of an element, sync them if they are to be, and publish it. Returns its name. */
  #addFiles(files: ElementFiles, isLocked = false): string {
    const isSynced = this.durability !== "none";
    return this.masked(() => {
      for (let races = 0; races < MOST_RACES; races++) {
        const temporary = this.#makeTemporary();
        try {
          const isWhole = files.every(
            ([field, data]) => this.files.write(`${temporary}/${field}`, data, isSynced) === "",
          );
          if (isWhole && isSynced) this.files.syncDir(temporary);
          const isReady =
            isWhole && (!isLocked || this.files.makeSubdirectory(`${temporary}/${LOCKED}`) === "");
          const name = isReady ? this.#publish(temporary) : undefined;
          if (name !== undefined) return name;
        } catch (error) {
          this.#discard(temporary);
          throw error;
        }
        // RACE: a purge took it for left behind: all of it again. Python's does so however young it is.
        this.#discard(temporary);
      }
      throw tooManyRaces(this.path);
    });
  }

  /** Write the files of an element and leave them open. Returns their directory; gone: it must be done again. */
  #writeOpen(files: ElementFiles, open: number[]): string {
    const temporary = this.#makeTemporary();
    try {
      for (const [field, data] of files) {
        const fd = this.files.create(`${temporary}/${field}`, data, true);
        if (typeof fd !== "number") {
          this.#discard(temporary);
          break;
        }
        open.push(fd);
      }
    } catch (error) {
      this.#discard(temporary);
      throw error;
    }
    return temporary;
  }

  #makeTemporary(): string {
    for (let races = 0; races < MOST_RACES; races++) {
      const temporary = `${this.path}/temporary/${this.names.element()}`;
      const failed = this.files.makeSubdirectory(temporary);
      if (failed === "") return temporary;
      if (failed === "ENOENT") this.#makeVolatile("temporary");
    }
    throw tooManyRaces(`${this.path}/temporary`);
  }

  /** Move an element into the queue and return its name. Undefined: it is gone. */
  #publish(temporary: string): string | undefined {
    for (let races = 0; races < MOST_RACES; races++) {
      const name = `${this.#insertion.choose()}/${this.names.element()}`;
      const failed = this.files.moveDir(temporary, `${this.path}/${name}`);
      if (failed === "") return name;
      if (failed === "EEXIST") continue;
      if (this.files.isDirectory(temporary) === undefined) return undefined;
      // RACE: the directory was empty and no longer the last one, and a purge removed it.
      this.#insertion.forget();
    }
    throw tooManyRaces(this.path);
  }

  /** Move an element to `obsolete` and return where it is now. Undefined: it is gone. */
  #retire(element: string): string | undefined {
    for (let races = 0; races < MOST_RACES; races++) {
      const obsolete = `${this.path}/obsolete/${this.names.element()}`;
      const failed = this.files.moveDir(element, obsolete);
      if (failed === "") return obsolete;
      if (failed === "EEXIST") continue;
      if (this.files.isDirectory(element) === undefined) return undefined;
      this.#makeVolatile("obsolete");
    }
    throw tooManyRaces(`${this.path}/obsolete`);
  }

  /** Remove an element that is out of the queue. False: somebody else did, or there is what is no field. */
  #dismantle(element: string): boolean {
    // All fields are known, in most cases: no need to look.
    let fields = this.#schema?.fixed ?? this.#fieldsIn(element);
    for (let races = 0; races < MOST_RACES; races++) {
      const removed = fields.filter((field) => this.files.unlink(`${element}/${field}`));
      const unlocked = this.tryUnlock(element);
      if (this.files.removeDir(element)) return true;
      // RACE: a rival that found the element in its place may just now have locked it here.
      if (races > 0 && removed.length === 0 && !unlocked) return false;
      fields = this.#fieldsIn(element);
    }
    return false;
  }

  #fieldsIn(element: string): string[] {
    return this.files.names(element).filter(isField);
  }

  /** Take back what was not added; there may be another error to tell, and a purge for the rest. */
  #discard(temporary: string): void {
    try {
      this.#dismantle(temporary);
    } catch {
      // The disk that failed the caller fails this too.
    }
  }

  /**
   * Make the lock of another account's element young again. Node cannot set its times to now, but a new
   * empty directory can take the place of the lock, which changes the element.
   */
  #renewLock(element: string): boolean {
    if (!this.isLocked(element)) return this.files.isDirectory(element) !== undefined;
    const lock = this.masked(() => this.#makeTemporary());
    const failed = this.files.moveDir(lock, `${element}/${LOCKED}`);
    if (failed !== "") this.#discard(lock);
    return failed === "";
  }
}
