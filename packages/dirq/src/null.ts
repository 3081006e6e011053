import { consumePlain, type ConsumeOptions, type Consumer } from "./consume.js";
import { DirqError, notRegular } from "./errors.js";
import { Files } from "./files.js";
import { checkOptions, checkPurgeOptions, type NullQueueOptions } from "./options.js";
import type { DirQueue, OnAdded, PurgeOptions, PurgeReport } from "./queue.js";
import type { Surroundings } from "./disk.js";

/**
 * A queue that is always empty: what is added is gone, as in /dev/null. As no element has a name here, all
 * that is done to one is DIRQ_BAD_NAME.
 * Counterpart: Directory::Queue::Null.
 *
 * @example
 * new NullQueue().add("hello"); // ""
 */
export class NullQueue implements DirQueue {
  readonly path: string;
  /** All null queues are one. */
  readonly id = "null";
  readonly #surroundings: Surroundings;

  /** @throws TypeError naming the option */
  constructor(options: NullQueueOptions = {}, surroundings: Surroundings = {}) {
    this.path = checkOptions(options, "null").path ?? "";
    this.#surroundings = surroundings;
  }

  copy(): NullQueue {
    return new NullQueue(this.path === "" ? {} : { path: this.path }, this.#surroundings);
  }

  /** Discard an element. There is no name to return: it is "". */
  add(element: unknown): string;
  add(): string {
    return "";
  }

  async addMany(elements: Iterable<unknown>, onAdded?: OnAdded): Promise<string[]> {
    const names = await Promise.resolve(Array.from(elements, () => ""));
    onAdded?.(names);
    return names;
  }

  /**
   * Remove a file.
   * Counterpart: add_path().
   */
  addPath(path: string): string {
    const files = new Files(this.#surroundings.calls);
    if (!files.unlink(path)) {
      files.demandFile(path);
      throw notRegular(path);
    }
    return "";
  }

  lock(name: string): never {
    throw noElement(name);
  }

  unlock(name: string): never {
    throw noElement(name);
  }

  touch(name: string): never {
    throw noElement(name);
  }

  get(name: string): never {
    throw noElement(name);
  }

  remove(name: string): never {
    throw noElement(name);
  }

  consume(options?: ConsumeOptions): Consumer<never> {
    return consumePlain<never>(this, (name) => this.get(name), options);
  }

  /** Discard it, as `add` does. */
  addQuarantined(): string {
    return "";
  }

  quarantine(name: string): never {
    throw noElement(name);
  }

  *quarantined(): IterableIterator<never> {}

  requeue(name: string): never {
    throw noElement(name);
  }

  count(): number {
    return 0;
  }

  first(): undefined {}

  next(): undefined {}

  *[Symbol.iterator](): IterableIterator<string> {}

  async purge(options: PurgeOptions = {}): Promise<PurgeReport> {
    checkPurgeOptions(options).signal?.throwIfAborted();
    return await Promise.resolve({ temporary: 0, locks: 0, directories: 0 });
  }
}

function noElement(name: string): DirqError {
  return new DirqError("DIRQ_BAD_NAME", `A null queue has no elements, got ${JSON.stringify(name)}`);
}
