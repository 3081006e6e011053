import type { Header, Message } from "@spoolwire/message";
import type { Frame, ReceivedFrame, Version } from "@spoolwire/stomp";
import { Deliveries, type Delivery } from "./deliveries.js";
import type { Destinations } from "./destinations.js";
import { quote, Refusal } from "./errors.js";
import { messageFrame, received, type DeliveryHeaders } from "./mapping.js";
import type { Entry, Queue } from "./queue.js";
import { ackModes, Subscription, type AckMode, type Client } from "./subscription.js";

/** Frames counted since the start. */
export interface Counts {
  /** SEND frames taken. */
  received: number;
  /** MESSAGE frames sent. */
  delivered: number;
}

/** What a session needs of its connection. */
export interface Outlet {
  readonly canTake: boolean;
  /** So much waits for a client that does not read that it is given up. */
  readonly isStuck: boolean;
  send(frame: Frame): void;
  /** Send what waits, and end the connection. */
  end(): void;
  fail(error: Error): void;
}

/** A client that is logged in: its subscriptions, and what it has not acknowledged. */
export class Session implements Client {
  readonly #version: Version;
  readonly #outlet: Outlet;
  readonly #destinations: Destinations;
  readonly #prefetch: number;
  readonly #counts: Counts;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #deliveries: Deliveries;

  constructor(
    version: Version,
    outlet: Outlet,
    { destinations, prefetch, counts }: { destinations: Destinations; prefetch: number; counts: Counts },
  ) {
    this.#version = version;
    this.#outlet = outlet;
    this.#destinations = destinations;
    this.#prefetch = prefetch;
    this.#counts = counts;
    this.#deliveries = new Deliveries(version);
  }

  get canTake(): boolean {
    return this.#outlet.canTake;
  }

  get subscriptionCount(): number {
    return this.#subscriptions.size;
  }

  /**
   * Do what a frame asks for, piece by piece, and confirm it.
   * @throws Refusal; a file failure
   */
  *handle({ command, headers, ...rest }: ReceivedFrame): Generator<undefined, void> {
    if (headers.transaction !== undefined) throw noTransactions();
    switch (command) {
      case "SEND":
        this.#destinations.find(headers.destination).send(received({ command, headers, ...rest }));
        this.#counts.received++;
        break;
      case "SUBSCRIBE":
        this.#subscribe(headers);
        break;
      case "UNSUBSCRIBE":
        this.#unsubscribe(headers);
        break;
      case "ACK":
        for (const delivery of this.#deliveries.meant(command, headers)) {
          delivery.entry.queue.remove(delivery.entry);
          this.#deliveries.delete(delivery);
          yield;
        }
        break;
      case "NACK": {
        const meant = this.#deliveries.meant(command, headers);
        for (const delivery of meant) this.#deliveries.delete(delivery);
        giveBack(meant);
        break;
      }
      case "BEGIN":
      case "COMMIT":
      case "ABORT":
        throw noTransactions();
      case "DISCONNECT":
        break;
      case "CONNECT":
      case "STOMP":
        throw new Refusal("Connected already");
      default:
        throw new Refusal(`Unknown frame ${command}`);
    }
    const { receipt } = headers;
    if (receipt !== undefined) {
      this.#outlet.send({ command: "RECEIPT", headers: { "receipt-id": receipt }, body: "" });
    }
    if (command === "DISCONNECT") this.#outlet.end();
  }

  /** The client can take more than it could. */
  wake(): void {
    for (const { target } of this.#subscriptions.values()) target.wake();
  }

  /** The client is gone: others get what it has not acknowledged. May be called twice. */
  release(): void {
    for (const subscription of this.#subscriptions.values()) subscription.target.unsubscribe(subscription);
    this.#subscriptions.clear();
    giveBack(this.#deliveries.clear());
  }

  track(subscription: Subscription, entry: Entry): string {
    return this.#deliveries.add(subscription, entry);
  }

  deliver(message: Message, headers: DeliveryHeaders): void {
    this.#outlet.send(messageFrame(message, headers, this.#version));
    this.#counts.delivered++;
  }

  publish(message: Message, headers: DeliveryHeaders): void {
    if (this.#outlet.isStuck) {
      this.#outlet.fail(new Refusal(`Too slow for ${headers.destination}: too much waits to be read`));
    } else this.deliver(message, headers);
  }

  #subscribe(headers: Header): void {
    const { id, destination = "", ack = "auto" } = headers;
    const key = this.#key(headers);
    if (this.#subscriptions.has(key)) throw new Refusal(`There is a subscription ${quote(key)}`);
    if (!ackModes.includes(ack as AckMode)) {
      throw new Refusal(`Expected ack to be one of ${ackModes.join(", ")}, got ${quote(ack)}`);
    }
    // Who selects would lose the messages that it did not want.
    if (headers.selector !== undefined) throw new Refusal("Selectors are not supported");
    const count = headers["prefetch-count"] ?? String(this.#prefetch);
    if (!/^\d{1,9}$/.test(count)) {
      throw new Refusal(`Expected prefetch-count to be a number of messages, got ${quote(count)}`);
    }
    const target = this.#destinations.find(headers.destination);
    const terms = { id, destination, ackMode: ack as AckMode, prefetch: Number(count) };
    const subscription = new Subscription(terms, target, this);
    this.#subscriptions.set(key, subscription);
    target.subscribe(subscription);
  }

  #unsubscribe(headers: Header): void {
    const key = this.#key(headers);
    const subscription = this.#subscriptions.get(key);
    if (!subscription) throw new Refusal(`There is no subscription ${quote(key)}`);
    subscription.target.unsubscribe(subscription);
    this.#subscriptions.delete(key);
  }

  /** A subscription goes by its id; in STOMP 1.0 the destination will do. */
  #key({ id, destination }: Header): string {
    const key = id ?? (this.#version === "1.0" ? destination : undefined);
    if (key === undefined) throw new Refusal("Expected a subscription to have the header id");
    return key;
  }
}

const noTransactions = () => new Refusal("Transactions are not supported");

function giveBack(deliveries: readonly Delivery[]): void {
  const entries = new Map<Queue, Entry[]>();
  for (const { entry } of deliveries) {
    const list = entries.get(entry.queue);
    if (list) list.push(entry);
    else entries.set(entry.queue, [entry]);
  }
  for (const [queue, list] of entries) queue.giveBack(list);
}
