import type { Message } from "@spoolwire/message";
import type { Destination } from "./destination.js";
import { unsayable } from "./mapping.js";
import { Store } from "./store.js";
import type { Subscription } from "./subscription.js";
import type { Task, Turns } from "./turns.js";

/**
 * Seconds for one intermediate directory: a listing is read in one piece, and of the 10,000 elements that
 * arrive in two busy seconds that takes 15 ms.
 */
const GRANULARITY = 2;

/** The newest elements are remembered up to this number; all others are found on disk when it is their turn. */
const MOST_RECENT = 1000;

/** Of these, messages are kept to save the way to the disk, up to so many characters a queue. */
const MOST_KEPT = 1024 * 1024;

/** A message of a queue: its element on disk, and for a moment after its arrival the message itself. */
export interface Entry {
  readonly queue: Queue;
  /** The element. */
  readonly name: string;
  readonly messageId: string;
  message: Message | undefined;
  /** It has been delivered before. */
  redelivered: boolean;
}

/** How a queue is doing. */
export interface QueueStatus {
  /** Messages on disk, those that are delivered and not acknowledged among them. */
  readonly messages: number;
  readonly unacknowledged: number;
  /** Elements that cannot be delivered and stay where they are. */
  readonly malformed: number;
  readonly subscriptions: number;
}

/**
 * Messages in a directory queue, delivered in the order of their names to one subscription each.
 *
 * Only few elements are known by name: those that are taken, and the most recent. What came when there
 * were too many of these is found by walking through the directory, once all older ones have had their
 * turn; so a backlog of any length takes no memory.
 */
export class Queue implements Destination, Task {
  readonly #store: Store;
  /** What the ids of its messages begin with. */
  readonly #id: string;
  readonly #turns: Turns;
  readonly #log: (line: string) => void;
  #subscriptions: Subscription[] = [];
  /** Taken from the queue and not removed: delivered or given back. */
  readonly #taken = new Map<string, Entry>();
  /** Given back, to be delivered before all others; the oldest is the last. */
  readonly #returned: Entry[] = [];
  readonly #recent = new Map<string, Entry>();
  #kept = 0;
  /** Goes through what is older than the most recent. */
  #walk: IterableIterator<string> | undefined;
  /** There are elements that are newer than the most recent, and older than the next walk. */
  #isOverflown: boolean;
  readonly #malformed = new Set<string>();
  #size: number;
  #isTidy = true;

  /** @throws the file failure, if the directory cannot be made or read */
  constructor(path: string, id: string, turns: Turns, log: (line: string) => void) {
    this.#store = new Store({ path, granularity: GRANULARITY });
    this.#id = id;
    this.#turns = turns;
    this.#log = log;
    this.#size = this.#store.count();
    this.#isOverflown = this.#size > 0;
  }

  get status(): QueueStatus {
    return {
      messages: this.#size,
      unacknowledged: this.#taken.size - this.#returned.length,
      malformed: this.#malformed.size,
      subscriptions: this.#subscriptions.length,
    };
  }

