import {
  NormalQueue,
  type ConsumeOptions,
  type Fields,
  type FieldsToAdd,
  type Consumer,
  type NormalQueueOptions,
  type OnAdded,
  type Surroundings,
} from "@spoolwire/dirq";
import { mapped, messageIn, reading } from "./element.js";
import { MessageError } from "./errors.js";
import { checkLimits, type MessageLimits } from "./limits.js";
import type { Header } from "./header.js";
import { demandBody, Message } from "./message.js";
import type { MessageQueue } from "./queue.js";

/** A normal queue's options, but for the schema, which is that of messages; and what reading one may cost. */
export interface DqnOptions
  extends Omit<NormalQueueOptions, "schema">, Pick<MessageLimits, "maxHeaderCount"> {}

/** The body is in `text` if it is text, else in `binary`; there is always one of the two. */
const schema = { header: "table", text: "string?", binary: "binary?" };

/**
 * Messages in a normal queue, each element the header and the body of one, uncompressed.
 * Counterpart: Messaging::Message::Queue::DQN.
 */
export class DqnQueue extends NormalQueue implements MessageQueue {
  readonly #options: DqnOptions;
  readonly #surroundings: Surroundings | undefined;
  readonly #maxHeaderCount: number;

  /** @throws TypeError, RangeError naming the option; ENOENT if `create` is false and nothing is there */
  constructor(options: DqnOptions, surroundings?: Surroundings) {
    const { maxHeaderCount, ...rest } = options;
    if ("schema" in rest) throw new TypeError("Unknown option `schema`: that of a DQN queue is fixed");
    const limits = checkLimits({ ...(maxHeaderCount !== undefined && { maxHeaderCount }) });
    super({ ...rest, schema }, surroundings);
    this.#options = options;
    this.#surroundings = surroundings;
    this.#maxHeaderCount = limits.maxHeaderCount;
  }

  override copy(): this {
    return new DqnQueue({ ...this.#options, create: false }, this.#surroundings) as this;
  }

  addMessage(message: Message): string {
    return this.add(toFields(message));
  }

  addMessages(messages: Iterable<Message>, onAdded?: OnAdded): Promise<string[]> {
    return this.addMany(mapped(messages, toFields), onAdded);
  }

  addQuarantinedMessage(message: Message, reason: string): string {
    return this.addQuarantined(toFields(message) as Fields, reason);
  }

  consumeMessages(options: ConsumeOptions = {}): Consumer<Message> {
    return this.consumeAs(reading(this), options);
  }

  getMessage(name: string): Message {
    return messageIn(`${this.path}/${name}`, () => toMessage(this.get(name), this.#maxHeaderCount));
  }
}

function toFields({ header, body }: Message): FieldsToAdd {
  demandBody(body);
  return typeof body === "string" ? { header, text: body } : { header, binary: body };
}

/** @throws MessageError MESSAGE_BAD_FIELDS */
function toMessage(fields: Fields, maxHeaderCount: number): Message {
  const { header, text, binary } = fields as { header: Header; text?: string; binary?: Buffer };
  const body = text ?? binary;
  if (body === undefined || (text !== undefined && binary !== undefined)) {
    const found = body === undefined ? "neither" : "both";
    throw new MessageError("MESSAGE_BAD_FIELDS", `Expected one of the fields text and binary, got ${found}`);
  }
  const count = Object.keys(header).length;
  if (count > maxHeaderCount) {
    throw new MessageError(
      "MESSAGE_BAD_FIELDS",
      `Expected at most ${maxHeaderCount} header fields, got ${count}`,
    );
  }
  return new Message({ header, body });
}
