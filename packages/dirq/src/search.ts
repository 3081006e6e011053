import { setTimeout as sleep } from "node:timers/promises";
import type { Bell } from "./bell.js";
import { hasCode } from "./errors.js";
import { nameAt } from "./name.js";

/** What a search for free elements needs to know of its queue. */
export interface Ground {
  /** A door-bell for the queue. */
  readonly bell: Bell;
  /** Whether a directory's stamp changes when a lock in it goes. */
  readonly showsUnlock: boolean;
  /** The intermediate directories in order. */
  directories(): string[];
  /** What changes with each change of a directory's names; undefined: it is gone, or changing right now. */
  stamp(directory: string): number | undefined;
  /** The elements of a directory in order, without those that are seen to be locked; undefined: not found yet. */
  free(directory: string): Iterable<string | undefined>;
  /** Whether what has this name is an element, and not a link, or a file where a directory should be. */
  isElement(name: string): boolean;
  lock(name: string): boolean;
  /** The time of day, in microseconds. */
  now(): number;
}

/** Where a consumer gets its elements from. */
export interface Search {
  /** The next free element, locked now; false: not found yet, ask again; undefined: none in this pass. */
  take(): string | false | undefined;
  /** An element is given back: do not find it again before everything is looked at again. */
  giveBack(name: string): void;
  /** After a pass: resolves when it makes sense to begin another, at the latest after `ms`. */
  rest(ms: number, signal?: AbortSignal): Promise<void>;
  close(): void;
}

/** Everything is looked at again at least so often, milliseconds… */
const RESCAN_MS = 1000;
/** … but looking takes no more than this share of the time. */
const SHARE = 0.01;
/** Without a door-bell it is this, and that. */
const RESCAN_WITHOUT_BELL_MS = 40;
const SHARE_WITHOUT_BELL = 0.1;

/** So much may the clocks of two processes of a host differ, microseconds: each counts on from milliseconds. */
const CLOCKS_DIFFER = 5000;

/** With so many elements without a rest there is no need to be woken: the bell would ring for our own deeds. */
const BUSY = 100;

/** So many names that were given back are remembered; when there are more, no door-bell counts until the rescan. */
const MOST_GIVEN_BACK = 10_000;

/**
 * Looks for free elements, in order, pass after pass. Between two passes a door-bell names the elements to
 * try next, and a directory that has not changed since all in it was tried is not listed again: what lies
 * there for long, locked by others, costs nothing, however much it is.
 */
export class QueueSearch implements Search {
  readonly #ground: Ground;
  readonly #bell: Bell;
  readonly #forbidden: (name: string, error: Error) => void;
  /** The stamps of directories in which there was nothing (more) to take. */
  #exhausted = new Map<string, number>();
  /** What was given back rings the bell too: to find it at once would be a loop without a rest. */
  readonly #givenBack = new Set<string>();
  #pass: Iterator<string | undefined> | undefined;
  #isWhole = true;
  /** How long this pass has taken, without the work on what it found, milliseconds. */
  #passMs = 0;
  #rescanAt = 0;
  #sinceRest = 0;

  /** @param forbidden is told of an element that this account may not lock */
  constructor(ground: Ground, forbidden: (name: string, error: Error) => void) {
    this.#ground = ground;
    this.#bell = ground.bell;
    this.#forbidden = forbidden;
  }

