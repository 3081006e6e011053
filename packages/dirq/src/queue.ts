import type { ConsumeOptions, Consumer } from "./consume.js";
import { refusal } from "./errors.js";
import { NormalQueue } from "./normal.js";
import { NullQueue } from "./null.js";
import {
  queueTypes,
  type NormalQueueOptions,
  type NullQueueOptions,
  type QueueOptions,
  type QueueType,
} from "./options.js";
import type { Quarantined } from "./quarantine.js";
import { SimpleQueue } from "./simple.js";

/** Told the names of elements that count as added from now on. */
export type OnAdded = (names: readonly string[]) => void;

/**
 * A queue of elements in a directory, shared by any number of processes in any language.
 *
 * Elements are named `DDDDDDDD/SSSSSSSSMMMMMR` and come in the order of their names, which is the order
 * of adding as far as the clocks of the writers agree. Whoever locked an element is the only one to work
 * on it, until it unlocks or removes it, or until a purge finds the lock older than `maxlock`.
 *
 * A race that others may win (already locked, already gone) is answered with false or undefined. A name
 * that is none throws DIRQ_BAD_NAME; a file failure is Node's own error, unwrapped.
 */
export interface DirQueue<Element = unknown> extends Iterable<string> {
  /** The directory of the queue. */
  readonly path: string;

  /** The same for all objects on one directory, by whatever path: its device and inode. */
  readonly id: string;

  /** Another object on the same queue with the same options, and a place of its own for `next`. */
  copy(): DirQueue<Element>;

  /**
   * Add an element and return its name. Readers see it whole or not at all; an element that is there is
   * never replaced. After an error nothing is left but, at worst, a temporary file that purge removes; in
   * mode `full`, or an element that is not sure to survive a power cut.
   */
  add(element: Element): string;

  /**
   * Add elements in groups, each brought to the disk together: in the durable modes that is many times
   * faster than one by one. The elements are asked for as there is room for them. Returns their names, in order.
   * `onAdded` is told the names of each part, in order too, as soon as it counts as added; after an error nothing
   * else does, though some may be there.
   */
  addMany(elements: Iterable<Element>, onAdded?: OnAdded): Promise<string[]>;

  /**
   * Lock an element so that only this process works on it.
   * False: another process holds it, or has removed it; with `permissive` off these are DIRQ_NOT_LOCKED.
   */
  lock(name: string, permissive?: boolean): boolean;

  /**
   * Give an element back unchanged.
   * Not locked (any more): DIRQ_NOT_LOCKED, or false with `permissive` on.
   */
  unlock(name: string, permissive?: boolean): boolean;

  /** Make a lock young again, so that no purge takes it for stale. False: the element is gone. */
  touch(name: string): boolean;

  /**
   * The content of a locked element.
   * @throws DirqError DIRQ_NOT_LOCKED, DIRQ_BAD_DATA
   */
  get(name: string): Element;

  /**
   * Remove a locked element. False: somebody else removed it first, which can only be if the lock was
   * taken for stale.
   * @throws DirqError DIRQ_NOT_LOCKED
   */
  remove(name: string): boolean;

  /**
   * Move a locked element aside: out of the queue, with the reason, until somebody looks at it or puts it
   * back. Returns its name in the quarantine; undefined: somebody else took it from under its lock.
   * Nothing is lost whatever fails: then the element is where it was, locked.
   * @throws DirqError DIRQ_NOT_LOCKED
   */
  quarantine(name: string, reason: string): string | undefined;

  /**
   * Put straight into the quarantine what must not come into the queue: nobody can meet it there before.
   * Returns its name in the quarantine. After an error it is nowhere, or in the quarantine.
   */
  addQuarantined(element: Element, reason: string): string;

  /** What was moved aside, in that order. Nobody removes it but by hand. */
  quarantined(): IterableIterator<Quarantined>;

