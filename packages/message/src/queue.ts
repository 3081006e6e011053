import type { ConsumeOptions, Consumer, DirQueue, OnAdded } from "@spoolwire/dirq";
import { DqnQueue, type DqnOptions } from "./dqn.js";
import { DqsQueue, type DqsOptions } from "./dqs.js";
import type { Message } from "./message.js";
import { NullMessageQueue } from "./null.js";
import { ZeroMessageQueue } from "./zero.js";

/**
 * A directory queue whose elements are messages. All else is as `DirQueue` says.
 * Counterpart: Messaging::Message::Queue.
 */
export interface MessageQueue extends DirQueue {
  /** Add a message and return its element's name. */
  addMessage(message: Message): string;

  /** Add messages in groups, as `addMany` does. */
  addMessages(messages: Iterable<Message>, onAdded?: OnAdded): Promise<string[]>;

  /** Put a message straight into the quarantine, as `addQuarantined` does. */
  addQuarantinedMessage(message: Message, reason: string): string;

  /**
   * The message in a locked element; one that is malformed stays where it is, locked.
   * @throws DirqError DIRQ_NOT_LOCKED, DIRQ_BAD_DATA; MessageError, which names the element's file
   */
  getMessage(name: string): Message;

  /** As `consume`, with messages for contents; what is none is moved aside, and `onEvent` told. */
  consumeMessages(options?: ConsumeOptions): Consumer<Message>;
}

/** Each type has its own options. */
export type MessageQueueOptions =
  | ({
      /** Simple, one file a message (the default). */
      readonly type?: "DQS";
    } & DqsOptions)
  | ({
      /** Normal, a directory a message, with a file for its header and one for its body. */
      readonly type: "DQN";
    } & DqnOptions)
  | ({
      /** `NULL`: a black hole. `ZERO`: an endless sequence of empty messages. */
      readonly type: "NULL" | "ZERO";
      // Those of the other types mean nothing here: a program is tried out by altering the type alone.
    } & Partial<DqsOptions & DqnOptions>);

const types = ["DQS", "DQN", "NULL", "ZERO"];

/**
 * Open a message queue by its type.
 * Counterpart: Messaging::Message::Queue->new().
 * @throws TypeError, RangeError naming the option
 */
export function openMessageQueue(options: MessageQueueOptions): MessageQueue {
  const { type = "DQS", ...rest } = options;
  switch (type) {
    case "DQS":
      return new DqsQueue(rest as DqsOptions);
    case "DQN":
      return new DqnQueue(rest as DqnOptions);
    case "NULL":
      return new NullMessageQueue();
    case "ZERO":
      return new ZeroMessageQueue();
    default:
      throw new TypeError(
        `Expected \`type\` to be one of ${types.join(", ")}, got ${JSON.stringify(type satisfies never)}`,
      );
  }
}
