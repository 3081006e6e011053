import type { ConsumeEvent, Consumer, HeldElement } from "@spoolwire/dirq";
import type { Message, MessageQueue } from "@spoolwire/message";
import type { Logger } from "@spoolwire/program";
import { defaultBackOff, Pauses, type BackOff } from "./back-off.js";
import { DiskTrouble, doAll, isPassing, MOST_UNDONE } from "./disk-trouble.js";
import { Sleeper } from "./sleeper.js";
import type { Arrival, Source, Ticket } from "./source.js";

export interface QueueSourceOptions {
  /** Wait for more at the end of the queue instead of ending there (default false). */
  readonly loop?: boolean;
  /** Remove what was acknowledged instead of unlocking it (default false). */
  readonly remove?: boolean;
  /** Move what is malformed or rejected to the queue's quarantine, else it stays (default: as `remove`). */
  readonly setAside?: boolean;
  /** At the start and then so often, in seconds, the queue is purged (default 300; 0: never). */
  readonly purgeInterval?: number;
  /** With `loop`: how long to wait before a disk that fails is tried again (default: as `defaultBackOff`). */
  readonly backOff?: BackOff;
}

/** So many names of what stays in the queue are remembered; those before them may be met again. */
const MOST_PASSED_OVER = 10_000;

type Element = HeldElement<Message>;

/**
 * Messages from a directory queue: each is locked while it is on its way, and removed when it is acknowledged,
 * or without `remove` unlocked: then a loop meets it again when it next goes over the whole queue, at most every
 * second.
 *
 * What is malformed or rejected is moved to the queue's quarantine, or without `setAside` stays in its place and is
 * passed over from now on.
 *
 * With `loop` a disk that fails (full, read-only, …) is tried again until it can be worked on. What it does not let go
 * of meanwhile stays locked, and is not handed out again.
 */
export class QueueSource implements Source {
  readonly name: string;
  readonly #queue: MessageQueue;
  readonly #log: Logger;
  readonly #options: Required<QueueSourceOptions>;
  readonly #stopping = new AbortController();
  readonly #held = new Set<Element>();
  /** Names of what was rejected and is still in the queue. */
  readonly #passedOver = new Set<string>();
  /** What is to be done with elements as soon as the disk lets us. */
  readonly #undone = new Set<() => void>();
  #retryAt = 0;
  readonly #pauses: Pauses;
  readonly #trouble: DiskTrouble;
  /** What to tell of elements that were not handed out. */
  readonly #told: string[] = [];
  readonly #elements: Consumer<Message>;
  /** The next element is being waited for. Never rejects. */
  #advance: Promise<void> | undefined;
  #arrived: Element | "end" | undefined;
  #failure: { readonly error: unknown } | undefined;
  #purge: Promise<void> | undefined;
  #purgedAt = performance.now();
  readonly #sleeper = new Sleeper();

