import { BrokerError, MessageError, watch, type Message } from "@spoolwire/message";
import { backOffOf, Pauses, type BackOff } from "./back-off.js";
import { checkBodySize } from "./body-size.js";
import type { BrokerList } from "./broker-list.js";
import { Link } from "./link.js";
import type { BrokerOptions } from "./protocol.js";
import type { Settle, Sink } from "./sink.js";

/** Why a broker did not take a message. */
export interface Refusal {
  readonly reason: string;
  /** It would refuse it again. */
  readonly isFinal?: boolean;
  /** The connection ends with it: what else was under way is sent again on the next one, and so is this. */
  readonly endsConnection?: boolean;
}

/** A connection that sends, in whatever protocol. */
export interface SendingConnection<Parcel> {
  /**
   * Send one. `done` is called once, also before this returns, unless the connection ends before: the broker has
   * taken it (an unreliable connection: it was handed over), or says why not.
   * False: so much is on its way that the next should wait until it is `drained`.
   * @throws MessageError if it cannot be said on this connection; then `done` is not called
   */
  send(parcel: Parcel, done: (refusal?: Refusal) => void): boolean;
  /** Resolves when there is room again, or the connection is over. */
  drained(): Promise<void>;
  /**
   * Resolves to whether the network has taken all that was sent, as far as nobody else will tell: on a connection
   * that is not reliable. If not in time, it is over.
   */
  flushed(timeoutMs: number): Promise<boolean>;
  /**
   * What the broker is to answer next, or how much it has taken of what is on its way; undefined: it owes nothing, or
   * has said that it takes nothing now. If that stays the same for `timeoutBroker`, the connection is ended.
   */
  readonly awaited: unknown;
  /** End it at once, with an error that `lost` is told. */
  end(error: Error): void;
  /** Say goodbye. False: the broker did not answer in time. */
  close(timeoutMs: number): Promise<boolean>;
}

/** How messages are sent in a protocol. */
export interface SendingProtocol<Parcel> {
  /** What the URI stands for. */
  readonly brokers: Pick<BrokerList<unknown>, "failover">;
  /** What is sent for a message. @throws MessageError if it cannot be said in this protocol */
  prepare(message: Message): Parcel;
  /** `lost` is called once when the connection has ended by itself. @throws as `Link` has it */
  connect(lost: (error: Error) => void, signal: AbortSignal): Promise<SendingConnection<Parcel>>;
}

/** A message that is not settled yet. */
interface Pending<Parcel> {
  readonly parcel: Parcel;
  readonly settle: Settle;
  /** How often the broker has refused it: by name, or by an end of the connection while it was under way alone. */
  refusals: number;
  /** Until it is sent again. */
  pause?: NodeJS.Timeout;
}

/** When so many messages in a row are given up, none confirmed between them, the fault is not theirs. */
const MOST_REFUSED = 10;

/** Between two attempts to send what was refused: long enough for somebody to put a thing right. */
const refusedPauses: BackOff = { initialMs: 100, maxMs: 10_000, multiplier: 3, attempts: Infinity };

/**
 * Messages to a broker that confirms or refuses each. What is not confirmed when a connection ends is sent again on
 * the next one, in order: the broker may have it twice. What is refused is sent again after a pause, `maxAttempts`
 * times in all.
 */
export class BrokerSink<Parcel> implements Sink {
  readonly name: string;
  readonly #protocol: SendingProtocol<Parcel>;
  readonly #options: BrokerOptions;
  readonly #link: Link<SendingConnection<Parcel>>;
  readonly #pending = new Set<Pending<Parcel>>();
  /** Resolves when what was left is sent again, on whichever connection. */
  #ready = Promise.resolve();
  /** Until then. */
  #isReady: (() => void) | undefined;
  /** The broker has refused something, and which is not known: the rest goes one by one, until it shows. */
  #isWary = false;
  /** The broker has ended the connection for this one, and said so. */
  #blamed: Pending<Parcel> | undefined;
  /** Messages given up since the last one that was confirmed. */
  #refusedInARow = 0;
  #unwatch: () => void = () => undefined;