  take(): string | false | undefined {
    const pass = this.#pass ?? this.#begin(undefined);
    // A pass that fails is over, but has not seen all.
    this.#pass = undefined;
    const started = performance.now();
    const step = pass.next();
    this.#passMs += performance.now() - started;
    if (step.done) return undefined;
    this.#pass = pass;
    if (step.value === undefined) return false;
    if (++this.#sinceRest === BUSY) this.#bell.close();
    return step.value;
  }

  giveBack(name: string): void {
    if (this.#givenBack.size < MOST_GIVEN_BACK) this.#givenBack.add(name);
  }

  async rest(ms: number, signal?: AbortSignal): Promise<void> {
    this.#sinceRest = 0;
    const now = performance.now();
    if (this.#isWhole) this.#rescanAt = now + this.#interval(this.#passMs);
    if (!this.#bell.isOpen && this.#bell.open(this.#ground.directories())) {
      // RACE: what came between the pass and the opening of the bell has not rung.
      this.#pass = this.#begin(undefined);
      return;
    }
    const left = Math.min(ms, this.#rescanAt - now);
    if (this.#givenBack.size < MOST_GIVEN_BACK) await this.#bell.wait(left, signal);
    else await sleep(left, undefined, { signal }).catch(() => undefined);
    // The bell rings for what we do here too, before anything else has its turn.
    await new Promise(setImmediate);
    const isDue = performance.now() >= this.#rescanAt;
    if (isDue) this.#givenBack.clear();
    if (isDue && this.#bell.isOpen) this.#bell.open(this.#ground.directories());
    this.#pass = this.#begin(isDue ? undefined : this.#bell.take());
  }

  close(): void {
    this.#bell.close();
    // It may be in the middle of a directory, which is open then.
    this.#pass?.return?.();
    this.#pass = undefined;
  }

  #interval(passMs: number): number {
    return this.#bell.isOpen
      ? Math.max(RESCAN_MS, passMs / SHARE)
      : Math.max(RESCAN_WITHOUT_BELL_MS, passMs / SHARE_WITHOUT_BELL);
  }

  #begin(names: string[] | undefined): Iterator<string | undefined> {
    this.#isWhole = names === undefined;
    this.#passMs = 0;
    return names === undefined ? this.#wholePass() : this.#tryAll(this.#elementsAmong(names));
  }

  /** The bell rings for all that has a name like an element's; lists leave out what is none. */
  *#elementsAmong(names: Iterable<string>): Iterable<string> {
    for (const name of names) if (this.#ground.isElement(name)) yield name;
  }

  /** Returns whether nothing is left that a look at the directory's stamp would not tell of. */
  *#tryAll(names: Iterable<string | undefined>): Generator<string | undefined, boolean> {
    let isExhausted = true;
    for (const name of names) {
      if (name === undefined) {
        yield undefined;
        continue;
      }
      const isTaken = this.#givenBack.has(name) ? undefined : this.#tryLock(name);
      // What is avoided, or forbidden, may come free without a change of its directory.
      if (isTaken === undefined || !(isTaken || this.#ground.showsUnlock)) isExhausted = false;
      yield isTaken ? name : undefined;
    }
    return isExhausted;
  }

  *#wholePass(): Generator<string | undefined> {
    const exhausted = new Map<string, number>();
    for (const directory of this.#ground.directories()) {
      const stamp = this.#ground.stamp(directory);
      if (stamp === undefined || stamp !== this.#exhausted.get(directory)) {
        const isExhausted = yield* this.#tryAll(this.#namesIn(directory));
        if (!isExhausted) continue;
      }
      if (stamp !== undefined) exhausted.set(directory, stamp);
      yield undefined;
    }
    this.#exhausted = exhausted;
  }

  /**
   * RACE: what is added while a directory is listed may be in the list though what the same process added before
   * it is not. So only what is older than the list is taken from it, and the rest by a second list: there is all
   * that was added before anything in the first one.
   */
  *#namesIn(directory: string): Iterable<string | undefined> {
    let limit = nameAt(this.#ground.now() - CLOCKS_DIFFER);
    for (let lists = 0; lists < 2; lists++) {
      let youngest = "";
      for (const element of this.#ground.free(directory)) {
        if (element !== undefined && element > limit) youngest = element;
        else yield element && `${directory}/${element}`;
      }
      if (youngest === "") break;
      limit = youngest;
    }
  }

  /** Undefined: this account may not lock it. */
  #tryLock(name: string): boolean | undefined {
    try {
      return this.#ground.lock(name);
    } catch (error) {
      if (!hasCode(error, "EACCES", "EPERM")) throw error;
      this.#forbidden(name, error);
      return undefined;
    }
  }
}

/** Finds the elements of a queue that is not on disk, as far as it has any, by asking it. */
export class PlainSearch implements Search {
  readonly #queue: Iterable<string> & { lock(name: string): boolean };
  #names: Iterator<string> | undefined;

  constructor(queue: Iterable<string> & { lock(name: string): boolean }) {
    this.#queue = queue;
  }

  take(): string | false | undefined {
    this.#names ??= this.#queue[Symbol.iterator]();
    const step = this.#names.next();
    if (step.done) this.#names = undefined;
    return step.done ? undefined : this.#queue.lock(step.value) ? step.value : false;
  }

  giveBack(): void {}

  async rest(ms: number, signal?: AbortSignal): Promise<void> {
    await sleep(Math.min(ms, RESCAN_MS), undefined, { signal }).catch(() => undefined);
  }

  close(): void {}
}
