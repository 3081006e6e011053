import { isUtf8 } from "node:buffer";
import {
  DirqError,
  NormalQueue,
  type ConsumeOptions,
  type HeldElement,
  typeOfQueue,
  type DirQueue,
  type Durability,
  type Fields,
} from "@spoolwire/dirq";
import { DqnQueue, DqsQueue, Message, type Compression, type MessageQueue } from "@spoolwire/message";
import { ConfigError, type OptionValues, type Properties } from "@spoolwire/program";
import { fieldsFromJson, fieldsToJson } from "./fields.js";
import type { addingOptions, typeOptions } from "./options.js";

/** In what form an element goes in or out: as it is stored, as the body of a message, as a line of JSON. */
export type Form = "content" | "body" | "json";

/** A queue as the commands see it: outside of it elements are bytes, whatever its type. */
export interface Spool {
  readonly type: "simple" | "normal";
  readonly queue: DirQueue;
  /**
   * Make what `add` takes.
   * @throws MessageError, DirqError DIRQ_BAD_DATA if it is no element of this queue
   */
  encode(input: Buffer, form: Form, header?: Properties): unknown;
  /** Add what `encode` has made, together. Returns the names, in order. */
  add(items: readonly unknown[]): Promise<string[]>;
  /**
   * A locked element. JSON has a line feed at its end.
   * @throws DirqError DIRQ_NOT_LOCKED, DIRQ_BAD_DATA; MessageError
   */
  read(name: string, form: Form): string | Buffer;
  /** As `DirQueue.consume`, with contents as `read` gives them. */
  consume(form: Form, options: ConsumeOptions): AsyncIterable<HeldElement<string | Buffer>>;
}

export type SpoolOptions = Partial<OptionValues<typeof typeOptions> & OptionValues<typeof addingOptions>> & {
  /** Make the directory if it is not there. */
  readonly create?: boolean;
};

/**
 * Open a queue. Its type is what its directory looks like, or that of the options if there is none yet.
 * @throws ConfigError if the options make no sense, or not to this queue
 */
export function openSpool(path: string, options: SpoolOptions): Spool {
  const { type, schema, compression, create = false } = options;
  const durability = options.durability as Durability | undefined;
  const asked = type === undefined ? schema && "normal" : /^(normal|DQN)$/.test(type) ? "normal" : "simple";
  const found = typeOfQueue(path);
  if (asked !== undefined && found !== undefined && asked !== found) {
    throw new ConfigError(`Expected ${path} to be a ${asked} queue, got a ${found} one`);
  }
  if (schema !== undefined && type !== undefined && type !== "normal") {
    throw new ConfigError(`--schema does not go with --type ${type}`);
  }
  const common = { path, create, ...(durability !== undefined && { durability }) };
  const compressed = {
    ...common,
    ...(compression !== undefined && { compression: compression as Compression }),
  };
  try {
    if (schema) return new FieldSpool(new NormalQueue({ ...common, schema }), schema);
    const kind = asked ?? found ?? "simple";
    return new MessageSpool(kind, kind === "normal" ? new DqnQueue(compressed) : new DqsQueue(compressed));
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new ConfigError(error.message.replace(/`(\w+)`/, "--$1"), { cause: error });
  }
}

/** A queue of messages; a simple one may have any bytes. */
class MessageSpool implements Spool {
  readonly type;
  readonly queue: MessageQueue;

  constructor(type: Spool["type"], queue: MessageQueue) {
    this.type = type;
    this.queue = queue;
  }

  encode(input: Buffer, form: Form, header?: Properties): Buffer | Message {
    if (form === "json") return Message.deserialize(input);
    if (form === "content" && this.type === "simple") return input;
    // Text where it is, so that people can read the spool; bytes stay the same either way.
    const body = isUtf8(input) ? input.toString() : input;
    return new Message({ ...(header && { header }), body });
  }

  add(items: readonly unknown[]): Promise<string[]> {
    if (items[0] instanceof Message) return this.queue.addMessages(items as Message[]);
    return this.queue.addMany(items);
  }

  read(name: string, form: Form): string | Buffer {
    if (form === "content" && this.type === "simple") return this.queue.get(name) as Buffer;
    return inForm(this.queue.getMessage(name), form);
  }

  consume(form: Form, options: ConsumeOptions): AsyncIterable<HeldElement<string | Buffer>> {
    if (form === "content" && this.type === "simple")
      return mapped(this.queue.consume(options), (bytes) => bytes as Buffer);
    return mapped(this.queue.consumeMessages(options), (message) => inForm(message, form));
  }
}

/** A normal queue with a schema of its own; its elements go in and out as JSON. */
class FieldSpool implements Spool {
  readonly type = "normal";
  readonly queue: NormalQueue;
  readonly #schema: Properties;

  constructor(queue: NormalQueue, schema: Properties) {
    this.queue = queue;
    this.#schema = schema;
  }

  encode(input: Buffer, form: Form): Fields {
    if (form !== "json") throw new ConfigError("The elements of a queue with a schema are added with --json");
    return fieldsFromJson(input, this.#schema);
  }

  async add(items: readonly unknown[]): Promise<string[]> {
    try {
      return await this.queue.addMany(items as Fields[]);
    } catch (error) {
      // The fields came from outside: what is wrong with them is no fault of ours.
      if (!(error instanceof TypeError)) throw error;
      throw new DirqError("DIRQ_BAD_DATA", error.message, { cause: error });
    }
  }

  read(name: string, form: Form): string {
    demandJson(form);
    return `${fieldsToJson(this.queue.get(name))}\n`;
  }

  consume(form: Form, options: ConsumeOptions): AsyncIterable<HeldElement<string>> {
    demandJson(form);
    return mapped(this.queue.consume(options), (element) => `${fieldsToJson(element)}\n`);
  }
}

function demandJson(form: Form): void {
  if (form === "body") throw new ConfigError("--body is for messages, not for a queue with a schema");
}

const inForm = (message: Message, form: Form): string | Buffer =>
  form === "body" ? message.body : `${message.stringify()}\n`;

/** The same elements with other contents. */
async function* mapped<From, To>(
  elements: AsyncIterable<HeldElement<From>>,
  map: (content: From) => To,
): AsyncIterable<HeldElement<To>> {
  for await (const element of elements) yield { ...element, content: map(element.content) };
}
