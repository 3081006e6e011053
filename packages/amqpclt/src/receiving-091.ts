import { BrokerError, type Message } from "@spoolwire/message";
import { about } from "@spoolwire/program";
import type {
  BrokerList,
  BrokerSourceOptions,
  Delivery,
  ReceivingConnection,
  ReceivingProtocol,
} from "@spoolwire/transfer";
import type { Channel, ConsumeMessage } from "amqplib";
import { parseSubscription, type Address } from "./address.js";
import { checkBroker, within, type Place } from "./connect.js";
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
  }

  async connect(
    arrive: (delivery: Delivery) => void,
    lost: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<ReceivingConnection> {
    const { uri, timeoutBroker } = this.#options;
    const connection = await Connection091.open(this.brokers, this.#options, lost, signal);
    try {
      const late = `${uri} did not answer to the subscription within ${timeoutBroker} s`;
      await within(this.#subscribe(connection, arrive), { ms: timeoutBroker * 1000, signal, late });
    } catch (error) {
      connection.end(error as Error);
      if (error instanceof BrokerError) throw error;
      throw new BrokerError("BROKER_REJECTED", `${uri}: ${(error as Error).message}`, { cause: error });
    }
    return connection;
  }

  async #subscribe(connection: Connection091, arrive: (delivery: Delivery) => void): Promise<void> {
    const channel = connection.watch(await connection.model.createChannel());
    await channel.prefetch(this.#options.prefetch ?? DEFAULT_PREFETCH, true);
    for (const { id, address } of this.#subscriptions) {
      const queue = (await declare(channel, address)) ?? "";
      const ended = new BrokerError("BROKER_CLOSED", `The broker has ended the subscription to ${queue}`);
      const take = (message: ConsumeMessage | null) => {
        if (connection.isOver) return;
        if (message) arrive(new Delivery091(message, channel, connection));
        else connection.end(ended);
      };
      await channel.consume(queue, take, id === undefined ? {} : { consumerTag: id });
    }
  }
}

class Delivery091 implements Delivery {
  readonly #message: ConsumeMessage;
  readonly #channel: Channel;
  readonly #connection: Connection091;

  constructor(message: ConsumeMessage, channel: Channel, connection: Connection091) {
    this.#message = message;
    this.#channel = channel;
    this.#connection = connection;
  }

  read(): Message {
    const { content, properties, fields } = this.#message;
    return fromContent(content, properties, fields);
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
