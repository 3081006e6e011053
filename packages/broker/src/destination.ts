import type { Message } from "@spoolwire/message";
import type { Subscription } from "./subscription.js";

/** Where messages are sent to and delivered from. */
export interface Destination {
  /** Take a message. When this returns, a queue has it on disk. */
  send(message: Message): void;
  subscribe(subscription: Subscription): void;
  unsubscribe(subscription: Subscription): void;
  /** A subscription may be able to take more than it was. */
  wake(): void;
}
