import { DirqError, type Reading } from "@spoolwire/dirq";
import { MessageError } from "./errors.js";
import type { Message } from "./message.js";
import type { MessageQueue } from "./queue.js";

const isBadData = (error: unknown): error is DirqError =>
  error instanceof DirqError && error.code === "DIRQ_BAD_DATA";

/** Read the message in an element; what is wrong with its content is told with the path of the element. */
export function messageIn(path: string, read: () => Message): Message {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MessageError || isBadData(error))) throw error;
    const code = error instanceof MessageError ? error.code : "MESSAGE_BAD_FIELDS";
    throw new MessageError(code, `${path} is no message: ${error.message}`, { cause: error });
  }
}

/** How a consumer reads messages, and knows those that are none. */
export const reading = (queue: MessageQueue): Reading<Message> => ({
  read: (name) => queue.getMessage(name),
  isMalformed: (error) => error instanceof MessageError || isBadData(error),
});

/** Each of these made into something else, when it is asked for. */
export function* mapped<From, To>(items: Iterable<From>, make: (item: From) => To): Iterable<To> {
  for (const item of items) yield make(item);
}
