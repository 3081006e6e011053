import { SimpleQueue } from "@spoolwire/dirq";
import { MessageError } from "./errors.js";
import { Message } from "./message.js";
import type { MessageQueue } from "./queue.js";

/**
 * Messages in a simple queue, each element the JSON form of one.
 * Counterpart: Messaging::Message::Queue::DQS.
 */
export class DqsQueue extends SimpleQueue implements MessageQueue {
  addMessage(message: Message): string {
    return this.add(message.stringify());
  }

  addMessages(messages: Iterable<Message>): Promise<string[]> {
    return this.addMany(Array.from(messages, (message) => message.stringify()));
  }

  getMessage(name: string): Message {
    const bytes = this.get(name);
    try {
      return Message.deserialize(bytes);
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      throw new MessageError(error.code, `${this.path}/${name} is no message: ${error.message}`, {
        cause: error,
      });
    }
  }
}
