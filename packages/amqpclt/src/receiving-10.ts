import { BrokerError, type Message } from "@spoolwire/message";
import { ConfigError, type Properties } from "@spoolwire/program";
import {
  refuseTwice,
  type BrokerList,
  type BrokerSourceOptions,
  type Delivery,
  type ReceivingConnection,
  type ReceivingProtocol,
} from "@spoolwire/transfer";
import type { Delivery as Transferred, EventContext, Receiver, ReceiverOptions, Session } from "rhea";
import { checkBroker, endsWithin, within, type Place } from "./connect.js";
import { Connection10, describe } from "./connection-10.js";
import { rhea } from "./libraries.js";
import { fromEncoded } from "./mapping-10.js";
import { DEFAULT_PREFETCH } from "./receiving-091.js";
import { isDurable } from "./terminus.js";

/** What a session may have that is not settled. */
const MOST_UNSETTLED = 2 ** 30;

/** What a subscription says. */
interface Subscription {
  readonly address: string;
  readonly options: ReceiverOptions;
}

/** How messages are received with AMQP 1.0. Reliable: unsettled, until they are accepted. */
export class Receiving10 implements ReceivingProtocol {
  readonly brokers: BrokerList<Place>;
  readonly #options: BrokerSourceOptions;
  readonly #subscriptions: readonly Subscription[];

  /** @throws ConfigError */
  constructor(options: BrokerSourceOptions) {
    this.#options = options;
    this.brokers = checkBroker(options, "amqp10");
    this.#subscriptions = options.subscriptions.map((each) => readSubscription(each, options.reliable));
    refuseTwice(this.#subscriptions.map(({ options: { name } }) => name));
  }

  async connect(
    arrive: (delivery: Delivery) => void,
    lost: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<ReceivingConnection> {
    const { prefetch = DEFAULT_PREFETCH, uri, timeoutBroker } = this.#options;
    const over = new AbortController();
    const ended = (error: Error) => {
      over.abort(error);
      lost(error);
    };
    const connection = await Connection10.open(this.brokers, this.#options, ended, signal);
    const receivers = this.#subscriptions.map(
      (subscription) => new Receiver10(connection, subscription, prefetch, arrive),
    );
    try {
      for (const { opened, subscription } of receivers) {
        const { address } = subscription;
        const late = `${uri} did not answer to the subscription to ${address} within ${timeoutBroker} s`;
        const either = AbortSignal.any([signal, over.signal]);
        await within(opened, { ms: timeoutBroker * 1000, signal: either, late });
      }
    } catch (error) {
      connection.end(error as Error);
      throw error;
    }
    return {
      close: async (timeoutMs) => {
        // RabbitMQ fails at it, and needs it not: what is under way goes back when the connection ends.
        const drains =
          connection.product === "RabbitMQ" ? [] : receivers.map((receiver) => receiver.drain(timeoutMs));
        await Promise.all(drains);
        return connection.close(timeoutMs);
      },
    };
  }
}

/** @throws ConfigError */
function readSubscription(properties: Properties, isReliable: boolean): Subscription {
  const { destination, durable, id, name = id, selector, ...others } = properties;
  const refuse = (message: string) => new ConfigError([{ message, option: "subscribe" }]);
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) {
    throw refuse(
      `Expected --subscribe to be made of destination, durable, id, name and selector, got ${unknown}`,
    );
  }
  if (!destination) throw refuse("Expected --subscribe to have destination=NAME");
  if (durable !== undefined && durable !== "true" && durable !== "false") {
    throw refuse(`Expected durable in --subscribe to be true or false, got ${JSON.stringify(durable)}`);
  }
  const isKept = durable === undefined ? isDurable(destination) : durable === "true";
  return {
    address: destination,
    options: {
      ...(name !== undefined && { name }),
      source: {
        address: destination,
        ...(isKept && { durable: 2, expiry_policy: "never" }),
        ...(selector !== undefined && { filter: rhea().filter.selector(selector) }),
      },
      snd_settle_mode: isReliable ? 0 : 1,
      credit_window: 0,
      autoaccept: false,
      autosettle: false,
    },
  };
}

class Receiver10 {
  readonly subscription: Subscription;
  /** Resolves when the broker has agreed. @throws BrokerError */
  readonly opened: Promise<void>;
  readonly #connection: Connection10;
  readonly #receiver: Receiver;
  readonly #prefetch: number;
  readonly #arrive: (delivery: Delivery) => void;
  readonly #waiting = new Set<Delivery10>();
  #isDraining = false;
  /** How many more the broker may send. Below 0: it has sent more, as RabbitMQ may when credit crosses messages. */
  #credit = 0;
  /** Told when the broker may send no more. */
  #usedUp: () => void = () => undefined;
  /** Credit to be given. */
  #owed: number;