  send(message: Message): void {
    const entry = this.#entry(this.#store.addMessage(message));
    this.#size++;
    if (this.#isOverflown || this.#recent.size >= MOST_RECENT) this.#isOverflown = true;
    else {
      this.#recent.set(entry.name, entry);
      if (this.#subscriptions.length > 0 && this.#kept + message.size <= MOST_KEPT) {
        entry.message = message;
        this.#kept += message.size;
      }
    }
    this.wake();
  }

  subscribe(subscription: Subscription): void {
    this.#subscriptions.push(subscription);
    this.wake();
  }

  unsubscribe(subscription: Subscription): void {
    this.#subscriptions = this.#subscriptions.filter((other) => other !== subscription);
  }

  wake(): void {
    if (this.#subscriptions.length > 0) this.#turns.wake(this);
  }

  /** Deliver one message, if there is one and somebody to take it. */
  step(): boolean {
    const turn = this.#subscriptions.findIndex((subscription) => subscription.canTake);
    const subscription = this.#subscriptions[turn];
    const entry = subscription && this.#next();
    if (!entry) return false;
    try {
      const message = this.#open(entry);
      if (message) {
        // Who has had a message goes behind those who have not.
        this.#subscriptions.push(...this.#subscriptions.splice(0, turn + 1));
        subscription.deliver(entry, message);
      }
    } catch (error) {
      this.#returned.push(entry);
      throw error;
    }
    return true;
  }

  /** A delivered message is done with. */
  remove(entry: Entry): void {
    this.#store.discard(entry.name);
    this.#taken.delete(entry.name);
    this.#size--;
    this.#isTidy = false;
    this.wake();
  }

  /** Deliver these again, before all others and in their old order. */
  giveBack(entries: readonly Entry[]): void {
    for (const entry of entries) this.#returned.push(entry);
    this.#returned.sort((a, b) => (a.name < b.name ? 1 : -1));
    this.wake();
  }

  /** Remove what is left behind: empty directories, and what is older than `age` seconds of crashed programs. */
  async tidy(signal: AbortSignal, age?: number): Promise<void> {
    if (this.#isTidy && age === undefined) return;
    this.#isTidy = true;
    await this.#store.purge({ signal, ...(age !== undefined && { maxtemp: age, maxlock: age }) });
  }

  #entry(name: string): Entry {
    return { queue: this, name, messageId: `${this.#id}/${name}`, message: undefined, redelivered: false };
  }

  /** The message whose turn it is; from now on it is taken. */
  #next(): Entry | undefined {
    const entry = this.#returned.pop() ?? this.#walkOn() ?? this.#oldestRecent() ?? this.#startWalk();
    if (entry) this.#taken.set(entry.name, entry);
    return entry;
  }

  #oldestRecent(): Entry | undefined {
    for (const [name, entry] of this.#recent) {
      this.#recent.delete(name);
      return entry;
    }
    return undefined;
  }

  #startWalk(): Entry | undefined {
    if (!this.#isOverflown) return undefined;
    this.#isOverflown = false;
    this.#walk = this.#store[Symbol.iterator]();
    return this.#walkOn();
  }

  #walkOn(): Entry | undefined {
    while (this.#walk) {
      const step = this.#walk.next();
      const [oldestRecent] = this.#recent.keys();
      if (step.done) this.#walk = undefined;
      else if (oldestRecent !== undefined && step.value >= oldestRecent) {
        // Directories are listed as they are reached, so the walk can overtake the most recent: it ends where
        // these begin, and what is newer than all of them is left to the next walk.
        this.#walk = undefined;
        this.#isOverflown = true;
      } else if (!this.#isKnown(step.value)) return this.#entry(step.value);
    }
    return undefined;
  }

  #isKnown(name: string): boolean {
    return this.#taken.has(name) || this.#recent.has(name) || this.#malformed.has(name);
  }

  /** The message of an element that is taken; undefined: there is none to deliver. */
  #open(entry: Entry): Message | undefined {
    const { name, message } = entry;
    if (message) {
      this.#kept -= message.size;
      entry.message = undefined;
      return message;
    }
    try {
      const found = this.#store.read(name);
      // Done with since the walk has listed it.
      if (!found) this.#taken.delete(name);
      const header = found && unsayable(found.header);
      if (header === undefined) return found;
      this.#putAside(entry, `no frame can carry its header ${JSON.stringify(header)}`);
    } catch (error) {
      // Too many open files is nothing that this element has done.
      if (["EMFILE", "ENFILE"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
      this.#putAside(entry, (error as Error).message);
    }
    return undefined;
  }

  /** Nothing is deleted that was not delivered: the element stays, and does not hold up the others. */
  #putAside({ name }: Entry, why: string): void {
    this.#taken.delete(name);
    this.#malformed.add(name);
    this.#log(`skipped ${this.#store.path}/${name}: ${why}`);
  }
}
