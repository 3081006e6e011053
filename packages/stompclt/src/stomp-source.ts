import type { Header, Message } from "@spoolwire/message";
import { BrokerError, MessageError } from "@spoolwire/message";
import { checkAll, ConfigError } from "@spoolwire/program";
import {
  toMessage,
  type Frame,
  type ReceivedFrame,
  type StompConnection,
  type TooLarge,
} from "@spoolwire/stomp";
import {
  BrokerSource,
  refuseTwice,
  tooLarge,
  type BrokerSourceOptions,
  type Delivery,
  type ReceivingConnection,
  type ReceivingProtocol,
} from "@spoolwire/transfer";
import { Acks } from "./acks.js";
import { guessBrokerType, prefetchHeader } from "./broker-type.js";
import { checkBroker, connect, type BrokerPlan } from "./connect.js";

/** Above so many messages waiting here, reading stops until half of them are taken. */
const MOST_WAITING = 2000;
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

/** Messages from a STOMP broker. Reliable: each is acknowledged once it is safe, as its subscription wants it. */
export class StompSource extends BrokerSource {
  /** @throws ConfigError with all that is wrong */
  constructor(options: BrokerSourceOptions) {
    const [plan] = checkAll(
      () => checkBroker(options),
      () => checkSubscriptions(options),
    );
    super(new Receiving(plan, options), options);
  }
}

/** @throws ConfigError with all that is wrong */
function checkSubscriptions({ reliable, subscriptions, unsubscriptions = [] }: BrokerSourceOptions): void {
  const demand = (isRight: boolean, message: string, option = "subscribe") => {
    if (!isRight) throw new ConfigError([{ message, option }]);
  };
  const hasDestination = subscriptions.every(({ destination }) => destination);
  // The broker forgets what it has sent then.
  const isForgotten = reliable && subscriptions.some(({ ack }) => ack === "auto");
  const counts = `${unsubscriptions.length} and ${subscriptions.length}`;
  checkAll(
    () => demand(hasDestination, "Expected --subscribe to have destination=NAME"),
    () => refuseTwice(subscriptions.map(idOf)),
    () =>
      demand(
        !isForgotten,
        "Expected --subscribe to have ack=client-individual or ack=client with --reliable, got ack=auto",
      ),
    () =>
      demand(
        unsubscriptions.length <= subscriptions.length,
        `Expected --unsubscribe no more often than --subscribe, got ${counts}`,
        "unsubscribe",
      ),
  );
}

class Receiving implements ReceivingProtocol {
  readonly brokers: BrokerPlan;
  readonly #options: BrokerSourceOptions;

  constructor(brokers: BrokerPlan, options: BrokerSourceOptions) {
    this.brokers = brokers;
    this.#options = options;
  }

