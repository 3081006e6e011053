import type { Header } from "@spoolwire/message";
import { ConfigError } from "@spoolwire/program";
import {
  toMessage,
  type Frame,
  type ReceivedFrame,
  type StompConnection,
  type TooLarge,
} from "@spoolwire/stomp";
import {
  Link,
  tooLarge,
  type Arrival,
  type BrokerSourceOptions,
  type Source,
  type Ticket,
} from "@spoolwire/transfer";
import { guessBrokerType, prefetchHeader } from "./broker-type.js";
import { backOffOf, checkBroker, connect, type BrokerPlan } from "./connect.js";

/** Above so many messages waiting here, reading stops until half of them are taken. */
const MOST_WAITING = 2000;
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

/** A message that waits here, and where it came from. */
interface Delivery {
  readonly frame: ReceivedFrame | TooLarge;
  readonly connection: StompConnection;
}

/** What an acknowledgement needs: it means nothing to another connection. */
interface StompTicket {
  readonly connection: StompConnection;
  readonly headers: Readonly<Header>;
}

/**
 * Messages from a STOMP broker. Reliable: each is acknowledged for itself once it is safe; what is not
 * goes back to the broker when the connection ends.
 */
export class StompSource implements Source {
  readonly name: string;
  readonly #options: BrokerSourceOptions;
  readonly #link: Link<StompConnection>;
  #waiting: Delivery[] = [];
  #taken = 0;
  #waitingBytes = 0;
  #paused = false;
  #isStopped = false;
  #wake: () => void = () => undefined;

