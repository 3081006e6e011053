import { BrokerError, type Message } from "@spoolwire/message";
import { about } from "@spoolwire/program";
import type {
  BrokerSourceOptions,
  Delivery,
  ReceivingConnection,
  ReceivingProtocol,
} from "@spoolwire/transfer";
import type { Channel, ConsumeMessage } from "amqplib";
import { parseSubscription, type Address } from "./address.js";
import { checkBroker, type Place } from "./connect.js";
import { Connection091 } from "./connection-091.js";
import { declare } from "./declare.js";
import { fromContent } from "./mapping-091.js";

/** How many messages the broker sends ahead unless it is told: they are in memory, whatever their size. */
export const DEFAULT_PREFETCH = 200;

/**
 * How messages are received with AMQP 0-9-1. Each is acknowledged, also by a source that is not reliable: without
 * that the broker would send all it has at once.
 */
export class Receiving091 implements ReceivingProtocol {
  readonly #options: BrokerSourceOptions;
  readonly #place: Place;
  readonly #addresses: readonly Address[];

  /** @throws ConfigError */
  constructor(options: BrokerSourceOptions) {
    this.#options = options;
    this.#place = checkBroker(options);
    this.#addresses = about("subscribe", () => options.subscriptions.map(parseSubscription));
  }

  async connect(
    arrive: (delivery: Delivery) => void,
    lost: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<ReceivingConnection> {
    const connection = await Connection091.open(this.#place, this.#options, lost, signal);
    const tags: string[] = [];
    try {
      const channel = connection.watch(await connection.model.createChannel());
      await channel.prefetch(this.#options.prefetch ?? DEFAULT_PREFETCH, true);
      for (const address of this.#addresses) {
        const queue = (await declare(channel, address)) ?? "";
        const consume = (message: ConsumeMessage | null) => {
          if (connection.isOver) return;
          if (message) arrive(new Delivery091(message, channel, connection));
          else
            connection.end(
              new BrokerError("BROKER_CLOSED", `The broker has ended the subscription to ${queue}`),
            );
        };
        tags.push((await channel.consume(queue, consume)).consumerTag);
      }
    } catch (error) {
      connection.end(error as Error);
      if (error instanceof BrokerError) throw error;
      throw new BrokerError("BROKER_REJECTED", `${this.#options.uri}: ${(error as Error).message}`, {
        cause: error,
      });
    }
    return connection;
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
    if (!this.#connection.isOver) this.#channel.ack(this.#message);
  }

  describe(): string {
    const { messageId } = this.#message.properties as { readonly messageId?: string };
    return messageId === undefined
      ? `delivery ${this.#message.fields.deliveryTag}`
      : `message-id ${messageId}`;
  }
}
