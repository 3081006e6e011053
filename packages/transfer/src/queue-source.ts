import { DirqError } from "@spoolwire/dirq";
import { MessageError, type MessageQueue } from "@spoolwire/message";
import type { Logger } from "@spoolwire/program";
import type { Arrival, Source, Ticket } from "./source.js";

export interface QueueSourceOptions {
  /** Start over at the end of the queue instead of ending there (default false). */
  readonly loop?: boolean;
  /** Remove what was acknowledged instead of unlocking it (default false). */
  readonly remove?: boolean;
  /** Seconds after which the queue takes a lock for stale, 0: never (default 600): ours are kept younger. */
  readonly maxlock?: number;
}

/** At least so often, in seconds, the queue is purged while the source is in use. */
const PURGE_INTERVAL = 300;

/** How often an empty queue is looked at again, milliseconds. */
const RESCAN_MS = 100;

/** After so many elements that others hold, the loop has its turn. */
const MOST_SKIPPED = 500;

/**
 * Messages from a directory queue: each is locked while it is on its way, and removed (or unlocked) when
 * it is acknowledged. What
 * is rejected stays where it is and is passed over.
 */
export class QueueSource implements Source {
  readonly name: string;
  readonly #queue: MessageQueue;
  readonly #log: Logger;
  readonly #options: Required<QueueSourceOptions>;
  readonly #held = new Set<string>();
  readonly #rejected = new Set<string>();
  #names: IterableIterator<string> | undefined;
  #foundInPass = false;
  #maintained = performance.now();
  #purged = performance.now();
  #wake: () => void = () => undefined;

  constructor(queue: MessageQueue, log: Logger, options: QueueSourceOptions = {}) {
    this.name = `queue ${queue.path}`;
    this.#queue = queue;
    this.#log = log;
    this.#options = { loop: false, remove: false, maxlock: 600, ...options };
  }

  async start(signal: AbortSignal): Promise<void> {
    // What a crashed agent had locked is taken up again, if its locks are old enough.
    await this.#purge(signal);
  }

  next(waitMs: number): Arrival | Promise<Arrival> {
    const names = (this.#names ??= this.#queue[Symbol.iterator]());
    const interval = this.#options.maxlock * 250;
    if (interval > 0 && performance.now() - this.#maintained > interval) this.#refreshLocks();
    for (let skipped = 0; skipped < MOST_SKIPPED; skipped++) {
      const step = names.next();
      if (step.done) {
        this.#names = undefined;
        if (!this.#options.loop) return { kind: "end" };
        return this.#rest(waitMs);
      }
      const arrival = this.#take(step.value);
      if (arrival) {
        this.#foundInPass = true;
        return arrival;
      }
    }
    return { kind: "none" };
  }

  wake(): void {
    this.#wake();
  }

  ack(ticket: Ticket): void {
    const name = ticket as string;
    this.#held.delete(name);
    if (!this.#options.remove) this.#queue.unlock(name, true);
    else if (!this.#remove(name))
      this.#log.warn(`${this.name}: somebody else took ${name} from under its lock`);
  }

  release(ticket: Ticket): void {
    const name = ticket as string;
    this.#held.delete(name);
    this.#queue.unlock(name, true);
  }

  /** It is unlocked, and passed over from now on. */
  reject(ticket: Ticket): string {
    this.#rejected.add(ticket as string);
    this.release(ticket);
    return `${this.#queue.path}/${ticket as string}`;
  }

  async stop(): Promise<void> {
    for (const name of this.#held) this.release(name);
  }

  /** Undefined: somebody else has it, or it was rejected. */
  #take(name: string): Arrival | undefined {
    if (this.#rejected.has(name) || !this.#queue.lock(name)) return undefined;
    try {
      const message = this.#queue.getMessage(name);
      this.#held.add(name);
      return { kind: "message", message, ticket: name };
    } catch (error) {
      // RACE: the lock was taken for stale and is gone.
      if (isNotLocked(error)) return undefined;
      if (error instanceof MessageError || error instanceof DirqError) {
        return { kind: "malformed", error, ticket: name };
      }
      this.#queue.unlock(name, true);
      throw error;
    }
  }

  #remove(name: string): boolean {
    try {
      return this.#queue.remove(name);
    } catch (error) {
      if (isNotLocked(error)) return false;
      throw error;
    }
  }

  /** At the end of a pass: a busy queue is looked at again at once, an empty one after a while. */
  async #rest(waitMs: number): Promise<Arrival> {
    const { maxlock } = this.#options;
    const age = (performance.now() - this.#purged) / 1000;
    if (age > Math.min(PURGE_INTERVAL, maxlock || PURGE_INTERVAL)) await this.#purge();
    if (!this.#foundInPass) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(waitMs, RESCAN_MS));
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wake = () => undefined;
    }
    this.#foundInPass = false;
    return { kind: "none" };
  }

  async #purge(signal?: AbortSignal): Promise<void> {
    this.#refreshLocks();
    const { locks, temporary } = await this.#queue.purge(signal && { signal });
    this.#purged = performance.now();
    if (locks + temporary > 0) {
      this.#log.info(`${this.name}: purged ${locks} stale locks and ${temporary} temporary files`);
    }
  }

  /** Messages that wait long for their confirmation must not look abandoned. */
  #refreshLocks(): void {
    this.#maintained = performance.now();
    for (const name of this.#held) this.#queue.touch(name);
  }
}

const isNotLocked = (error: unknown) => error instanceof DirqError && error.code === "DIRQ_NOT_LOCKED";
