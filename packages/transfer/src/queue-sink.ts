import type { Message, MessageQueue } from "@spoolwire/message";
import type { Settle, Sink } from "./sink.js";

/** Messages into a directory queue: safe once they are in it. */
export class QueueSink implements Sink {
  readonly name: string;
  readonly #queue: MessageQueue;

  constructor(queue: MessageQueue) {
    this.name = `queue ${queue.path}`;
    this.#queue = queue;
  }

  async start(): Promise<void> {}

  send(message: Message, settle: Settle): undefined {
    this.#queue.addMessage(message);
    settle();
  }

  async stop(): Promise<void> {}
}
