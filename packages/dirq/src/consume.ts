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

/** Most names that are remembered for not being told of twice. */
const MOST_TOLD = 10_000;

/** What consuming needs besides the contract. */
export interface Consumed<Content> extends Reading<Content> {
  readonly queue: Pick<DirQueue, "touch" | "unlock" | "remove" | "quarantine">;
  /** Seconds after which others take a lock for stale; 0: never. */
  readonly maxlock: number;
  search(forbidden: (name: string, error: Error) => void): Search;
}

/** The elements of a queue as they come. See `DirQueue.consume`. */
export async function* consume<Content>(
  consumed: Consumed<Content>,
  options: ConsumeOptions,
): AsyncGenerator<HeldElement<Content>, void, undefined> {
  const { signal, prefetch, wait, allowEmpty, setAside, onEvent } = checkConsumeOptions(options);
  const told = new Set<string>();
  const skip = (name: string, error: Error) => {
    if (told.has(name)) return;
    if (told.size < MOST_TOLD) told.add(name);
    onEvent({ type: "skipped", name, error });
  };
  const search = consumed.search(skip);
  const letGo = (name: string) => {
    search.giveBack(name);
    consumed.queue.unlock(name, true);
  };
  const hand = new Hand(consumed, letGo);
  let hasEnded = false;
  try {
    let lastAt = performance.now();
    let slice = lastAt + SLICE_MS;
    for (;;) {
      if (hand.size >= prefetch) await hand.changed(signal);
      if (performance.now() >= slice) {
        await new Promise(setImmediate);
        slice = performance.now() + SLICE_MS;
      }
      if (signal?.aborted) break;
      if (hand.size >= prefetch) continue;
      const name = search.take();
      if (name === false) continue;
      if (name !== undefined) {
        const element = pick(name);
        if (!element) continue;
        yield element;
        lastAt = performance.now();
        continue;
      }
      const left = wait * 1000 - (performance.now() - lastAt);
      if (left <= 0) break;
      await search.rest(left, signal);
      slice = performance.now() + SLICE_MS;
    }
    hasEnded = true;
  } finally {
    search.close();
    if (!hasEnded) hand.releaseAll();
  }

  /** Undefined: there is nothing to hand out. */
  function pick(name: string): HeldElement<Content> | undefined {
    let content: Content;
    try {
      content = consumed.read(name);
    } catch (error) {
      // RACE: the lock was taken for stale, and is gone.
      if (hasCode(error, "DIRQ_NOT_LOCKED")) return undefined;
      if (consumed.isMalformed(error)) return moveAside(name, error as Error);
      letGo(name);
      if (!hasCode(error, "EACCES", "EPERM")) throw error;
      skip(name, error);
      return undefined;
    }
    const isEmpty = content instanceof Uint8Array && content.length === 0;
    if (isEmpty && !allowEmpty)
      return moveAside(name, new Error("It is empty, as a crash of the machine leaves it"));
    return hand.take(name, content);
  }

  /** One bad element never stops the others. */
  function moveAside(name: string, bad: Error): undefined {
    if (!setAside) {
      letGo(name);
      skip(name, bad);
      return;
    }
    const reason = bad.message;
    try {
      const quarantined = consumed.queue.quarantine(name, reason);
      if (quarantined !== undefined) onEvent({ type: "quarantined", name, reason, quarantined });
    } catch (error) {
      if (hasCode(error, "DIRQ_NOT_LOCKED")) return;
      letGo(name);
      skip(name, error as Error);
    }
  }
}

/** As `consume`, for a queue that is not on disk: nothing wakes the consumer, and no lock grows old. */
export function consumePlain<Content>(
  queue: DirQueue,
  read: (name: string) => Content,
  options: ConsumeOptions = {},
): AsyncGenerator<HeldElement<Content>, void, undefined> {
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

  releaseAll(): void {
    for (const element of [...this.#held.values()]) element.release();
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
  const { setAside = true, onEvent = () => undefined } = options;
  if (!(prefetch === Infinity || (Number.isSafeInteger(prefetch) && prefetch > 0)))
    throw new RangeError(refusal("prefetch", "an integer >= 1, or Infinity", prefetch));
  if (!(wait >= 0)) throw new RangeError(refusal("wait", "seconds >= 0, or Infinity", wait));
  return { signal, prefetch, wait, allowEmpty, setAside, onEvent };
}
