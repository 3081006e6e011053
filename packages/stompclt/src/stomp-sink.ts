import { BrokerError, MessageError, type Message } from "@spoolwire/message";
import { toFrame, type Frame, type StompConnection } from "@spoolwire/stomp";
import { checkBodySize, Link, type BrokerOptions, type Settle, type Sink } from "@spoolwire/transfer";
import { backOffOf, checkBroker, connect } from "./connect.js";

/** A message that is not settled yet. */
interface Pending {
  readonly frame: Frame;
  readonly settle: Settle;
  /** How often the broker has refused it: by name, or by an end of the connection while it was under way alone. */
  refusals: number;
}

/** When so many messages in a row are refused, none confirmed between them, the fault is not theirs. */
const MOST_REFUSED = 10;

/**
 * Messages to a STOMP broker. Reliable: safe when the broker's receipt has come; else when handed to the
 * network. What is not confirmed when a connection ends is sent again on the next one, in order: the broker
 * may have it twice.
 */
export class StompSink implements Sink {
  readonly name: string;
  readonly #options: BrokerOptions;
  readonly #link: Link<StompConnection>;
  readonly #pending = new Set<Pending>();
  /** Resolves when what was left is sent again and there is room for more. */
  #ready = Promise.resolve();
  #isReady: () => void = () => undefined;
  /** The broker has refused something, and which is not known: the rest goes one by one, until it shows. */
  #isWary = false;
  #hasReply = false;
  /** The broker has ended the connection for this one, and said so. */
  #blamed: Pending | undefined;
  /** Messages given up since the last one that was confirmed. */
  #refusedInARow = 0;

  /** @throws ConfigError */
  constructor(options: BrokerOptions) {
    this.#options = options;
    this.name = `broker ${options.uri}`;
    const brokers = checkBroker(options);
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
      backOff: backOffOf(brokers, options),
      isWorthAnother: (lost) => options.mayReconnect && isRejection(lost) && this.#pending.size > 0,
      log: options.log,
      onAway: options.onAway,
      onUp: (connection) => this.#resend(connection),
      onDown: (error, isOver) => this.#down(error, isOver),
    });
  }

  get isUp(): boolean {
    return this.#link.connection !== undefined;
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#link.start(signal);
  }

  send(message: Message, settle: Settle): Promise<void> | undefined {
    if (this.#link.failure) throw this.#link.failure;
    const pending: Pending = { frame: toFrame(message), settle, refusals: 0 };
    checkBodySize(pending.frame.body, this.#options);
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
      if (error) {
        // Nothing follows an ERROR: brokers end the connection, and those that do not are not to be trusted with it.
        if (isRejection(error)) this.#blamed = pending;
        connection.destroy(error);
        return;
      }
      this.#refusedInARow = 0;
      this.#settle(pending);
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

  /** What is not given up is sent again on the next connection. */
  #refused(pending: Pending, error: Error): void {
    if (++pending.refusals < this.#options.maxAttempts) return;
    // A broker that refuses everything must not empty a queue into its quarantine.
    if (++this.#refusedInARow > MOST_REFUSED) this.#settleAll(error);
    else this.#settle(pending, new MessageError("MESSAGE_NOT_SENDABLE", error.message));
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
    if (!isRejection(error)) return;
    const [first] = this.#pending;
    const blamed = this.#blamed ?? (this.#isWary ? first : undefined);
    // Who is blamed need not be looked for.
    this.#isWary ||= this.#blamed === undefined;
    this.#blamed = undefined;
    if (blamed) this.#refused(blamed, error);
    this.#isWary &&= this.#pending.size > 0;
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

const isRejection = (error: Error) => error instanceof BrokerError && error.code === "BROKER_REJECTED";
