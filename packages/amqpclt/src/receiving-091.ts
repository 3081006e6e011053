import { BrokerError, type Message } from "@spoolwire/message";
import { about } from "@spoolwire/program";
import {
  refuseTwice,
  type BrokerList,
  type BrokerSourceOptions,
  type Delivery,
  type ReceivingConnection,
  type ReceivingProtocol,
} from "@spoolwire/transfer";
import type { Channel, ConsumeMessage } from "amqplib";
import { isPlain, parseSubscription, type Address } from "./address.js";
import { checkBroker, type Place } from "./connect.js";
import { Connection091 } from "./connection-091.js";
import { declare } from "./declare.js";
import { fromContent } from "./mapping-091.js";

/** How many messages the broker sends ahead unless it is told: they are in memory, whatever their size. */
export const DEFAULT_PREFETCH = 200;

interface Subscription {
  /** What the broker is to call it. */
  readonly id: string | undefined;
  readonly address: Address;
}

/**
 * How messages are received with AMQP 0-9-1. Each is acknowledged, also by a source that is not reliable: without
 * that the broker would send all it has at once.
 */
export class Receiving091 implements ReceivingProtocol {
  readonly brokers: BrokerList<Place>;
  readonly #options: BrokerSourceOptions;
  readonly #subscriptions: readonly Subscription[];

  /** @throws ConfigError */
  constructor(options: BrokerSourceOptions) {
    this.#options = options;
    this.brokers = checkBroker(options, "amqp091");
    this.#subscriptions = about("subscribe", () =>
      options.subscriptions.map(({ id, ...properties }) => ({ id, address: parseSubscription(properties) })),
    );
    refuseTwice(this.#subscriptions.map(({ id }) => id));
  }

  async connect(
    arrive: (delivery: Delivery) => void,
    lost: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<ReceivingConnection> {
    const { uri, timeoutBroker } = this.#options;
    const connection = await Connection091.open(this.brokers, this.#options, lost, signal);
    const late = `${uri} did not answer to the subscription within ${timeoutBroker} s`;
    const patience = { ms: timeoutBroker * 1000, signal, late };
    await connection.establish(this.#subscribe(connection, arrive), patience);
    return connection;
  }

  async #subscribe(connection: Connection091, arrive: (delivery: Delivery) => void): Promise<void> {
    const channel = connection.watch(await connection.model.createChannel());
    await channel.prefetch(this.#options.prefetch ?? DEFAULT_PREFETCH, true);
    for (const { id, address } of this.#subscriptions) {
      const queue = (await declare(channel, address)) ?? "";
      const isGiven = address.queue !== undefined && !isPlain(address.queue);
      const ended = new BrokerError("BROKER_CLOSED", `The broker has ended the subscription to ${queue}`);
      const take = (message: ConsumeMessage | null) => {
        if (connection.isOver) return;
        if (message) arrive(new Delivery091(message, isGiven, channel, connection));
        else connection.end(ended);
      };
      await channel.consume(queue, take, id === undefined ? {} : { consumerTag: id });
    }
  }
}

class Delivery091 implements Delivery {
  readonly #message: ConsumeMessage;
  readonly #isGiven: boolean;
  readonly #channel: Channel;
  readonly #connection: Connection091;

  constructor(message: ConsumeMessage, isGiven: boolean, channel: Channel, connection: Connection091) {
    this.#message = message;
    this.#isGiven = isGiven;
    this.#channel = channel;
    this.#connection = connection;
  }

  read(): Message {
    const { content, properties, fields } = this.#message;
    const { exchange, routingKey } = fields;
    return fromContent(content, properties, { exchange, routingKey, isGiven: this.#isGiven });
  }

  accept(): void {
    if (this.#connection.isOver) return;
    this.#connection.gatherAcks();
    this.#channel.ack(this.#message);
  }

  describe(): string {
    const { messageId } = this.#message.properties as { readonly messageId?: string };
    return messageId === undefined
      ? `delivery ${this.#message.fields.deliveryTag}`
      : `message-id ${messageId}`;
  }
}
