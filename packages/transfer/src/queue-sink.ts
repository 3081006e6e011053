import type { Message, MessageQueue } from "@spoolwire/message";
import type { Settle, Sink } from "./sink.js";

/** So many messages may wait for the disk before the source is slowed. */
const MOST_WAITING = 1000;

interface Waiting {
  readonly message: Message;
  readonly settle: Settle;
}

/**
 * Messages into a directory queue: safe once they are in it. With `inGroups`, for a durable queue, those
 * that come while the disk is busy with others are committed together when it is done.
 */
export class QueueSink implements Sink {
  readonly name: string;
  readonly #queue: MessageQueue;
  readonly #inGroups: boolean;
  #waiting: Waiting[] = [];
  #committing: Promise<void> | undefined;

  constructor(queue: MessageQueue, options: { readonly inGroups?: boolean } = {}) {
    this.name = `queue ${queue.path}`;
    this.#queue = queue;
    this.#inGroups = options.inGroups ?? false;
  }

  async start(): Promise<void> {}

  send(message: Message, settle: Settle): Promise<void> | undefined {
    if (!this.#inGroups) {
      this.#queue.addMessage(message);
      settle();
      return undefined;
    }
    this.#waiting.push({ message, settle });
    this.#committing ??= this.#commit();
    return this.#waiting.length < MOST_WAITING ? undefined : this.#committing;
  }

  async stop(): Promise<void> {
    await this.#committing;
  }

  async #commit(): Promise<void> {
    // The first group begins when all that comes at once is here.
    await new Promise(setImmediate);
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      let failure: Error | undefined;
      try {
        await this.#queue.addMessages(group.map(({ message }) => message));
      } catch (error) {
        failure = error as Error;
      }
      for (const { settle } of group) settle(failure);
    }
    this.#committing = undefined;
  }
}
