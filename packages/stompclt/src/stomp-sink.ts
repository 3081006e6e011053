import { BrokerError, MessageError, type Message } from "@spoolwire/message";
import { toFrame, type Frame, type StompConnection } from "@spoolwire/stomp";
import { Link, type BrokerOptions, type Settle, type Sink } from "@spoolwire/transfer";
import { backOffOf, checkBodySize, checkBroker, connect } from "./connect.js";

/** A message that is not settled yet. */
interface Pending {
  readonly frame: Frame;
  readonly settle: Settle;
  /** How often the broker has refused it: by its receipt, or by ending the connection when it was under way alone. */
  refusals: number;
}

/** So often a message is sent that the broker refuses. */
const MOST_REFUSALS = 3;

/**
 * Messages to a STOMP broker. Reliable: safe when the broker's receipt has come; else when handed to the
 * network. What is not confirmed when a connection ends is sent again on the next one, in order: the broker
 * may have it twice.
 */
export class StompSink implements Sink {
  readonly name: string;
  readonly #options: BrokerOptions;
  readonly #link: Link<StompConnection>;
  readonly #mayRetry: boolean;
  readonly #pending = new Set<Pending>();
  /** Resolves when what was left is sent again and there is room for more. */
  #ready = Promise.resolve();
  #isReady: () => void = () => undefined;
  /** The broker has refused something, and which is not known: the rest goes one by one, until it shows. */
  #isWary = false;
  #hasReply = false;

  /** @throws ConfigError */
  constructor(options: BrokerOptions) {
    this.#options = options;
    this.name = `broker ${options.uri}`;
    const brokers = checkBroker(options);
    const backOff = backOffOf(brokers, options);
    this.#mayRetry = backOff !== undefined;
    this.#link = new Link({
      name: this.name,
      connect: (lost, signal) =>
        connect(
          brokers,
          options,
          {
            onMessage: () => this.#tellOfReply(),
            onClosed: (error) => error && lost(error),
          },
          signal,
        ),
      backOff,
      log: options.log,
      onAway: options.onAway,
      onUp: (connection) => this.#resend(connection),
      onDown: (error, isOver) => this.#down(error, isOver),
    });
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#link.start(signal);
  }

  send(message: Message, settle: Settle): Promise<void> | undefined {
    if (this.#link.failure) throw this.#link.failure;
    const pending: Pending = { frame: toFrame(message), settle, refusals: 0 };
    checkBodySize(pending.frame, this.#options);
    const connection = this.#link.connection;
    if (connection && !this.#isWary) {
      return this.#transmit(connection, pending) ? undefined : connection.drained();
    }
    this.#pending.add(pending);
    return this.#ready;
  }

  async stop(): Promise<void> {
    const { timeoutFlush, timeoutDisconnect, log } = this.#options;
    const { connection, failure } = this.#link;
    this.#link.stop();
    this.#settleAll(failure ?? new BrokerError("BROKER_CLOSED", "Stopped before the broker was there again"));
    if (failure) throw failure;
    if (connection && !(await connection.flushed(timeoutFlush * 1000))) {
      connection.destroy();
      // Nobody will tell of what was only handed to the network.
      throw new BrokerError(
        "BROKER_TIMEOUT",
        `${this.name} did not take all that was sent within ${timeoutFlush} s`,
      );
    }
    if (connection && !(await connection.close(timeoutDisconnect * 1000))) {
      log.warn(`${this.name} did not confirm the end of the connection`);
    }
  }

  /** False: so much is on its way that the next should wait. */
  #transmit(connection: StompConnection, pending: Pending): boolean {
    if (!this.#options.reliable) {
      const hasRoom = connection.send(pending.frame);
      this.#settle(pending);
      return hasRoom;
    }
    const hasRoom = connection.request(pending.frame, (error) => {
      // What the end of the connection leaves open stays pending, to be sent again or settled with the rest.
      if (error && connection.isOver) return;
      if (!error || !this.#mayRetry) this.#settle(pending, error);
      else if (!this.#isRefused(pending, error)) {
        // What is refused now may be taken later. STOMP has the broker close after an ERROR: not all do.
        connection.destroy(new BrokerError("BROKER_CLOSED", error.message, { cause: error }));
        return;
      }
      if (this.#isWary) this.#resend(connection);
    });
    this.#pending.add(pending);
    return hasRoom;
  }

  /** RabbitMQ sends the reply to a `reply-to:/temp-queue/…` to the connection that has sent the question. */
  #tellOfReply(): void {
    if (this.#hasReply) return;
    this.#hasReply = true;
    this.#options.log.warn(`${this.name} sends messages too, as replies to a temporary queue: they are lost`);
  }

  #settle(pending: Pending, error?: Error): void {
    this.#pending.delete(pending);
    pending.settle(error);
  }

  #settleAll(error: Error): void {
    for (const pending of this.#pending) this.#settle(pending, error);
    this.#isReady();
  }

  #down(error: Error, isOver: boolean): void {
    this.#ready = new Promise((resolve) => (this.#isReady = resolve));
    if (isOver) {
      this.#settleAll(error);
      return;
    }
    if (!(error instanceof BrokerError) || error.code !== "BROKER_REJECTED") return;
    const [first] = this.#pending;
    if (this.#isWary && first) this.#isRefused(first, error);
    this.#isWary = this.#pending.size > 0;
  }

  /** Once more. True: that was the last time, and it is settled. */
  #isRefused(pending: Pending, { message }: Error): boolean {
    if (++pending.refusals < MOST_REFUSALS) return false;
    this.#settle(pending, new MessageError("MESSAGE_NOT_SENDABLE", message));
    return true;
  }

  #resend(connection: StompConnection): void {
    for (const pending of this.#pending) {
      try {
        this.#transmit(connection, pending);
      } catch (error) {
        this.#settle(pending, error as Error);
      }
      // The next follows when this one is confirmed.
      if (this.#isWary && this.#pending.has(pending)) return;
    }
    this.#isWary = false;
    this.#isReady();
  }
}
