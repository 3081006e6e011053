import type { Message } from "@spoolwire/message";
import type { Destination } from "./destination.js";
import type { DeliveryHeaders } from "./mapping.js";
import type { Entry } from "./queue.js";

export const ackModes = ["auto", "client", "client-individual"] as const;
/** When a message is done with: right before it is sent, when it or a later one is acknowledged, when it itself is. */
export type AckMode = (typeof ackModes)[number];

/** What a subscription needs of its client. */
export interface Client {
  /** It reads what it is sent. */
  readonly canTake: boolean;
  /** A message that must be acknowledged is on its way. Returns what the client will call it. */
  track(subscription: Subscription, entry: Entry): string;
  /** Send a MESSAGE. */
  deliver(message: Message, headers: DeliveryHeaders): void;
  /** Send a MESSAGE that cannot wait: a client with too much to read already is given up. */
  publish(message: Message, headers: DeliveryHeaders): void;
}

/** What a SUBSCRIBE asks for. */
export interface SubscriptionTerms {
  /** In STOMP 1.0 there may be none. */
  readonly id: string | undefined;
  readonly destination: string;
  readonly ackMode: AckMode;
  /** Most messages that are delivered and not acknowledged; 0: no limit. */
  readonly prefetch: number;
}

/** A client's wish for the messages of a destination. */
export class Subscription {
  readonly terms: SubscriptionTerms;
  readonly target: Destination;
  /** Messages that are delivered and not acknowledged. */
  outstanding = 0;
  readonly #client: Client;

  constructor(terms: SubscriptionTerms, target: Destination, client: Client) {
    this.terms = terms;
    this.target = target;
    this.#client = client;
  }

  /** There is room for a message from a queue. */
  get canTake(): boolean {
    const { ackMode, prefetch } = this.terms;
    if (!this.#client.canTake) return false;
    return ackMode === "auto" || prefetch === 0 || this.outstanding < prefetch;
  }

  /** Take a message from a queue. */
  deliver(entry: Entry, message: Message): void {
    const isAuto = this.terms.ackMode === "auto";
    // Before it is sent: what cannot be removed stays, and is tried again. Sent first it would come again and again from
    // a disk that is read-only. What a crash loses between the two is no more than what the network loses with ack:auto.
    if (isAuto) entry.queue.remove(entry);
    const ack = isAuto ? undefined : this.#client.track(this, entry);
    this.#client.deliver(message, this.#headers(entry.messageId, ack, entry.redelivered));
    entry.redelivered = true;
  }

  /** Take a message from a topic. There is nothing to acknowledge, but a client may do so. */
  publish(message: Message, messageId: string): void {
    const ack = this.terms.ackMode === "auto" ? undefined : messageId;
    this.#client.publish(message, this.#headers(messageId, ack, false));
  }

  #headers(messageId: string, ack: string | undefined, redelivered: boolean): DeliveryHeaders {
    const { id, destination } = this.terms;
    return { destination, messageId, subscription: id, ack, redelivered };
  }
}
