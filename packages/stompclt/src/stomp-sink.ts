import { BrokerError, type Message } from "@spoolwire/message";
import { toFrame, type Frame, type StompConnection } from "@spoolwire/stomp";
import {
  BrokerSink,
  type BrokerOptions,
  type Refusal,
  type SendingConnection,
  type SendingProtocol,
} from "@spoolwire/transfer";
import { checkBroker, connect, type BrokerPlan } from "./connect.js";

/**
 * Messages to a STOMP broker. Reliable: safe when the broker's receipt has come; else when handed to the network.
 */
export class StompSink extends BrokerSink<Frame> {
  /** @throws ConfigError */
  constructor(options: BrokerOptions) {
    super(new Sending(checkBroker(options), options), options);
  }
}

class Sending implements SendingProtocol<Frame> {
  readonly brokers: BrokerPlan;
  readonly #options: BrokerOptions;
  #hasReply = false;

  constructor(brokers: BrokerPlan, options: BrokerOptions) {
    this.brokers = brokers;
    this.#options = options;
  }

  prepare(message: Message): Frame {
    return toFrame(message);
  }

  async connect(lost: (error: Error) => void, signal: AbortSignal): Promise<SendingConnection<Frame>> {
    const handlers = {
      onMessage: () => this.#tellOfReply(),
      onClosed: (error?: Error) => error && lost(error),
    };
    const connection = await connect(this.brokers, this.#options, handlers, signal);
    return new Sender(connection, this.#options.reliable);
  }

  /** RabbitMQ sends the reply to a `reply-to:/temp-queue/…` to the connection that has sent the question. */
  #tellOfReply(): void {
    if (this.#hasReply) return;
    this.#hasReply = true;
    const { uri, log } = this.#options;
    log.warn(`broker ${uri} sends messages too, as replies to a temporary queue: they are lost`);
  }
}

class Sender implements SendingConnection<Frame> {
  readonly #connection: StompConnection;
  readonly #isReliable: boolean;
  /** The connection has deadlines of its own. */
  readonly awaited = undefined;

  constructor(connection: StompConnection, isReliable: boolean) {
    this.#connection = connection;
    this.#isReliable = isReliable;
  }

  send(frame: Frame, done: (refusal?: Refusal) => void): boolean {
    if (!this.#isReliable) {
      const hasRoom = this.#connection.send(frame);
      done();
      return hasRoom;
    }
    return this.#connection.request(frame, (error) => {
      // What the end of the connection leaves open is told of by that.
      if (error && this.#connection.isOver) return;
      if (!error) done();
      else {
        // Nothing follows an ERROR: brokers end the connection, and those that do not are not to be trusted with it.
        const isRefused = error instanceof BrokerError && error.code === "BROKER_REJECTED";
        if (isRefused) done({ reason: error.message, endsConnection: true });
        this.#connection.destroy(error);
      }
    });
  }

  drained(): Promise<void> {
    return this.#connection.drained();
  }

  async flushed(timeoutMs: number): Promise<boolean> {
    const isFlushed = await this.#connection.flushed(timeoutMs);
    if (!isFlushed) this.#connection.destroy();
    return isFlushed;
  }

  end(error: Error): void {
    this.#connection.destroy(error);
  }

  close(timeoutMs: number): Promise<boolean> {
    return this.#connection.close(timeoutMs);
  }
}
