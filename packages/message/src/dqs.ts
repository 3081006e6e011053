import {
  SimpleQueue,
  type ConsumeOptions,
  type Consumer,
  type OnAdded,
  type QueueOptions,
  type Surroundings,
} from "@spoolwire/dirq";
import { parseCompression } from "./compression.js";
import { mapped, messageIn, reading } from "./element.js";
import { checkLimits, type MessageLimits } from "./limits.js";
import { Message, type WriteOptions } from "./message.js";
import type { MessageQueue } from "./queue.js";

/** A simple queue's options, how to write messages, and what reading one may cost. */
export interface DqsOptions extends QueueOptions, WriteOptions, MessageLimits {}

/**
 * Messages in a simple queue, each element the JSON form of one.
 * Counterpart: Messaging::Message::Queue::DQS.
 */
export class DqsQueue extends SimpleQueue implements MessageQueue {
  readonly #options: DqsOptions;
  readonly #surroundings: Surroundings | undefined;
  readonly #write: WriteOptions;
  readonly #limits: MessageLimits;

  /** @throws TypeError, RangeError naming the option; ENOENT if `create` is false and nothing is there */
  constructor(options: DqsOptions, surroundings?: Surroundings) {
    const { compression, maxDecompressed, maxHeaderCount, ...rest } = options;
    if (compression !== undefined) parseCompression(compression);
    const limits = checkLimits({
      ...(maxDecompressed !== undefined && { maxDecompressed }),
      ...(maxHeaderCount !== undefined && { maxHeaderCount }),
    });
    super(rest, surroundings);
    this.#options = options;
    this.#surroundings = surroundings;
    this.#write = { compression };
    this.#limits = limits;
  }

  override copy(): this {
    return new DqsQueue({ ...this.#options, create: false }, this.#surroundings) as this;
  }

  addMessage(message: Message): string {
    return this.add(message.stringify(this.#write));
  }

  addMessages(messages: Iterable<Message>, onAdded?: OnAdded): Promise<string[]> {
    return this.addMany(
      mapped(messages, (message) => message.stringify(this.#write)),
      onAdded,
    );
  }

  addQuarantinedMessage(message: Message, reason: string): string {
    return this.addQuarantined(message.stringify(this.#write), reason);
  }

  consumeMessages(options: ConsumeOptions = {}): Consumer<Message> {
    return this.consumeAs(reading(this), options);
  }

  getMessage(name: string): Message {
    const bytes = this.get(name);
    return messageIn(`${this.path}/${name}`, () => Message.deserialize(bytes, this.#limits));
  }
}
