import { consumePlain, DirqError, NullQueue } from "@spoolwire/dirq";
import type { MessageQueue } from "./queue.js";

const hole = new NullQueue();
const discard: MessageQueue["addMany"] = (elements, onAdded) => hole.addMany(elements, onAdded);

/**
 * A black hole, as /dev/null: what is added is gone, and the queue is always empty. Nothing is on disk.
 * Any element is one that somebody else has removed, and is answered for as such. What adds returns the
 * empty string, as there is no element that it could name.
 * Counterpart: Messaging::Message::Queue::NULL.
 */
export class NullMessageQueue implements MessageQueue {
  readonly path = "NULL";
  readonly id = "NULL";

  readonly copy = () => new NullMessageQueue();

  readonly add: MessageQueue["add"] = () => "";
  readonly addMany: MessageQueue["addMany"] = discard;
  readonly addMessage: MessageQueue["addMessage"] = () => "";
  readonly addMessages: MessageQueue["addMessages"] = discard;

  readonly lock: MessageQueue["lock"] = (name, permissive = true) => !permissive && gone(name);
  readonly unlock: MessageQueue["unlock"] = (name, permissive = false) => !permissive && gone(name);
  readonly touch: MessageQueue["touch"] = () => false;
  readonly get: MessageQueue["get"] = gone;
  readonly getMessage: MessageQueue["getMessage"] = gone;
  readonly remove: MessageQueue["remove"] = gone;

  readonly addQuarantined: MessageQueue["addQuarantined"] = () => "";
  readonly addQuarantinedMessage: MessageQueue["addQuarantinedMessage"] = () => "";
  readonly quarantine: MessageQueue["quarantine"] = gone;
  readonly quarantined = () => [].values();
  readonly requeue = () => undefined;

  readonly consume: MessageQueue["consume"] = (options) => consumePlain(this, this.get, options);
  readonly consumeMessages: MessageQueue["consumeMessages"] = (options) =>
    consumePlain(this, this.getMessage, options);

  readonly count = () => 0;
  readonly first = () => undefined;
  readonly next = () => undefined;
  readonly [Symbol.iterator] = () => [].values();
  readonly purge = async () => ({ temporary: 0, locks: 0, directories: 0 });
}

function gone(name: string): never {
  throw new DirqError(
    "DIRQ_NOT_LOCKED",
    `A NULL queue is always empty: it has no element ${JSON.stringify(name)}`,
  );
}
