import type { Header } from "@spoolwire/message";
import { ConfigError } from "@spoolwire/program";
import {
  toMessage,
  type BrokerUri,
  type Frame,
  type ReceivedFrame,
  type StompConnection,
} from "@spoolwire/stomp";
import type { Arrival, BrokerSourceOptions, Source, Ticket } from "@spoolwire/transfer";
import { guessBrokerType, prefetchHeader } from "./broker-type.js";
import { checkBroker, connect } from "./connect.js";

/** Above so many messages waiting here, reading stops until half of them are taken. */
const MOST_WAITING = 2000;
const MOST_WAITING_BYTES = 16 * 1024 * 1024;

/**
 * Messages from a STOMP broker. Reliable: each is acknowledged for itself once it is safe; what is not
 * goes back to the broker when the connection ends.
 */
export class StompSource implements Source {
  readonly name: string;
  readonly #uri: BrokerUri;
  readonly #options: BrokerSourceOptions;
  #connection: StompConnection | undefined;
  #closed: Error | undefined;
  #waiting: ReceivedFrame[] = [];
  #taken = 0;
  #waitingBytes = 0;
  #paused = false;
  #wake: () => void = () => undefined;

  /** @throws ConfigError */
  constructor(options: BrokerSourceOptions) {
    this.#options = options;
    this.#uri = checkBroker(options);
    this.name = `broker ${options.uri}`;
    for (const subscription of options.subscriptions) {
      if (!subscription.destination) throw new ConfigError("Expected --subscribe to have destination=NAME");
    }
  }

  async start(signal: AbortSignal): Promise<void> {
    const onMessage = (frame: ReceivedFrame) => this.#arrive(frame);
    const onClosed = (error?: Error) => {
      this.#closed = error;
      this.#wake();
    };
    this.#connection = await connect(this.#uri, this.#options, { onMessage, onClosed }, signal);
    for (const [index, subscription] of this.#options.subscriptions.entries()) {
      await this.#subscribe(this.#connection, subscription, index);
    }
  }

  next(waitMs: number): Arrival | Promise<Arrival> {
    return this.#take() ?? this.#wait(waitMs);
  }

  wake(): void {
    this.#wake();
  }

  ack(ticket: Ticket): void {
    if (!this.#options.reliable || this.#closed) return;
    const headers = ticket as Header;
    this.#connection?.send(this.#ackFrame(headers));
  }

  /** Not acknowledged, so the broker delivers it again: NACK would drop it in some brokers. */
  release(): void {}

  /** As `release`: until this connection ends the broker keeps it from others. */
  reject(ticket: Ticket): string {
    return `${this.name}, message-id ${(ticket as Header)["message-id"]}`;
  }

  async stop(): Promise<void> {
    const { timeoutDisconnect, log } = this.#options;
    if (this.#closed) throw this.#closed;
    if (this.#connection && !(await this.#connection.close(timeoutDisconnect * 1000))) {
      log.warn(`${this.name} did not confirm the end of the connection`);
    }
  }

  async #subscribe(
    connection: StompConnection,
    subscription: Readonly<Header>,
    index: number,
  ): Promise<void> {
    const { reliable, prefetch, type, log, timeoutConnect } = this.#options;
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
    await connection.confirm({ command: "SUBSCRIBE", headers, body: "" }, timeoutConnect * 1000);
  }

  #arrive(frame: ReceivedFrame): void {
    this.#waiting.push(frame);
    this.#waitingBytes += frame.body.length;
    if (!this.#paused && (this.#left > MOST_WAITING || this.#waitingBytes > MOST_WAITING_BYTES)) {
      this.#paused = true;
      this.#connection?.pause();
    }
    this.#wake();
  }

  get #left(): number {
    return this.#waiting.length - this.#taken;
  }

  #take(): Arrival | undefined {
    const frame = this.#waiting[this.#taken];
    if (!frame) {
      if (this.#closed) throw this.#closed;
      return undefined;
    }
    // An index instead of shift(), which copies the rest.
    if (++this.#taken === this.#waiting.length) {
      this.#waiting = [];
      this.#taken = 0;
    } else if (this.#taken >= MOST_WAITING) {
      this.#waiting = this.#waiting.slice(this.#taken);
      this.#taken = 0;
    }
    this.#waitingBytes -= frame.body.length;
    if (this.#paused && this.#left < MOST_WAITING / 2 && this.#waitingBytes < MOST_WAITING_BYTES / 2) {
      this.#paused = false;
      this.#connection?.resume();
    }
    return { kind: "message", message: toMessage(frame), ticket: frame.headers };
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

  /** STOMP 1.2 has the `ack` header of the message as `id`, the others its `message-id`. */
  #ackFrame({ ack, subscription, "message-id": messageId = "" }: Header): Frame {
    const headers: Header =
      this.#connection?.version === "1.2" ? { id: ack ?? messageId } : { "message-id": messageId };
    if (subscription !== undefined) headers.subscription = subscription;
    return { command: "ACK", headers, body: "" };
  }
}