  constructor(protocol: SendingProtocol<Parcel>, options: BrokerOptions) {
    this.#protocol = protocol;
    this.#options = options;
    this.name = `broker ${options.uri}`;
    this.#link = new Link({
      name: this.name,
      connect: (lost, signal) => protocol.connect(lost, signal),
      backOff: backOffOf(options, protocol.brokers.failover),
      isWorthAnother: (lost) => options.mayReconnect && isRejection(lost) && this.#pending.size > 0,
      log: options.log,
      onAway: options.onAway,
      onUp: (connection) => {
        this.#watch(connection);
        this.#resend(connection);
      },
      onDown: (error, isOver) => this.#down(error, isOver),
    });
  }

  get isUp(): boolean {
    return this.#link.connection !== undefined;
  }

  get failure(): Error | undefined {
    return this.#link.failure;
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.#link.start(signal);
  }

  send(message: Message, settle: Settle): Promise<void> | undefined {
    if (this.failure) throw this.failure;
    checkBodySize(message.body, this.#options);
    const pending: Pending<Parcel> = { parcel: this.#protocol.prepare(message), settle, refusals: 0 };
    this.#pending.add(pending);
    const connection = this.#link.connection;
    if (!connection || this.#isWary) return this.#room();
    try {
      return this.#transmit(connection, pending) ? undefined : this.#room();
    } catch (error) {
      this.#pending.delete(pending);
      throw error;
    }
  }

  async stop(): Promise<void> {
    const { timeoutFlush, timeoutDisconnect, log } = this.#options;
    const { connection, failure } = this.#link;
    this.#link.stop();
    this.#unwatch();
    this.#settleAll(failure ?? new BrokerError("BROKER_CLOSED", "Stopped before the broker was there again"));
    if (failure) throw failure;
    if (connection && !(await connection.flushed(timeoutFlush * 1000))) {
      const words = `${this.name} did not take all that was sent within ${timeoutFlush} s`;
      throw new BrokerError("BROKER_TIMEOUT", words);
    }
    if (connection && !(await connection.close(timeoutDisconnect * 1000))) {
      log.warn(`${this.name} did not confirm the end of the connection`);
    }
  }

  /** Resolves when there is room for more: not by the end of a connection, as long as another one follows. */
  async #room(): Promise<void> {
    do {
      await this.#ready;
      await this.#link.connection?.drained();
    } while (this.#isReady);
  }

  #watch(connection: SendingConnection<Parcel>): void {
    const { timeoutBroker } = this.#options;
    const late = `${this.name} has not answered for ${timeoutBroker} s`;
    this.#unwatch = watch(
      timeoutBroker * 1000,
      () => connection.awaited,
      () => connection.end(new BrokerError("BROKER_TIMEOUT", late)),
    );
  }

  /** False: so much is on its way that the next should wait. */
  #transmit(connection: SendingConnection<Parcel>, pending: Pending<Parcel>): boolean {
    clearTimeout(pending.pause);
    return connection.send(pending.parcel, (refusal) => {
      // What an earlier connection says is too late: it was sent again.
      if (!this.#pending.has(pending) || this.#link.connection !== connection) return;
      if (refusal) this.#refused(pending, refusal);
      else {
        this.#refusedInARow = 0;
        this.#settle(pending);
      }
      if (this.#isWary && !this.#pending.has(pending)) this.#resend(connection);
    });
  }

  #refused(pending: Pending<Parcel>, { reason, isFinal = false, endsConnection = false }: Refusal): void {
    if (endsConnection) {
      this.#blamed = pending;
      return;
    }
    if (this.#isGivenUp(pending, reason, isFinal)) return;
    const pauses = new Pauses(refusedPauses);
    let pauseMs = 0;
    for (let times = 0; times < pending.refusals; times++) pauseMs = pauses.next();
    pending.pause = setTimeout(() => {
      const { connection } = this.#link;
      if (connection) this.#transmit(connection, pending);
    }, pauseMs);
  }

  /** True: it was refused for the last time, and is settled. */
  #isGivenUp(pending: Pending<Parcel>, reason: string, isFinal = false): boolean {
    const { maxAttempts } = this.#options;
    if (++pending.refusals < maxAttempts && !isFinal) return false;
    // A broker that refuses everything must not empty a queue into its quarantine.
    if (++this.#refusedInARow > MOST_REFUSED) this.#settleAll(new BrokerError("BROKER_REJECTED", reason));
    else this.#settle(pending, new MessageError("MESSAGE_NOT_SENDABLE", reason));
    return true;
  }

  #settle(pending: Pending<Parcel>, error?: Error): void {
    clearTimeout(pending.pause);
    this.#pending.delete(pending);
    pending.settle(error);
  }

  #settleAll(error: Error): void {
    for (const pending of this.#pending) this.#settle(pending, error);
    this.#letGo();
  }

  #down(error: Error, isOver: boolean): void {
    this.#unwatch();
    // Who waits already goes on waiting: the connection may end again before all is sent.
    if (!this.#isReady) this.#ready = new Promise((resolve) => (this.#isReady = resolve));
    for (const { pause } of this.#pending) clearTimeout(pause);
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
    if (blamed) this.#isGivenUp(blamed, error.message);
    this.#isWary &&= this.#pending.size > 0;
  }

  #resend(connection: SendingConnection<Parcel>): void {
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
    this.#letGo();
  }

  #letGo(): void {
    this.#isReady?.();
    this.#isReady = undefined;
  }
}

const isRejection = (error: Error) => error instanceof BrokerError && error.code === "BROKER_REJECTED";