  /**
   * Put an element back that was moved aside, and return its new name; undefined: it is not there (any
   * more). Two who do so at the same moment may both succeed: then it is there twice.
   * @throws DirqError DIRQ_BAD_NAME
   */
  requeue(name: string): string | undefined;

  /**
   * Elements as they come, locked and read, to be settled by whoever gets them; never more than `prefetch`
   * at a time: with the default of 1, settle an element before asking for the next one.
   *
   * Waits without polling: an element that any process of this host adds is met within milliseconds, one
   * that is only seen by looking (another host's; a lock that goes in a normal queue) when all is looked at
   * again: every second, or so that looking takes a hundredth of the time. What is empty or malformed is
   * moved aside, and `onEvent` told.
   * Leaving the loop (`break`, `throw`) releases what is not settled; the end by `signal` or `wait` does not.
   * @throws TypeError, RangeError naming the option; a file failure, unwrapped: then too what is not settled is released
   *
   * @example
   * for await (const element of queue.consume({ signal })) {
   *   await work(element.content);
   *   element.done();
   * }
   */
  consume(options?: ConsumeOptions): Consumer<Element>;

  /** The number of elements, locked ones included. Reads the whole directory. */
  count(): number;

  /** The first element's name, and the place from which `next` goes on; undefined: the queue is empty. */
  first(): string | undefined;

  /** The name after the one that `first` or `next` last gave; undefined: no more. */
  next(): string | undefined;

  /** Names in order, locked ones included; each iterator has a place of its own. */
  [Symbol.iterator](): IterableIterator<string>;

  /**
   * Remove what crashed processes left behind: temporary files older than `maxtemp`, locks older than
   * `maxlock`, empty directories but the last. Works in slices so that the event loop goes on.
   * @throws TypeError, RangeError naming the option
   */
  purge(options?: PurgeOptions): Promise<PurgeReport>;
}

export interface PurgeOptions {
  /** Seconds before a temporary file counts as left behind (0: never). Default: the queue's own. */
  readonly maxtemp?: number;
  /** Seconds before a lock counts as stale (0: never). Default: the queue's own. */
  readonly maxlock?: number;
  /** Called again and again, at every step of the work, with what is removed by then. */
  readonly progress?: (report: Readonly<PurgeReport>) => void;
  /** Stops the purge between two slices; what is done by then stays done. */
  readonly signal?: AbortSignal;
}

/** What a purge removed. */
export interface PurgeReport {
  temporary: number;
  locks: number;
  directories: number;
}

/**
 * Open a queue by its type, making its directory unless `create` is false.
 * Counterpart: Directory::Queue->new().
 * @throws TypeError, RangeError naming the option
 *
 * @example
 * const queue = openQueue({ type: "simple", path: "/var/spool/app" });
 * queue.add("hello");
 * const other = openQueue({ type: "normal", path: "/var/spool/other", schema: { body: "string" } });
 * other.add({ body: "hello" });
 */
export function openQueue(options: QueueOptions & { readonly type?: "simple" }): SimpleQueue;
export function openQueue(options: NormalQueueOptions & { readonly type: "normal" }): NormalQueue;
export function openQueue(options: NullQueueOptions & { readonly type: "null" }): NullQueue;
export function openQueue(options: AnyOptions): SimpleQueue | NormalQueue | NullQueue;
export function openQueue({
  type = "simple",
  ...options
}: AnyOptions): SimpleQueue | NormalQueue | NullQueue {
  switch (type) {
    case "simple":
      return new SimpleQueue(options as QueueOptions);
    case "normal":
      return new NormalQueue(options as NormalQueueOptions);
    case "null":
      return new NullQueue(options);
    default:
      throw new TypeError(refusal("type", `one of ${queueTypes.join(", ")}`, type));
  }
}

type AnyOptions = (QueueOptions | NormalQueueOptions | NullQueueOptions) & { readonly type?: QueueType };
