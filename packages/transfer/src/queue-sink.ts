import { setTimeout as sleep } from "node:timers/promises";
import { MessageError, type Message, type MessageQueue } from "@spoolwire/message";
import type { Logger } from "@spoolwire/program";
import { Pauses, type BackOff } from "./back-off.js";
import { DiskTrouble, isPassing } from "./disk-trouble.js";
import type { Settle, Sink } from "./sink.js";

/** So much may be on its way to the disk before the source is slowed: messages, and their size. */
const MOST_PENDING = 1000;
const MOST_PENDING_SIZE = 16 * 1024 * 1024;

/** So many are given to the queue in one call, which keeps their names. */
const MOST_AT_ONCE = 10_000;

/** There may be room for less. */
const full = ["ENOSPC", "EDQUOT"];

interface Pending {
  readonly message: Message;
  readonly size: number;
  readonly settle: Settle;
}

/**
 * Messages into a directory queue: safe once they are in it, as durable as it is. Those that come at once, or
 * while the disk is busy with others, are committed together.
 *
 * With a back-off a disk that fails (full, read-only, …) is tried again for as long: what is on its way is not
 * settled by then, so that a source that acknowledges is slowed, and nothing is lost.
 */
export class QueueSink implements Sink {
  readonly name: string;
  readonly #queue: MessageQueue;
  readonly #backOff: BackOff | undefined;
  readonly #stopping = new AbortController();
  /** What the queue has not asked for yet. */
  readonly #waiting: Pending[] = [];
  /** All that is not settled. */
  #pending = 0;
  #pendingSize = 0;
  #committing: Promise<void> | undefined;
  /** Somebody waits for room. */
  #madeRoom: (() => void) | undefined;
  readonly #trouble: DiskTrouble;

  /** @param backOff undefined: the first failure is the last */
  constructor(queue: MessageQueue, log: Logger, backOff?: BackOff) {
    this.name = `queue ${queue.path}`;
    this.#queue = queue;
    this.#backOff = backOff;
    this.#trouble = new DiskTrouble(this.name, log, "written");
  }

  async start(): Promise<void> {}

  send(message: Message, settle: Settle): Promise<void> | undefined {
    const { size } = message;
    this.#waiting.push({ message, size, settle });
    this.#pending++;
    this.#pendingSize += size;
    this.#committing ??= this.#commit();
    return this.#hasRoom() ? undefined : new Promise((resolve) => (this.#madeRoom = resolve));
  }

  quarantine(message: Message, reason: string): string {
    const name = this.#queue.addQuarantinedMessage(message, reason);
    return `it is in the quarantine of ${this.#queue.path} as ${name}`;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#committing;
  }

  #hasRoom(): boolean {
    return this.#pending < MOST_PENDING && this.#pendingSize < MOST_PENDING_SIZE;
  }

  async #commit(): Promise<void> {
    // It begins when all that comes at once is here.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) await this.#settleAll(this.#waiting);
    this.#committing = undefined;
  }

  /** Take these from their list, more than there are if more come meanwhile, and settle them. */
  async #settleAll(waiting: Pending[]): Promise<void> {
    const pauses = this.#backOff && new Pauses(this.#backOff);
    for (let attempt = 1; ; attempt++) {
      const { failure, left } = await this.#add(waiting);
      if (!failure) return;
      const isOver = this.#stopping.signal.aborted || attempt >= (this.#backOff?.attempts ?? 1);
      // One of them cannot be written, such as half of a surrogate pair: it shows which, and the others go on. Or
      // there may be room for a part of them, and never for all at once.
      const isDivided = failure instanceof TypeError || (full.includes(failure.code ?? "") && !isOver);
      if (isDivided && left.length > 1) {
        const half = left.splice(left.length >> 1);
        await this.#settleAll(left);
        await this.#settleAll(half);
        return;
      }
      if (!pauses || isOver || !isPassing(failure)) {
        this.#refuse(left, failure);
        return;
      }
      this.#trouble.begins(failure);
      await sleep(pauses.next(), undefined, { signal: this.#stopping.signal }).catch(() => undefined);
      waiting = left;
    }
  }

  /** Add and settle what waits in this list. @returns why not, and what is left of it */
  async #add(waiting: Pending[]): Promise<{ failure?: NodeJS.ErrnoException; left: Pending[] }> {
    const asked: Pending[] = [];
    function* messages() {
      for (let count = 0; count < MOST_AT_ONCE; count++) {
        const next = waiting.shift();
        if (!next) return;
        asked.push(next);
        yield next.message;
      }
    }
    try {
      await this.#queue.addMessages(messages(), (names) => this.#added(asked.splice(0, names.length)));
      return { left: [] };
    } catch (error) {
      return { failure: error as Error, left: [...asked, ...waiting.splice(0)] };
    }
  }

  #added(group: readonly Pending[]): void {
    this.#trouble.ends();
    this.#settle(group);
  }

  #refuse(group: readonly Pending[], failure: Error): void {
    this.#trouble.forget();
    const cannotBeWritten = failure instanceof TypeError;
    this.#settle(
      group,
      cannotBeWritten
        ? new MessageError("MESSAGE_NOT_SENDABLE", failure.message, { cause: failure })
        : failure,
    );
  }

  #settle(group: readonly Pending[], failure?: Error): void {
    for (const { size, settle } of group) {
      this.#pending--;
      this.#pendingSize -= size;
      settle(failure);
    }
    if (!this.#hasRoom()) return;
    this.#madeRoom?.();
    this.#madeRoom = undefined;
  }
}
