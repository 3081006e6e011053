import type { Limits } from "./disk.js";
import type { FileCalls } from "./calls.js";
import { Files, type Entry } from "./files.js";
import { checkName, isDirectory, isElement, timeOf } from "./name.js";
import { defaults } from "./options.js";
import { ELEMENT, QUARANTINE } from "./quarantine.js";

/** What can be seen of an element without its lock. Times are seconds since the epoch. */
export interface ElementState {
  /** Bytes, of all its fields in a normal queue. */
  readonly size: number;
  /** When it was added, as its name says. */
  readonly added: number;
  /** Since when it is locked, or when the lock was last touched; undefined: it is not locked. */
  readonly lockedSince: number | undefined;
}

/** How a queue stands. */
export interface Survey {
  /** All elements, locked ones included. */
  elements: number;
  locked: number;
  /** What is being added, or removed, or was left behind at that. */
  temporary: number;
  /** Intermediate directories. */
  directories: number;
  quarantined: number;
  /** When the first and the last element were added, seconds since the epoch; undefined: there is none. */
  oldest: number | undefined;
  newest: number | undefined;
  /** The sizes of all elements, if they were asked for. */
  bytes: number | undefined;
}

/** What can be wrong in the directory of a queue. A promise, as the error codes are. */
export type ProblemKind =
  /** A name that no queue makes; nobody but its owner can say what it is for. */
  | "foreign"
  /** A symbolic link, which no queue makes or follows. */
  | "link"
  /** A name as a queue makes them, on something else: a directory where a file should be. */
  | "wrong-kind"
  /** An element without content, as a power cut leaves it. */
  | "empty"
  /** A lock whose element is gone. */
  | "orphan-lock"
  /** A lock older than `maxlock`: its holder has died, or forgets to touch it. */
  | "stale-lock"
  /** Something temporary older than `maxtemp`: whoever made it has died. */
  | "stale-temporary";

export interface Problem {
  readonly kind: ProblemKind;
  /** Where, below the queue's directory. */
  readonly path: string;
}

/** What an intermediate directory holds. */
export interface Tally {
  /** Sorted. */
  readonly elements: readonly string[];
  /** Those of them that are locked. */
  readonly locked: ReadonlySet<string>;
  readonly temporary: number;
}

/** How long a survey works before it lets the event loop run, milliseconds. */
const SLICE_MS = 10;

/**
 * Looks at the directory of a queue, for tools: it takes no lock, changes nothing, and others may work there
 * at the same time. What it tells was so when it looked.
 */
export abstract class QueueInspector {
  abstract readonly type: "simple" | "normal";
  readonly path: string;
  protected readonly files: Files;

  /** Throws ENOENT or ENOTDIR if there is no such directory. */
  constructor(path: string, calls?: FileCalls) {
    this.path = path;
    this.files = new Files(calls);
    this.files.identity(path);
  }

  /** What is in the queue's directory beside intermediate directories and the quarantine. */
  protected abstract readonly others: readonly string[];
  protected abstract tally(directory: string): Tally;
  /** Bytes; undefined: the element is gone, or what has its name is none. */
  protected abstract size(element: string): number | undefined;
  protected abstract lockedSince(element: string): number | undefined;
  /** What is temporary outside of the intermediate directories. */
  protected abstract temporaries(): number;
  protected abstract problemsIn(directory: string, limits: TimeLimits): Iterable<Problem>;
  protected abstract problemsOf(other: string, limits: TimeLimits): Iterable<Problem>;

  /** How an element stands; undefined: it is gone. @throws DirqError DIRQ_BAD_NAME */
  element(name: string): ElementState | undefined {
    checkName(name);
    const lockedSince = this.lockedSince(name);
    const size = this.size(name);
    return size === undefined ? undefined : { size, added: timeOf(name), lockedSince };
  }

