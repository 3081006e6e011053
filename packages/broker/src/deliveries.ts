import type { Header } from "@spoolwire/message";
import type { Version } from "@spoolwire/stomp";
import { quote, Refusal } from "./errors.js";
import type { Entry } from "./queue.js";
import type { Subscription } from "./subscription.js";

/** A message that a client has and has not acknowledged. */
export interface Delivery {
  /** What the client calls it. */
  readonly key: string;
  readonly subscription: Subscription;
  readonly entry: Entry;
}

/**
 * What one client has not acknowledged, in the order of delivery. A subscription that is over still has
 * its part, so that a client may stop the flow first and acknowledge then.
 */
export class Deliveries {
  readonly #version: Version;
  readonly #open = new Map<string, Delivery>();
  #serial = 0;

  constructor(version: Version) {
    this.#version = version;
  }

  /** Returns what the client calls this delivery: by a name of its own since STOMP 1.2, by the message's before. */
  add(subscription: Subscription, entry: Entry): string {
    const key = this.#version === "1.2" ? String(++this.#serial) : entry.messageId;
    this.#open.set(key, { key, subscription, entry });
    subscription.outstanding++;
    return key;
  }

  /**
   * The deliveries that an ACK or NACK is about, oldest first; none for a message of a topic.
   * @throws Refusal if it names none
   */
  meant(command: string, headers: Header): readonly Delivery[] {
    const by = this.#version === "1.2" ? "id" : "message-id";
    const key = headers[by];
    if (key === undefined) throw new Refusal(`Expected ${command} to have the header ${by}`);
    if (this.#version === "1.1" && headers.subscription === undefined) {
      throw new Refusal(`Expected ${command} to have the header subscription`);
    }
    if (key.startsWith("topic/")) return [];
    const delivery = this.#open.get(key);
    const subscription = delivery?.subscription;
    if (!delivery || (this.#version === "1.1" && subscription?.terms.id !== headers.subscription)) {
      throw new Refusal(`No message waits for an ${command} with ${by} ${quote(key)}`);
    }
    return subscription?.terms.ackMode === "client" ? this.#upTo(delivery) : [delivery];
  }

  /** This one waits no longer. */
  delete({ key, subscription }: Delivery): void {
    this.#open.delete(key);
    subscription.outstanding--;
  }

  /** All of them, which wait no longer. */
  clear(): readonly Delivery[] {
    const all = [...this.#open.values()];
    for (const delivery of all) this.delete(delivery);
    return all;
  }

  /** `ack:client` is cumulative: what its subscription had before a message goes with it. */
  #upTo(last: Delivery): readonly Delivery[] {
    const meant: Delivery[] = [];
    for (const delivery of this.#open.values()) {
      if (delivery.subscription === last.subscription) meant.push(delivery);
      if (delivery === last) break;
    }
    return meant;
  }
}
