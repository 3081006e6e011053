import { setTimeout as sleep } from "node:timers/promises";
import { MessageError, type Message, type MessageQueue } from "@spoolwire/message";
import type { Logger } from "@spoolwire/program";
import { Pauses, type BackOff } from "./back-off.js";
import type { Settle, Sink } from "./sink.js";

/** So much may wait for the disk before the source is slowed: messages, and their size. */
const MOST_WAITING = 1000;
const MOST_WAITING_SIZE = 16 * 1024 * 1024;

/** What passes, or what an operator can put right, while we wait. */
const passing = ["ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE", "EACCES", "EPERM", "ENOENT"];

/** There may be room for less. */
const full = ["ENOSPC", "EDQUOT"];

interface Waiting {
  readonly message: Message;
  readonly settle: Settle;
}

/**
 * Messages into a directory queue: safe once they are in it, as durable as it is. Those that come at once, or
 * while the disk is busy with others, are committed together.
 *
 * With a back-off a disk that fails (full, read-only, …) is tried again for as long: what waits is not settled by
 * then, so that a source that acknowledges is slowed, and nothing is lost.
 */
export class QueueSink implements Sink {
  readonly name: string;
  readonly #queue: MessageQueue;
  readonly #log: Logger;
  readonly #backOff: BackOff | undefined;
  readonly #stopping = new AbortController();
  #waiting: Waiting[] = [];
  #waitingSize = 0;
  #committing: Promise<void> | undefined;
  /** The disk is tried again, and that was told. */
  #isHeldUp = false;

  /** @param backOff undefined: the first failure is the last */
  constructor(queue: MessageQueue, log: Logger, backOff?: BackOff) {
    this.name = `queue ${queue.path}`;
    this.#queue = queue;
    this.#log = log;
    this.#backOff = backOff;
  }

  async start(): Promise<void> {}

  send(message: Message, settle: Settle): Promise<void> | undefined {
    this.#waiting.push({ message, settle });
    this.#waitingSize += message.size;
    this.#committing ??= this.#commit();
    const hasRoom = this.#waiting.length < MOST_WAITING && this.#waitingSize < MOST_WAITING_SIZE;
    return hasRoom ? undefined : this.#committing;
  }

  quarantine(message: Message, reason: string): string {
    const name = this.#queue.addQuarantinedMessage(message, reason);
    return `it is in the quarantine of ${this.#queue.path} as ${name}`;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#committing;
  }

  async #commit(): Promise<void> {
    // The first group begins when all that comes at once is here.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      this.#waitingSize = 0;
      await this.#settleGroup(group);
      if (this.#isHeldUp) this.#log.info(`${this.name} can be written again`);
      this.#isHeldUp = false;
    }
    this.#committing = undefined;
  }

  async #settleGroup(group: Waiting[]): Promise<void> {
    const pauses = this.#backOff && new Pauses(this.#backOff);
    for (let attempt = 1; ; attempt++) {
      const failure = await this.#add(group);
      const code = failure?.code ?? "";
      const isOver = this.#stopping.signal.aborted || attempt >= (this.#backOff?.attempts ?? 1);
      // One of them cannot be written, such as half of a surrogate pair: it shows which, and the others go on. Or
      // there may be room for a part of them, and never for all at once.
      const isDivided = failure instanceof TypeError || (full.includes(code) && !isOver);
      if (isDivided && group.length > 1) {
        const half = group.length >> 1;
        await this.#settleGroup(group.slice(0, half));
        await this.#settleGroup(group.slice(half));
        return;
      }
      if (!failure || !pauses || isOver || !passing.includes(code)) {
        this.#settle(group, failure);
        return;
      }
      if (!this.#isHeldUp) {
        this.#log.warn(`${this.name}: ${failure.message}; trying again until it can be written`);
      }
      this.#isHeldUp = true;
      await sleep(pauses.next(), undefined, { signal: this.#stopping.signal }).catch(() => undefined);
    }
  }

  /** Add all of a group, or nothing. @returns why not */
  async #add(group: readonly Waiting[]): Promise<NodeJS.ErrnoException | undefined> {
    try {
      await this.#queue.addMessages(group.map(({ message }) => message));
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }

  #settle(group: readonly Waiting[], failure?: Error): void {
    if (failure) this.#isHeldUp = false;
    const told =
      failure instanceof TypeError
        ? new MessageError("MESSAGE_NOT_SENDABLE", failure.message, { cause: failure })
        : failure;
    for (const { settle } of group) settle(told);
  }
}