  constructor(queue: MessageQueue, log: Logger, options: QueueSourceOptions = {}) {
    this.name = `queue ${queue.path}`;
    this.#queue = queue;
    this.#log = log;
    const { loop = false, remove = false, setAside = remove } = options;
    const { purgeInterval = 300, backOff = defaultBackOff } = options;
    this.#options = { loop, remove, setAside, purgeInterval, backOff };
    this.#pauses = new Pauses(backOff);
    this.#trouble = new DiskTrouble(this.name, log, "worked on");
    this.#elements = queue.consumeMessages({
      signal: this.#stopping.signal,
      prefetch: Infinity,
      wait: loop ? Infinity : 0,
      setAside,
      onEvent: (event) => this.#tell(event),
      onFailure: (error) => this.#heldUp(error),
      onRecovered: () => this.#recovered(),
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    if (this.#options.purgeInterval === 0) return;
    // What a crashed agent had locked is taken up again, if its locks are old enough. A large queue takes a while: a
    // run with less time than that has work all the same.
    await this.#clean(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  next(waitMs: number): Arrival | Promise<Arrival> {
    const { purgeInterval } = this.#options;
    if (purgeInterval > 0 && performance.now() - this.#purgedAt > purgeInterval * 1000) {
      this.#cleanMeanwhile();
    }
    if (this.#undone.size > 0 && performance.now() >= this.#retryAt) this.#retry();
    if (this.#undone.size >= MOST_UNDONE) return this.#holdUp(waitMs);
    return this.#take() ?? this.#wait(waitMs);
  }

  wake(): void {
    this.#sleeper.wake();
  }

  ack(ticket: Ticket): void {
    const element = ticket as Element;
    this.#held.delete(element);
    this.#settle(() => {
      if (!this.#options.remove) element.release();
      else if (!element.done() && !this.#failure) {
        this.#log.warn(`${this.name}: somebody else took ${element.name} from under its lock`);
      }
    });
  }

  release(ticket: Ticket): void {
    this.#held.delete(ticket as Element);
    this.#settle(() => (ticket as Element).release());
  }

  reject(ticket: Ticket, reason: string): string {
    const element = ticket as Element;
    const what = `${this.#queue.path}/${element.name}: ${reason}`;
    if (this.#options.setAside) {
      try {
        const quarantined = element.quarantine(reason);
        this.#held.delete(element);
        return `${what}; ${quarantined === undefined ? "somebody else took it" : inQuarantine(quarantined)}`;
      } catch (error) {
        this.#log.warn(`${this.name}: ${(error as Error).message}`);
      }
    }
    this.#passOver(element.name);
    this.release(element);
    return `${what}; it stays where it is`;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#advance;
    try {
      // The last time: whoever waits for the end is told of what stays undone.
      doAll(this.#undone);
    } finally {
      await this.#elements.return();
      // What nobody has been given yet is locked too.
      if (typeof this.#arrived === "object") this.release(this.#arrived);
      for (const element of this.#held) this.release(element);
      await this.#purge;
    }
  }

  /** A disk that fails does not end a loop: what it does not let us do is done later. */
  #settle(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#retryAt = performance.now() + this.#heldUp(error as Error);
      this.#undone.add(work);
    }
  }

  async #holdUp(waitMs: number): Promise<Arrival> {
    await this.#sleeper.sleep(Math.max(0, Math.min(waitMs, this.#retryAt - performance.now())));
    return { kind: "none" };
  }

  #retry(): void {
    for (const work of this.#undone) {
      this.#undone.delete(work);
      this.#settle(work);
      // The others would most likely meet the same.
      if (this.#undone.has(work)) return;
    }
    this.#recovered();
  }

  /** How long to wait before it is tried again, milliseconds. @throws the error, if that is in vain */
  #heldUp(error: Error): number {
    if (!this.#options.loop || !isPassing(error)) throw error;
    this.#trouble.begins(error);
    return this.#pauses.next();
  }

  #recovered(): void {
    if (this.#undone.size > 0) return;
    this.#trouble.ends();
    this.#pauses.reset();
  }

  #passOver(name: string): void {
    const [oldest = ""] = this.#passedOver;
    if (this.#passedOver.size >= MOST_PASSED_OVER) this.#passedOver.delete(oldest);
    this.#passedOver.add(name);
  }

  #take(): Arrival | undefined {
    const told = this.#told.shift();
    if (told !== undefined) return { kind: "rejected", told };
    if (this.#failure) throw this.#failure.error;
    const element = this.#arrived ?? this.#poll();
    if (element === undefined) return undefined;
    if (element === "end") return { kind: "end" };
    this.#arrived = this.#advance = undefined;
    this.#held.add(element);
    return { kind: "message", message: element.content, ticket: element };
  }

  /** What is there at once; if nothing is, it is waited for from now on. */
  #poll(): Element | undefined {
    if (this.#advance) return undefined;
    const element = this.#elements.poll();
    if (element && !this.#passedOver.has(element.name)) return element;
    if (element) this.release(element);
    this.#advance = this.#fetch();
    return undefined;
  }

  async #wait(waitMs: number): Promise<Arrival> {
    await this.#sleeper.sleep(waitMs);
    return this.#take() ?? { kind: "none" };
  }

  async #fetch(): Promise<void> {
    try {
      for (;;) {
        const { value } = await this.#elements.next();
        if (!value || !this.#passedOver.has(value.name)) {
          this.#arrived = value ?? "end";
          break;
        }
        this.release(value);
      }
    } catch (error) {
      this.#failure = { error };
    }
    this.#sleeper.wake();
  }

  #tell(event: ConsumeEvent): void {
    const where = `${this.#queue.path}/${event.name}`;
    const reason = event.type === "quarantined" ? event.reason : event.error.message;
    const what = reason.includes(where) ? reason : `${where}: ${reason}`;
    const now = event.type === "quarantined" ? inQuarantine(event.quarantined) : "it stays where it is";
    this.#told.push(`${what}; ${now}`);
    this.#sleeper.wake();
  }

  /** Messages go on while the queue is purged, which takes long if it is large. */
  #cleanMeanwhile(): void {
    this.#purge ??= this.#clean(this.#stopping.signal)
      .catch((error: unknown) => {
        if (!this.#stopping.signal.aborted) this.#log.warn(`${this.name}: ${(error as Error).message}`);
      })
      .finally(() => (this.#purge = undefined));
  }

  async #clean(signal: AbortSignal): Promise<void> {
    this.#purgedAt = performance.now();
    // Our own locks are kept young, but not while the whole process, or the machine, was asleep.
    for (const { name } of this.#held) this.#queue.touch(name);
    const { locks, temporary } = await this.#queue.purge({ signal });
    if (locks + temporary > 0) {
      this.#log.info(`${this.name}: purged ${locks} stale locks and ${temporary} temporary files`);
    }
  }
}

const inQuarantine = (name: string) => `it is in the quarantine as ${name}`;
