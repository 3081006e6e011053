import { BrokerError, type Message } from "@spoolwire/message";
import { toFrame, type BrokerUri, type StompConnection } from "@spoolwire/stomp";
import type { BrokerOptions, Settle, Sink } from "@spoolwire/transfer";
import { checkBroker, connect } from "./connect.js";

/**
 * Messages to a STOMP broker. Reliable: safe when the broker's receipt has come; else when handed to the
 * network.
 */
export class StompSink implements Sink {
  readonly name: string;
  readonly #uri: BrokerUri;
  readonly #options: BrokerOptions;
  #connection: StompConnection | undefined;
  #closed: Error | undefined;

  /** @throws ConfigError */
  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#uri = checkBroker(options);
    this.name = `broker ${options.uri}`;
  }

  async start(signal: AbortSignal): Promise<void> {
    const onClosed = (error?: Error) => (this.#closed = error);
    this.#connection = await connect(this.#uri, this.#options, { onClosed }, signal);
  }

  send(message: Message, settle: Settle): Promise<void> | undefined {
    const connection = this.#connection;
    if (!connection || this.#closed) throw this.#closed ?? new BrokerError("BROKER_CLOSED", "Not connected");
    const frame = toFrame(message);
    let hasRoom: boolean;
    if (this.#options.reliable) hasRoom = connection.request(frame, settle);
    else {
      hasRoom = connection.send(frame);
      settle();
    }
    return hasRoom ? undefined : connection.drained();
  }

  async stop(): Promise<void> {
    const { timeoutDisconnect, log } = this.#options;
    if (this.#closed) throw this.#closed;
    if (this.#connection && !(await this.#connection.close(timeoutDisconnect * 1000))) {
      log.warn(`${this.name} did not confirm the end of the connection`);
    }
  }
}