  readonly connect: ReceivingProtocol["connect"] = async (arrive, lost, signal) => {
    const handlers = {
      onMessage: (frame: ReceivedFrame) => receiver.arrive(frame),
      onTooLarge: (frame: TooLarge) => receiver.arrive(frame),
      onClosed: (error?: Error) => error && lost(error),
    };
    const connection = await connect(this.brokers, this.#options, handlers, signal);
    const receiver = new Receiver(connection, this.#options, arrive);
    const giveUp = () => connection.destroy(new BrokerError("BROKER_CLOSED", "Given up"));
    signal.addEventListener("abort", giveUp);
    if (signal.aborted) giveUp();
    try {
      await receiver.subscribe();
      signal.throwIfAborted();
      return receiver;
    } catch (error) {
      connection.destroy();
      throw error;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  };
}

class Receiver implements ReceivingConnection {
  readonly #connection: StompConnection;
  readonly #options: BrokerSourceOptions;
  readonly #arrive: (delivery: Delivery) => void;
  readonly #acks: Acks;
  #waiting = 0;
  #waitingBytes = 0;
  #isPaused = false;
  #isStopped = false;

  constructor(
    connection: StompConnection,
    options: BrokerSourceOptions,
    arrive: (delivery: Delivery) => void,
  ) {
    this.#connection = connection;
    this.#options = options;
    this.#arrive = arrive;
    this.#acks = new Acks((headers) => {
      // After the end of its connection this goes nowhere: the broker delivers the message again.
      if (!connection.isOver) connection.send(ackFrame(connection, headers));
    });
  }

  /** @throws BrokerError; ConfigError if it is not known how to limit what this broker sends ahead */
  async subscribe(): Promise<void> {
    const { reliable, prefetch, type, log, uri, subscriptions } = this.#options;
    const { headers: greeting, version } = this.#connection;
    const broker = type ?? guessBrokerType(greeting);
    log.debug(`broker ${uri} is ${broker ?? "not known"}, STOMP ${version}`);
    for (const [index, subscription] of subscriptions.entries()) {
      const id = idOf(subscription, index);
      const { ack = !reliable ? "auto" : version === "1.0" ? "client" : "client-individual" } = subscription;
      const headers: Header = { ...subscription, id, ack };
      if (prefetch !== undefined) {
        const header = prefetchHeader(broker);
        if (header === undefined) {
          throw new ConfigError("--prefetch needs a broker that is known, or --incoming-broker-type");
        }
        headers[header] ??= String(prefetch);
      }
      this.#acks.subscribed(id, ack);
      await this.#connection.confirm({ command: "SUBSCRIBE", headers, body: "" });
    }
  }

  arrive(frame: ReceivedFrame | TooLarge): void {
    // Nobody takes it: it goes back to the broker, and must not keep us from reading what comes behind it.
    if (this.#isStopped) return;
    const bytes = "body" in frame ? frame.body.length : 0;
    this.#waiting++;
    this.#waitingBytes += bytes;
    if (!this.#isPaused && (this.#waiting > MOST_WAITING || this.#waitingBytes > MOST_WAITING_BYTES)) {
      this.#isPaused = true;
      this.#connection.pause();
    }
    this.#arrive({
      read: () => {
        this.#taken(bytes);
        return this.#read(frame);
      },
      accept: this.#acks.arrived(frame.headers),
      describe: () => `message-id ${frame.headers["message-id"]}`,
    });
  }

  /** @throws BrokerError: what was to end, such as a durable subscription, may go on */
  async close(timeoutMs: number): Promise<boolean> {
    this.#isStopped = true;
    if (this.#options.unsubscriptions) await this.#unsubscribe();
    return this.#connection.close(timeoutMs);
  }

  #taken(bytes: number): void {
    this.#waiting--;
    this.#waitingBytes -= bytes;
    if (this.#isPaused && this.#waiting < MOST_WAITING / 2 && this.#waitingBytes < MOST_WAITING_BYTES / 2) {
      this.#isPaused = false;
      this.#connection.resume();
    }
  }

  #read(frame: ReceivedFrame | TooLarge): Message {
    if ("body" in frame) return toMessage(frame, this.#options.keepHeaders);
    throw new MessageError("MESSAGE_NOT_SENDABLE", tooLarge(frame.size, this.#options.maxBodySize));
  }

  async #unsubscribe(): Promise<void> {
    const { subscriptions, unsubscriptions } = this.#options;
    const connection = this.#connection;
    connection.resume();
    try {
      for (const [index, subscription] of subscriptions.entries()) {
        const { destination = "" } = subscription;
        const headersOf: Header = { id: idOf(subscription, index), destination };
        const plain = { command: "UNSUBSCRIBE", headers: headersOf, body: "" };
        const headers: Header = { ...plain.headers, ...unsubscriptions?.[index] };
        // ActiveMQ ends a durable subscription only when nobody has it any more, and we have it.
        if (headers["activemq.subscriptionName"] !== undefined) await connection.confirm(plain);
        await connection.confirm({ ...plain, headers });
      }
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }
}

/** Of a subscription that does not say: which it is. */
const idOf = ({ id }: Readonly<Header>, index: number) => id ?? String(index);

/** STOMP 1.2 has the `ack` header of the message as `id`, the others its `message-id`. */
function ackFrame(
  { version }: StompConnection,
  { ack, subscription, "message-id": messageId = "" }: Readonly<Header>,
): Frame {
  const headers: Header = version === "1.2" ? { id: ack ?? messageId } : { "message-id": messageId };
  if (subscription !== undefined) headers.subscription = subscription;
  return { command: "ACK", headers, body: "" };
}
