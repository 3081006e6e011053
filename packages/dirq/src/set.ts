import { Cursor, following } from "./cursor.js";
import type { DirQueue } from "./queue.js";

/** An element of a set of queues: which queue has it, and its name there. */
export type SetElement<Queue extends DirQueue> = [queue: Queue, name: string];

/** The part of a name that tells the time of adding, whatever the queue's type. */
const moment = (name: string) => name.slice(-14);

/**
 * Queues of any types, to be read as one: their elements come in the order in which they were added.
 * The queues are those that were given, not copies; no place that they have for their own `next` is moved.
 * Counterpart: Directory::Queue::Set.
 *
 * @example
 * for (const [queue, name] of new QueueSet(urgent, normal)) {
 *   if (!queue.lock(name)) continue;
 *   console.log(queue.get(name));
 *   queue.remove(name);
 * }
 */
export class QueueSet<Queue extends DirQueue = DirQueue> implements Iterable<SetElement<Queue>> {
  readonly #queues = new Map<string, Queue>();
  readonly #cursor = new Cursor(this);

  /** @throws TypeError: two of the queues are one */
  constructor(...queues: Queue[]) {
    this.add(...queues);
  }

  /** The queues of the set, in the order of adding. */
  get queues(): Queue[] {
    return [...this.#queues.values()];
  }

  /**
   * Add queues to the set; walks that are under way do not meet them.
   * @throws TypeError: two of the queues are one, or one is in the set already; then none is added
   */
  add(...queues: Queue[]): void {
    const ids = new Set(this.#queues.keys());
    for (const { id, path } of queues) {
      if (ids.has(id)) throw new TypeError(`Expected different queues in a set, got ${path} twice`);
      ids.add(id);
    }
    for (const queue of queues) this.#queues.set(queue.id, queue);
  }

  /** Take a queue, or what is the same one, out of the set; no walk meets it any more. False: it was not in. */
  remove(queue: DirQueue): boolean {
    return this.#queues.delete(queue.id);
  }

  /** The number of elements of all queues. */
  count(): number {
    return this.queues.reduce((count, queue) => count + queue.count(), 0);
  }

  /** The first element, and the place from which `next` goes on; undefined: all queues are empty. */
  first(): SetElement<Queue> | undefined {
    return this.#cursor.first();
  }

  /** The element after the one that `first` or `next` last gave; undefined: no more. */
  next(): SetElement<Queue> | undefined {
    return this.#cursor.next();
  }

  /** Elements in the order of adding, locked ones included; each iterator has a place of its own. */
  *[Symbol.iterator](): IterableIterator<SetElement<Queue>> {
    const heads = this.queues.map((queue) => {
      const names = queue[Symbol.iterator]();
      return { queue, names, name: following(names) };
    });
    for (;;) {
      let least: (typeof heads)[number] | undefined;
      for (const head of heads) {
        if (head.name === undefined || !this.#queues.has(head.queue.id)) continue;
        if (least?.name === undefined || moment(head.name) < moment(least.name)) least = head;
      }
      if (least?.name === undefined) return;
      yield [least.queue, least.name];
      least.name = following(least.names);
    }
  }
}
