import { consumePlain } from "@spoolwire/dirq";
import { Message } from "./message.js";
import type { MessageQueue } from "./queue.js";

/**
 * An endless sequence of empty messages, as /dev/zero: reading never comes to an end, writing is an error.
 * Nothing is on disk. Every lock is got, every message is empty and binary (`{}`), and the count is 1: there
 * is always one more.
 *
 * The reference calls its elements "first" and "next"; here each has a name of its own, in order, so that
 * a program may hold several at once.
 * Counterpart: Messaging::Message::Queue::ZERO.
 */
export class ZeroMessageQueue implements MessageQueue {
  readonly path = "ZERO";
  readonly id = "ZERO";
  #cursor = names();

  readonly copy = () => new ZeroMessageQueue();

  readonly add: MessageQueue["add"] = refuse;
  readonly addMany: MessageQueue["addMany"] = async () => refuse();
  readonly addMessage: MessageQueue["addMessage"] = refuse;
  readonly addMessages: MessageQueue["addMessages"] = async () => refuse();

  readonly lock: MessageQueue["lock"] = () => true;
  readonly unlock: MessageQueue["unlock"] = () => true;
  readonly touch: MessageQueue["touch"] = () => true;
  readonly get: MessageQueue["get"] = () => empty().serialize();
  readonly getMessage: MessageQueue["getMessage"] = empty;
  readonly remove: MessageQueue["remove"] = () => true;

  readonly addQuarantined: MessageQueue["addQuarantined"] = refuse;
  readonly addQuarantinedMessage: MessageQueue["addQuarantinedMessage"] = refuse;
  /** There is nothing to keep: any other is the same. */
  readonly quarantine: MessageQueue["quarantine"] = (name) => name.slice(-14);
  readonly quarantined = () => [].values();
  readonly requeue = () => undefined;

  readonly consume: MessageQueue["consume"] = (options) => consumePlain(this, this.get, options);
  readonly consumeMessages: MessageQueue["consumeMessages"] = (options) =>
    consumePlain(this, this.getMessage, options);

  readonly count = () => 1;
  readonly purge = async () => ({ temporary: 0, locks: 0, directories: 0 });
  readonly [Symbol.iterator] = names;

  first(): string | undefined {
    this.#cursor = names();
    return this.next();
  }

  next(): string | undefined {
    return this.#cursor.next().value as string | undefined;
  }
}

const empty = () => new Message({ body: Buffer.alloc(0) });

function refuse(): never {
  throw new TypeError("A ZERO queue can only be read");
}

function* names(): IterableIterator<string> {
  for (let index = 0; ; index++) yield `00000000/${index.toString(16).padStart(14, "0")}`;
}
