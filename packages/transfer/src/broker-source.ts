import { MessageError, type Message } from "@spoolwire/message";
import { backOffOf } from "./back-off.js";
import { checkBodySize } from "./body-size.js";
import type { BrokerList } from "./broker-list.js";
import { Link } from "./link.js";
import type { BrokerSourceOptions } from "./protocol.js";
import { Sleeper } from "./sleeper.js";
import type { Arrival, Source, Ticket } from "./source.js";

/** A message that has come, in whatever protocol. */
export interface Delivery {
  /** The message; asked for once, when it is taken. @throws MessageError if there is none to be had */
  read(): Message;
  /**
   * Tell the broker that it may forget this, or (unreliable) that there is room for another. At most once; after
   * the end of its connection it has no effect.
   */
  accept(): void;
  /** Which it is, in the words of the protocol. */
  describe(): string;
}

/** A connection that receives. */
export interface ReceivingConnection {
  /**
   * Say goodbye: nothing arrives any more, and what was not accepted goes back. False: the broker did not answer in
   * time. @throws BrokerError if it refused to end what was to end
   */
  close(timeoutMs: number): Promise<boolean>;
}

/** How messages are received in a protocol. */
export interface ReceivingProtocol {
  /** What the URI stands for. */
  readonly brokers: Pick<BrokerList<unknown>, "failover">;
  /**
   * Connect and subscribe. `arrive` is called for each delivery; that they do not come faster than they are taken is
   * the protocol's to see to. `lost` is called once when the connection has ended by itself, and nothing arrives then.
   * @throws as `Link` has it; nothing is left of the connection then
   */
  connect(
    arrive: (delivery: Delivery) => void,
    lost: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<ReceivingConnection>;
}

/** What was taken is let go of when it is so much. */
const MOST_TAKEN = 1000;

/**
 * Messages from a broker. Reliable: each is accepted for itself once it is safe, and what is not goes back to the
 * broker when the connection ends; else it is accepted when it is taken.
 */
export class BrokerSource implements Source {
  readonly name: string;
  readonly #options: BrokerSourceOptions;
  readonly #link: Link<ReceivingConnection>;
  #waiting: Delivery[] = [];
  #taken = 0;
  readonly #sleeper = new Sleeper();

  constructor(protocol: ReceivingProtocol, options: BrokerSourceOptions) {
    this.#options = options;
    this.name = `broker ${options.uri}`;
    this.#link = new Link({
      name: this.name,
      connect: (lost, signal) => {
        this.#forget();
        return protocol.connect((delivery) => this.#arrive(delivery), lost, signal);
      },
      backOff: backOffOf(options, protocol.brokers.failover),
      log: options.log,
      onAway: options.onAway,
      onUp: () => undefined,
      onDown: (_error, isOver) => {
        // For good: what came before it is the last.
        if (!isOver) this.#forget();
        this.wake();
      },
    });
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
    this.#sleeper.wake();
  }

  ack(ticket: Ticket): void {
    if (this.#options.reliable) (ticket as Delivery).accept();
  }

  /** Not accepted, so the broker delivers it again when the connection ends. */
  release(): void {}

  /** What stays there the broker keeps from others until this connection ends, and then delivers again. */
  reject(ticket: Ticket, reason: string, elsewhere?: () => string): string {
    const delivery = ticket as Delivery;
    let where = this.#fate;
    try {
      if (elsewhere) where = elsewhere();
    } catch (error) {
      return this.#tell(delivery, `${reason}; ${where}, since ${(error as Error).message}`);
    }
    if (elsewhere) this.ack(ticket);
    return this.#tell(delivery, `${reason}; ${where}`);
  }

  async stop(): Promise<void> {
    const { timeoutDisconnect, log } = this.#options;
    const { connection, failure } = this.#link;
    this.#link.stop();
    if (failure) throw failure;
    if (connection && !(await connection.close(timeoutDisconnect * 1000))) {
      log.warn(`${this.name} did not confirm the end of the connection`);
    }
  }

  /** What is waiting here has not been accepted: it comes again. */
  #forget(): void {
    this.#waiting = [];
    this.#taken = 0;
  }

  /** What becomes of a message that nobody keeps. */
  get #fate(): string {
    return this.#options.reliable ? "it stays there" : "it is lost, as the source is not reliable";
  }

  #arrive(delivery: Delivery): void {
    this.#waiting.push(delivery);
    this.wake();
  }

  #take(): Arrival | undefined {
    const delivery = this.#waiting[this.#taken];
    if (!delivery) {
      if (this.#link.failure) throw this.#link.failure;
      return undefined;
    }
    // An index instead of shift(), which copies the rest.
    if (++this.#taken === this.#waiting.length) this.#forget();
    else if (this.#taken >= MOST_TAKEN) {
      this.#waiting = this.#waiting.slice(this.#taken);
      this.#taken = 0;
    }
    try {
      const message = delivery.read();
      checkBodySize(message.body, this.#options);
      return { kind: "message", message, ticket: delivery };
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      return { kind: "rejected", told: this.#tell(delivery, `${error.message}; ${this.#fate}`) };
    } finally {
      // What cannot be had has taken room too.
      if (!this.#options.reliable) delivery.accept();
    }
  }

  #tell(delivery: Delivery, what: string): string {
    return `${this.name}, ${delivery.describe()}: ${what}`;
  }

  async #wait(waitMs: number): Promise<Arrival> {
    await this.#sleeper.sleep(waitMs);
    return this.#take() ?? { kind: "none" };
  }
}
