import { randomBytes } from "node:crypto";
import type { Message } from "@spoolwire/message";
import type { Destination } from "./destination.js";
import type { Subscription } from "./subscription.js";

/** Every start of a broker has message ids of its own: those of a topic come from no disk. */
const START = randomBytes(4).toString("hex");
let serial = 0;

/** Passes messages on to those who are subscribed now; for all others they are gone. */
export class Topic implements Destination {
  readonly #name: string;
  /** All topics that have subscriptions, this one among them while it has. */
  readonly #topics: Map<string, Topic>;
  readonly #subscriptions = new Set<Subscription>();

  constructor(name: string, topics: Map<string, Topic>) {
    this.#name = name;
    this.#topics = topics;
  }

  send(message: Message): void {
    const messageId = `topic/${encodeURIComponent(this.#name)}/${START}-${++serial}`;
    for (const subscription of this.#subscriptions) subscription.publish(message, messageId);
  }

  subscribe(subscription: Subscription): void {
    this.#subscriptions.add(subscription);
    this.#topics.set(this.#name, this);
  }

  unsubscribe(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
    if (this.#subscriptions.size === 0) this.#topics.delete(this.#name);
  }

  /** Nothing waits here. */
  wake(): void {}
}
