import { setTimeout as sleep } from "node:timers/promises";
import { hasCode, refusal } from "./errors.js";
import type { DirQueue } from "./queue.js";
import { PlainSearch, type Search } from "./search.js";

/** How `consume` goes about it. */
export interface ConsumeOptions {
  /** Ends the taking; what is in hand stays so, and its locks fresh, until it is settled. */
  readonly signal?: AbortSignal | undefined;
  /** So many elements may be in hand, neither done, released nor in quarantine (default 1). */
  readonly prefetch?: number;
  /** Seconds to wait for an element when there is none (default: for ever; 0: one pass through the queue). */
  readonly wait?: number;
  /** Take an element without content for one like any other (default false: a crash has left it behind). */
  readonly allowEmpty?: boolean;
  /** Move what is empty or malformed aside (default true); else it stays, and is told of as skipped. */
  readonly setAside?: boolean;
  /** Told of what could not be handed out. */
  readonly onEvent?: (event: ConsumeEvent) => void;
  /**
   * Told of a failure to look, lock or read. Returns how long to wait before all is looked at again, milliseconds; what
   * it throws ends the consuming (default: it throws the error).
   */
  readonly onFailure?: (error: Error) => number;
  /** Told when, after such failures, an element is found, or that there is none. */
  readonly onRecovered?: () => void;
}

/** How the content of an element is read, where it is more than what `get` returns. */
export interface Reading<Content> {
  read(name: string): Content;
  /** Whether this error of `read` means that the content is bad, and not that it could not be read. */
  isMalformed(error: unknown): boolean;
}

export type ConsumeEvent =
  /** An element was empty or malformed and was moved aside; `quarantined` is its name there. */
  | {
      readonly type: "quarantined";
      readonly name: string;
      readonly reason: string;
      readonly quarantined: string;
    }
  /** An element cannot be locked, read or moved aside, and stays where it is. Told once an element. */
  | { readonly type: "skipped"; readonly name: string; readonly error: Error };

/**
 * A locked element in the hands of a consumer, which settles it in one of three ways, once. Its lock is
 * kept young until then, as often as the event loop runs.
 */
export interface HeldElement<Content> {
  readonly name: string;
  readonly content: Content;
  /** The work is done: remove it. False: somebody else took it from under its lock, and may do it again. */
  done(): boolean;
  /** Give it back unchanged. The same consumer meets it again when it looks at everything again, a second later. */
  release(): void;
  /** Move it aside. Returns its name in the quarantine; undefined: somebody else took it. */
  quarantine(reason: string): string | undefined;
}

/** How long elements are taken without a pause before timers and sockets have their turn, milliseconds. */
const SLICE_MS = 10;

/** Most names that are remembered for not being told of twice: what may not be locked is met at each look. */
const MOST_TOLD = 100_000;

/** What consuming needs besides the contract. */
export interface Consumed<Content> extends Reading<Content> {
  readonly queue: Pick<DirQueue, "touch" | "unlock" | "remove" | "quarantine">;
  /** Seconds after which others take a lock for stale; 0: never. */
  readonly maxlock: number;
  search(forbidden: (name: string, error: Error) => void): Search;
}

/** The elements of a queue as they come: an iterator that can be asked too, which costs less than to be told. */
export interface Consumer<Content> extends AsyncIterableIterator<HeldElement<Content>, void, undefined> {
  /**
   * The next element if it is found at once; undefined: there is none, or `next` has to look for it.
   * Not while a `next` is under way.
   */
  poll(): HeldElement<Content> | undefined;
  /**
   * Ends the consuming: what is not settled is released. It comes after a `next` that is under way, and waits as long:
   * abort `signal` before.
   */
  return(): Promise<IteratorReturnResult<void>>;
}

/** The elements of a queue as they come. See `DirQueue.consume`. */
export function consume<Content>(consumed: Consumed<Content>, options: ConsumeOptions): Consumer<Content> {
  return new QueueConsumer(consumed, checkConsumeOptions(options));
}

class QueueConsumer<Content> implements Consumer<Content> {
  readonly #consumed: Consumed<Content>;
  readonly #options: ReturnType<typeof checkConsumeOptions>;
  readonly #search: Search;
  readonly #hand: Hand<Content>;
  /** One at a time, whoever asks for several. */
  readonly #elements: AsyncGenerator<HeldElement<Content>, void, undefined>;
  readonly #told = new Set<string>();
  #lastAt = performance.now();
  #slice = this.#lastAt + SLICE_MS;
  /** An element was given, and who has got it has not asked for another yet. */
  #hasGiven = false;
  /** All has been looked at, and it is time for a rest. */
  #isPassOver = false;
  /** It has failed, and is tried again after so long, milliseconds. */
  #retryMs: number | undefined;
  /** What has failed, and has not gone well since. */
  #failed: "look" | "read" | undefined;
  #isOver = false;