  constructor(
    connection: Connection10,
    subscription: Subscription,
    prefetch: number,
    arrive: (delivery: Delivery) => void,
  ) {
    this.subscription = subscription;
    this.#connection = connection;
    this.#prefetch = prefetch;
    this.#owed = prefetch;
    this.#arrive = arrive;
    const session = connection.session();
    takeApart(session);
    const receiver = session.open_receiver(subscription.options);
    this.#receiver = receiver;
    receiver.on("message", (context: EventContext) => this.#came(context));
    this.opened = new Promise((resolve, reject) => {
      const ended = (words: string) => {
        const error = new BrokerError("BROKER_REJECTED", `The broker refuses the subscription to ${words}`);
        reject(error);
        connection.end(new BrokerError("BROKER_CLOSED", `The broker has ended the subscription to ${words}`));
      };
      const { address } = subscription;
      receiver.once("receiver_open", () => {
        // A link that is refused is opened without a source, and then closed with the reason.
        if (!receiver.source?.address && !receiver.source?.dynamic) return;
        this.#giveCredit();
        resolve();
      });
      receiver.on("receiver_close", () => ended(`${address}: ${describe(receiver.error, "closed")}`));
      receiver.on("receiver_error", () => undefined);
      session.on("session_close", () => ended(`${address}: ${describe(session.error, "session ended")}`));
      session.on("session_error", () => undefined);
    });
    this.opened.catch(() => undefined);
  }

  /** Take back the credit, and give back what has come and is not accepted. */
  async drain(timeoutMs: number): Promise<void> {
    this.#isDraining = true;
    if (this.#credit > 0) {
      const drained = new Promise<void>((resolve) => {
        this.#receiver.once("receiver_drained", () => resolve());
        // RACE: the last of what may come crosses the drain, and then there is nothing that a broker need answer.
        this.#usedUp = resolve;
      });
      Object.assign(this.#receiver, { credit: this.#credit });
      this.#receiver.drain_credit();
      await endsWithin(drained, timeoutMs);
    }
    // Of neighbours with two outcomes in one turn the library tells the first for both: none is released as accepted.
    await new Promise((resolve) => setImmediate(resolve));
    for (const delivery of this.#waiting) delivery.release();
  }

  /** The broker may send another instead. What is accepted in one go is told at once. */
  accepted(delivery: Delivery10): void {
    this.#waiting.delete(delivery);
    if (this.#owed++ === 0) setImmediate(() => this.#giveCredit());
  }

  /** Not each for itself: the less often credit crosses messages, the less RabbitMQ sends too many. */
  #giveCredit(): void {
    if (this.#connection.isOver || this.#isDraining || this.#credit > this.#prefetch / 2) return;
    this.#credit += this.#owed;
    this.#owed = 0;
    if (this.#credit <= 0) return;
    // The library's own count is not ours: see #came.
    Object.assign(this.#receiver, { credit: 0 });
    this.#receiver.add_credit(this.#credit);
  }

  #came({ message, delivery }: EventContext): void {
    // The library writes to standard error about what comes without credit.
    if (--this.#credit <= 0) Object.assign(this.#receiver, { credit: 1 });
    if (this.#credit === 0) this.#usedUp();
    if (this.#connection.isOver || !delivery) return;
    const { address } = this.subscription;
    const arrived = new Delivery10(
      // Nothing at all: it has no sections.
      (message as unknown as Buffer | undefined) ?? Buffer.alloc(0),
      delivery,
      address,
      this,
      this.#connection,
    );
    this.#waiting.add(arrived);
    if (!this.#isDraining) this.#arrive(arrived);
    if (this.#owed > 0) this.#giveCredit();
  }
}

/**
 * Make room in a session for what is settled behind what is not. The library's own store of deliveries is a ring,
 * which one message that stays unaccepted fills with all that come behind it, and then nothing comes any more.
 *
 * And see to it that messages come as bytes, as the library hands over what is of no format that it knows: of one that
 * it cannot decode it would end the connection, on which the same comes again.
 */
function takeApart(session: Session): void {
  const unsettled = new Map<number, Transferred>();
  const { incoming } = session as unknown as { readonly incoming: { deliveries: object } };
  incoming.deliveries = {
    // How many come at most is for the link's credit to say.
    available: () => MOST_UNSETTLED - unsettled.size,
    push: (delivery: Transferred) =>
      unsettled.set(delivery.id, Object.assign(delivery, { format: undefined })),
    by_id: (id: number) => unsettled.get(id),
    pop_if: (isOver: (delivery: Transferred) => boolean) => {
      for (const [id, delivery] of unsettled) if (isOver(delivery)) unsettled.delete(id);
    },
  };
}

class Delivery10 implements Delivery {
  readonly #bytes: Buffer;
  readonly #transferred: Transferred;
  readonly #address: string;
  readonly #receiver: Receiver10;
  readonly #connection: Connection10;

  constructor(
    bytes: Buffer,
    transferred: Transferred,
    address: string,
    receiver: Receiver10,
    connection: Connection10,
  ) {
    this.#bytes = bytes;
    this.#transferred = transferred;
    this.#address = address;
    this.#receiver = receiver;
    this.#connection = connection;
  }

  read(): Message {
    return fromEncoded(this.#bytes, this.#address);
  }

  accept(): void {
    if (this.#connection.isOver) return;
    this.#transferred.accept();
    this.#receiver.accepted(this);
  }

  release(): void {
    // Without an argument: the library says `modified` otherwise, which RabbitMQ does not know.
    this.#transferred.release();
  }

  describe(): string {
    const id = this.#messageId();
    return id === undefined ? `delivery ${this.#transferred.id}` : `message-id ${id}`;
  }

  #messageId(): string | undefined {
    try {
      return this.read().header["message-id"];
    } catch {
      // It is described because it cannot be read.
      return undefined;
    }
  }
}
