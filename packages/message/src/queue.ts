import type { DirQueue, QueueOptions } from "@spoolwire/dirq";
import { DqsQueue } from "./dqs.js";
import type { Message } from "./message.js";

/**
 * A directory queue whose elements are messages. All else is as `DirQueue` says.
 * Counterpart: Messaging::Message::Queue.
 */
export interface MessageQueue extends DirQueue {
  /** Add a message and return its element's name. */
  addMessage(message: Message): string;

  /** Add messages in groups, as `addMany` does. */
  addMessages(messages: Iterable<Message>): Promise<string[]>;

  /**
   * The message in a locked element; one that is malformed stays where it is, locked.
   * @throws DirqError DIRQ_NOT_LOCKED, DIRQ_BAD_DATA; MessageError, which names the element's file
   */
  getMessage(name: string): Message;
}

export interface MessageQueueOptions extends QueueOptions {
  /** `DQS`: simple, one file a message (the default). */
  readonly type?: "DQS";
}

/**
 * Open a message queue by its type.
 * Counterpart: Messaging::Message::Queue->new().
 * @throws TypeError, RangeError naming the option
 */
export function openMessageQueue(options: MessageQueueOptions): MessageQueue {
  const { type = "DQS", ...rest } = options;
  if ((type as string) !== "DQS") {
    throw new TypeError(`Expected \`type\` to be one of DQS, got ${JSON.stringify(type)}`);
  }
  return new DqsQueue(rest);
}