  /** Whether anything has this name, an element or what is none. @throws DirqError DIRQ_BAD_NAME */
  isTaken(name: string): boolean {
    checkName(name);
    return this.files.look(`${this.path}/${name}`) !== undefined;
  }

  /** All elements in order, with whether each is locked. */
  *locks(): Iterable<[name: string, isLocked: boolean]> {
    for (const directory of this.directories()) {
      const { elements, locked } = this.tally(directory);
      for (const element of elements) yield [`${directory}/${element}`, locked.has(element)];
    }
  }

  /**
   * Count what is there. Works in slices so that the event loop goes on.
   * With `bytes` the sizes are added up, which is a look at every element.
   */
  async survey(options: { readonly bytes?: boolean; readonly signal?: AbortSignal } = {}): Promise<Survey> {
    const { bytes = false, signal } = options;
    const survey: Survey = {
      ...{ elements: 0, locked: 0, temporary: this.temporaries(), directories: 0 },
      quarantined: this.#quarantined(),
      ...{ oldest: undefined, newest: undefined, bytes: bytes ? 0 : undefined },
    };
    let slice = performance.now() + SLICE_MS;
    const pause = async () => {
      if (performance.now() < slice) return;
      await new Promise(setImmediate);
      signal?.throwIfAborted();
      slice = performance.now() + SLICE_MS;
    };
    for (const directory of this.directories()) {
      const { elements, locked, temporary } = this.tally(directory);
      survey.directories++;
      survey.elements += elements.length;
      survey.locked += locked.size;
      survey.temporary += temporary;
      // By the names, not by their order: those of several writers need not follow the directories.
      for (const name of [elements[0], elements.at(-1)]) {
        if (name === undefined) continue;
        survey.oldest = Math.min(survey.oldest ?? Infinity, timeOf(name));
        survey.newest = Math.max(survey.newest ?? 0, timeOf(name));
      }
      for (const element of bytes ? elements : []) {
        survey.bytes! += this.size(`${directory}/${element}`) ?? 0;
        await pause();
      }
      await pause();
    }
    return survey;
  }

  /**
   * What is wrong, in the order of the names: what no queue makes, and what those that died left behind.
   * A limit of 0 switches its check off.
   */
  *problems({
    maxlock = defaults.maxlock,
    maxtemp = defaults.maxtemp,
  }: Partial<Limits> = {}): Iterable<Problem> {
    const now = Date.now() / 1000;
    const limits = {
      lock: maxlock === 0 ? -Infinity : now - maxlock,
      temporary: maxtemp === 0 ? -Infinity : now - maxtemp,
    };
    for (const entry of this.files.entries(this.path)) {
      const { name } = entry;
      if (name === QUARANTINE && entry.kind === "directory") continue;
      if (!isDirectory(name) && !this.others.includes(name)) yield foreign(entry, name);
      else if (entry.kind !== "directory") yield wrong(entry, name);
      else if (isDirectory(name)) yield* this.problemsIn(name, limits);
      else yield* this.problemsOf(name, limits);
    }
  }

  /** How many elements were moved aside; a crash may leave a reason without one. */
  #quarantined(): number {
    const path = `${this.path}/${QUARANTINE}`;
    const names = [...this.files.subdirectories(path)].filter(isElement);
    return names.filter((name) => this.files.look(`${path}/${name}/${ELEMENT}`)).length;
  }

  /** The intermediate directories in order. */
  directories(): string[] {
    return this.files
      .entries(this.path)
      .filter(({ name, kind }) => kind === "directory" && isDirectory(name))
      .map(({ name }) => name);
  }
}

/** Locks and temporary things from before these times are stale; seconds since the epoch. */
export interface TimeLimits {
  readonly lock: number;
  readonly temporary: number;
}

export const foreign = ({ kind }: Entry, path: string): Problem => ({
  kind: kind === "link" ? "link" : "foreign",
  path,
});

export const wrong = ({ kind }: Entry, path: string): Problem => ({
  kind: kind === "link" ? "link" : "wrong-kind",
  path,
});