  constructor(consumed: Consumed<Content>, options: ReturnType<typeof checkConsumeOptions>) {
    this.#consumed = consumed;
    this.#options = options;
    this.#search = consumed.search((name, error) => this.#skip(name, error));
    this.#hand = new Hand(consumed, (name) => this.#letGo(name));
    this.#elements = this.#run();
  }

  poll(): HeldElement<Content> | undefined {
    const { signal, prefetch } = this.#options;
    if (this.#hasGiven) this.#lastAt = performance.now();
    this.#hasGiven = false;
    if (this.#isOver || this.#isResting || signal?.aborted || this.#hand.size >= prefetch) return undefined;
    try {
      const name = this.#search.take();
      this.#isPassOver = name === undefined;
      const element = typeof name === "string" ? this.#pick(name) : undefined;
      this.#hasGiven = element !== undefined;
      if (this.#hasGiven || this.#isPassOver) this.#recover();
      return element;
    } catch (error) {
      this.#fail(error as Error);
      return undefined;
    }
  }

  next(): Promise<IteratorResult<HeldElement<Content>, void>> {
    return this.#elements.next();
  }

  async return(): Promise<IteratorReturnResult<void>> {
    await this.#elements.return();
    // Whoever has only polled has not begun what has just ended.
    if (!this.#isOver) this.#end(false);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async *#run(): AsyncGenerator<HeldElement<Content>, void, undefined> {
    const { signal, prefetch, wait } = this.#options;
    let hasEnded = false;
    this.#lastAt = performance.now();
    try {
      for (;;) {
        if (this.#hand.size >= prefetch) await this.#hand.changed(signal);
        if (performance.now() >= this.#slice) {
          await new Promise(setImmediate);
          this.#slice = performance.now() + SLICE_MS;
        }
        if (signal?.aborted) break;
        const element = this.poll();
        if (element) yield element;
        if (!this.#isResting) continue;
        const left = wait * 1000 - (performance.now() - this.#lastAt);
        if (left <= 0) break;
        await this.#rest(left);
        this.#slice = performance.now() + SLICE_MS;
      }
      hasEnded = true;
    } finally {
      this.#end(hasEnded);
    }
  }

  get #isResting(): boolean {
    return this.#isPassOver || this.#retryMs !== undefined;
  }

  /** Until it makes sense to look again. */
  async #rest(ms: number): Promise<void> {
    const { signal } = this.#options;
    if (this.#isPassOver) {
      this.#isPassOver = false;
      try {
        await this.#search.rest(ms, signal);
      } catch (error) {
        this.#fail(error as Error);
      }
    }
    if (this.#retryMs === undefined) return;
    await sleep(Math.min(ms, this.#retryMs), undefined, { signal }).catch(() => undefined);
    this.#retryMs = undefined;
  }

  #fail(error: Error): void {
    this.#retryMs = this.#options.onFailure(error);
    this.#failed ??= "look";
  }

  #recover(): void {
    // A pass avoids for a while what was given back since it could not be read.
    if (!this.#failed || (this.#failed === "read" && !this.#hasGiven)) return;
    this.#failed = undefined;
    this.#options.onRecovered();
  }

  #end(hasEnded: boolean): void {
    this.#isOver = true;
    this.#search.close();
    if (!hasEnded) this.#hand.releaseAll();
  }

  /** Undefined: there is nothing to hand out. */
  #pick(name: string): HeldElement<Content> | undefined {
    let content: Content;
    try {
      content = this.#consumed.read(name);
    } catch (error) {
      // RACE: the lock was taken for stale, and is gone.
      if (hasCode(error, "DIRQ_NOT_LOCKED")) return undefined;
      if (this.#consumed.isMalformed(error)) return this.#moveAside(name, error as Error);
      this.#letGo(name);
      if (!hasCode(error, "EACCES", "EPERM")) {
        this.#failed = "read";
        throw error;
      }
      this.#skip(name, error);
      return undefined;
    }
    const isEmpty = content instanceof Uint8Array && content.length === 0;
    if (isEmpty && !this.#options.allowEmpty)
      return this.#moveAside(name, new Error("It is empty, as a crash of the machine leaves it"));
    return this.#hand.take(name, content);
  }

  /** One bad element never stops the others. */
  #moveAside(name: string, bad: Error): undefined {
    const { setAside, onEvent } = this.#options;
    if (!setAside) {
      this.#letGo(name);
      this.#skip(name, bad);
      return;
    }
    const reason = bad.message;
    try {
      const quarantined = this.#consumed.queue.quarantine(name, reason);
      if (quarantined !== undefined) onEvent({ type: "quarantined", name, reason, quarantined });
    } catch (error) {
      if (hasCode(error, "DIRQ_NOT_LOCKED")) return;
      this.#letGo(name);
      this.#skip(name, error as Error);
    }
  }

  #skip(name: string, error: Error): void {
    if (this.#told.has(name)) return;
    if (this.#told.size < MOST_TOLD) this.#told.add(name);
    this.#options.onEvent({ type: "skipped", name, error });
  }

  #letGo(name: string): void {
    this.#search.giveBack(name);
    this.#consumed.queue.unlock(name, true);
  }
}

/** As `consume`, for a queue that is not on disk: nothing wakes the consumer, and no lock grows old. */
export function consumePlain<Content>(
  queue: DirQueue,
  read: (name: string) => Content,
  options: ConsumeOptions = {},
): Consumer<Content> {
  const search = () => new PlainSearch(queue);
  return consume({ queue, read, isMalformed: () => false, maxlock: 0, search }, options);
}

/** The elements that a consumer has not settled yet. */
class Hand<Content> {
  readonly #consumed: Consumed<Content>;
  readonly #held = new Map<string, HeldElement<Content>>();
  #timer: NodeJS.Timeout | undefined;
  readonly #letGo: (name: string) => void;
  #changed: () => void = () => undefined;

  constructor(consumed: Consumed<Content>, letGo: (name: string) => void) {
    this.#consumed = consumed;
    this.#letGo = letGo;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Resolves when one is settled, or `signal` is aborted. */
  async changed(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    await new Promise<void>((resolve) => {
      this.#changed = () => {
        signal?.removeEventListener("abort", this.#changed);
        this.#changed = () => undefined;
        resolve();
      };
      signal?.addEventListener("abort", this.#changed);
    });
  }

  take(name: string, content: Content): HeldElement<Content> {
    const { queue } = this.#consumed;
    const element = {
      name,
      content,
      done: () => this.#settle(element, () => queue.remove(name)) ?? false,
      release: () => void this.#settle(element, () => this.#letGo(name)),
      quarantine: (reason: string) => this.#settle(element, () => queue.quarantine(name, reason)),
    };
    this.#held.set(name, element);
    this.#keepFresh();
    return element;
  }

  /** Throws the first error, when all are tried: no lock stays fresh, so that a purge finds what could not be released. */
  releaseAll(): void {
    const names = [...this.#held.keys()];
    this.#held.clear();
    const errors: unknown[] = [];
    for (const name of names) {
      try {
        this.#letGo(name);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  /** Undefined: it is settled already, or somebody else took it. What fails leaves it in hand. */
  #settle<Result>(element: HeldElement<Content>, work: () => Result): Result | undefined {
    if (this.#held.get(element.name) !== element) return undefined;
    let result: Result | undefined;
    try {
      result = work();
    } catch (error) {
      if (!hasCode(error, "DIRQ_NOT_LOCKED")) throw error;
    }
    this.#held.delete(element.name);
    this.#changed();
    return result;
  }

  #keepFresh(): void {
    const { queue, maxlock } = this.#consumed;
    if (maxlock === 0 || this.#timer) return;
    const refresh = () => {
      for (const name of this.#held.keys()) touchQuietly(queue, name);
      // Here and not with the last element in hand, which every single one may be.
      if (this.#held.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
    this.#timer = setInterval(refresh, Math.min(maxlock * 250, 2 ** 31 - 1)).unref();
  }
}

/** A disk that fails just now must not end the program from a timer: whoever settles will be told. */
function touchQuietly(queue: Consumed<unknown>["queue"], name: string): void {
  try {
    queue.touch(name);
  } catch {
    // As above.
  }
}

function checkConsumeOptions(options: ConsumeOptions) {
  const { signal, prefetch = 1, wait = Infinity, allowEmpty = false } = options;
  const { setAside = true, onEvent = () => undefined, onRecovered = () => undefined } = options;
  const { onFailure = fail } = options;
  const checked = { signal, prefetch, wait, allowEmpty, setAside, onEvent, onFailure, onRecovered };
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(checked, name)) {
      throw new TypeError(
        `Unknown consume option \`${name}\`, expected one of ${Object.keys(checked).join(", ")}`,
      );
    }
  }
  if (!(prefetch === Infinity || (Number.isSafeInteger(prefetch) && prefetch > 0)))
    throw new RangeError(refusal("prefetch", "an integer >= 1, or Infinity", prefetch));
  if (!(wait >= 0)) throw new RangeError(refusal("wait", "seconds >= 0, or Infinity", wait));
  return checked;
}

function fail(error: Error): never {
  throw error;
}