  /** @throws ConfigError */
  constructor(options: BrokerSourceOptions) {
    this.#options = options;
    this.name = `broker ${options.uri}`;
    const brokers = checkBroker(options);
    this.#link = new Link({
      name: this.name,
      connect: (lost, signal) => this.#connect(brokers, lost, signal),
      backOff: backOffOf(brokers, options),
      log: options.log,
      onAway: options.onAway,
      onUp: () => undefined,
      onDown: (_error, isOver) => this.#down(isOver),
    });
    for (const subscription of options.subscriptions) {
      if (!subscription.destination)
        throw new ConfigError([
          { message: "Expected --subscribe to have destination=NAME", option: "subscribe" },
        ]);
    }
    const { subscriptions, unsubscriptions = [] } = options;
    if (unsubscriptions.length > subscriptions.length) {
      const got = `${unsubscriptions.length} and ${subscriptions.length}`;
      const message = `Expected --unsubscribe no more often than --subscribe, got ${got}`;
      throw new ConfigError([{ message, option: "unsubscribe" }]);
    }
  }

  get isUp(): boolean {
    return this.#link.connection !== undefined;
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#link.start(signal);
  }

  next(waitMs: number): Arrival | Promise<Arrival> {
    return this.#take() ?? this.#wait(waitMs);
  }

  wake(): void {
    this.#wake();
  }

  ack(ticket: Ticket): void {
    if (!this.#options.reliable) return;
    const { connection, headers } = ticket as StompTicket;
    // After the end of its connection this goes nowhere: the broker delivers the message again.
    if (!connection.isOver) connection.send(ackFrame(connection, headers));
  }

  /** Not acknowledged, so the broker delivers it again: NACK would drop it in some brokers. */
  release(): void {}

  /** What stays there the broker keeps from others until this connection ends, and then delivers again. */
  reject(ticket: Ticket, reason: string, elsewhere?: () => string): string {
    const where = elsewhere?.() ?? "it stays there";
    if (elsewhere) this.ack(ticket);
    return `${this.#where(ticket as StompTicket)}: ${reason}; ${where}`;
  }

  async stop(): Promise<void> {
    const { timeoutDisconnect, log } = this.#options;
    const { connection, failure } = this.#link;
    this.#isStopped = true;
    this.#link.stop();
    if (failure) throw failure;
    if (connection && this.#options.unsubscriptions) await this.#unsubscribe(connection);
    if (connection && !(await connection.close(timeoutDisconnect * 1000))) {
      log.warn(`${this.name} did not confirm the end of the connection`);
    }
  }

  async #connect(
    brokers: BrokerPlan,
    lost: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<StompConnection> {
    const connection: StompConnection = await connect(
      brokers,
      this.#options,
      {
        onMessage: (frame) => this.#arrive(frame, connection),
        onTooLarge: (message) => this.#arrive(message, connection),
        onClosed: (error) => error && lost(error),
      },
      signal,
    );
    try {
      for (const [index, subscription] of this.#options.subscriptions.entries()) {
        await this.#subscribe(connection, subscription, index);
      }
      return connection;
    } catch (error) {
      connection.destroy();
      this.#down(false);
      throw error;
    }
  }

  /** What is waiting here has not been acknowledged: it comes again. For good, it is the last that came. */
  #down(isOver: boolean): void {
    if (!isOver) {
      this.#waiting = [];
      this.#taken = 0;
      this.#waitingBytes = 0;
      this.#paused = false;
    }
    this.#wake();
  }

  async #subscribe(
    connection: StompConnection,
    subscription: Readonly<Header>,
    index: number,
  ): Promise<void> {
    const { reliable, prefetch, type, log } = this.#options;
    const broker = type ?? guessBrokerType(connection.headers);
    log.debug(`${this.name} is ${broker ?? "not known"}, STOMP ${connection.version}`);
    const headers: Header = {
      id: String(index),
      ack: !reliable ? "auto" : connection.version === "1.0" ? "client" : "client-individual",
      ...subscription,
    };
    if (prefetch !== undefined) {
      const header = prefetchHeader(broker);
      if (header === undefined) {
        throw new ConfigError(`--prefetch needs a broker that is known, or --incoming-broker-type`);
      }
      headers[header] ??= String(prefetch);
    }
    await connection.confirm({ command: "SUBSCRIBE", headers, body: "" });
  }

  #where({ headers }: StompTicket): string {
    return `${this.name}, message-id ${headers["message-id"]}`;
  }

  /** @throws BrokerError: what was to end, such as a durable subscription, may go on */
  async #unsubscribe(connection: StompConnection): Promise<void> {
    const { subscriptions, unsubscriptions } = this.#options;
    connection.resume();
    try {
      for (const [index, { id = String(index), destination = "" }] of subscriptions.entries()) {
        const plain = { command: "UNSUBSCRIBE", headers: { id, destination } as Header, body: "" };
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

  #arrive(frame: ReceivedFrame | TooLarge, connection: StompConnection): void {
    // Nobody takes it: it goes back to the broker, and must not keep us from reading what comes behind it.
    if (this.#isStopped) return;
    this.#waiting.push({ frame, connection });
    this.#waitingBytes += heldBytes(frame);
    if (!this.#paused && (this.#left > MOST_WAITING || this.#waitingBytes > MOST_WAITING_BYTES)) {
      this.#paused = true;
      connection.pause();
    }
    this.#wake();
  }

  get #left(): number {
    return this.#waiting.length - this.#taken;
  }

  #take(): Arrival | undefined {
    const delivery = this.#waiting[this.#taken];
    if (!delivery) {
      if (this.#link.failure) throw this.#link.failure;
      return undefined;
    }
    const { frame, connection } = delivery;
    // An index instead of shift(), which copies the rest.
    if (++this.#taken === this.#waiting.length) {
      this.#waiting = [];
      this.#taken = 0;
    } else if (this.#taken >= MOST_WAITING) {
      this.#waiting = this.#waiting.slice(this.#taken);
      this.#taken = 0;
    }
    this.#waitingBytes -= heldBytes(frame);
    if (this.#paused && this.#left < MOST_WAITING / 2 && this.#waitingBytes < MOST_WAITING_BYTES / 2) {
      this.#paused = false;
      connection.resume();
    }
    const ticket: StompTicket = { connection, headers: frame.headers };
    if ("body" in frame) return { kind: "message", message: toMessage(frame), ticket };
    const told = this.reject(ticket, tooLarge(frame.size, this.#options.maxBodySize));
    return { kind: "rejected", told };
  }

  async #wait(waitMs: number): Promise<Arrival> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => undefined;
    return this.#take() ?? { kind: "none" };
  }
}

const heldBytes = (frame: ReceivedFrame | TooLarge) => ("body" in frame ? frame.body.length : 0);

/** STOMP 1.2 has the `ack` header of the message as `id`, the others its `message-id`. */
function ackFrame(
  { version }: StompConnection,
  { ack, subscription, "message-id": messageId = "" }: Readonly<Header>,
): Frame {
  const headers: Header = version === "1.2" ? { id: ack ?? messageId } : { "message-id": messageId };
  if (subscription !== undefined) headers.subscription = subscription;
  return { command: "ACK", headers, body: "" };
}
