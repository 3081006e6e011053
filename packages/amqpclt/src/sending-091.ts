import type { MessageError, Message } from "@spoolwire/message";
import { ConfigError } from "@spoolwire/program";
import type {
  BrokerList,
  BrokerOptions,
  Refusal,
  SendingConnection,
  SendingProtocol,
} from "@spoolwire/transfer";
import type { Channel, ConfirmChannel, Message as Returned } from "amqplib";
import { parseDestination, type Address } from "./address.js";
import { checkBroker, endsWithin, type Place } from "./connect.js";
import { Connection091 } from "./connection-091.js";
import { declare } from "./declare.js";
import { notSendable } from "./fields.js";
import { toContent, type Content } from "./mapping-091.js";

export interface Parcel091 extends Content {
  readonly address: Address;
}

type Done = (refusal?: Refusal) => void;

/** What was published and is neither confirmed nor refused. */
interface Published {
  readonly parcel: Parcel091;
  isReturned: boolean;
  returnedFor: string;
}

/** How messages are sent with AMQP 0-9-1. Reliable: with publisher confirms and mandatory routing. */
export class Sending091 implements SendingProtocol<Parcel091> {
  readonly brokers: BrokerList<Place>;
  readonly #options: BrokerOptions;

  /** @throws ConfigError */
  constructor(options: BrokerOptions) {
    this.#options = options;
    this.brokers = checkBroker(options, "amqp091");
  }

  prepare(message: Message): Parcel091 {
    return prepare091(message);
  }

  async connect(lost: (error: Error) => void, signal: AbortSignal): Promise<SendingConnection<Parcel091>> {
    const { reliable, log, uri, timeoutBroker } = this.#options;
    const connection = await Connection091.open(this.brokers, this.#options, lost, signal);
    const { model } = connection;
    const late = `${uri} gave no channel within ${timeoutBroker} s`;
    const opening: Promise<Channel> = reliable ? model.createConfirmChannel() : model.createChannel();
    const channel = connection.watch(
      await connection.establish(opening, { ms: timeoutBroker * 1000, signal, late }),
    );
    model.on("blocked", (reason) => log.warn(`broker ${uri} takes no messages now: ${reason}`));
    model.on("unblocked", () => log.info(`broker ${uri} takes messages again`));
    return new Sender091(connection, channel, reliable);
  }
}

/** @throws MessageError */
export function prepare091(message: Message): Parcel091 {
  const content = toContent(message);
  try {
    return { ...content, address: parseDestination(content.destination) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw notSendable(error.message) satisfies MessageError;
  }
}

class Sender091 implements SendingConnection<Parcel091> {
  readonly #connection: Connection091;
  readonly #channel: Channel;
  readonly #isReliable: boolean;
  /** Destinations that are declared; of this connection only, since queues may go. */
  readonly #declared = new Set<string>();
  /** Those that are being declared. What is to go there waits in memory, so that no more is taken meanwhile. */
  readonly #declaring = new Map<string, Promise<void>>();
  readonly #published = new Set<Published>();
  #isBlocked = false;
  #isFull = false;
  #hasRoom = true;
  #room = Promise.resolve();
  #tellRoom: () => void = () => undefined;

  constructor(connection: Connection091, channel: Channel, isReliable: boolean) {
    this.#connection = connection;
    this.#channel = channel;
    this.#isReliable = isReliable;
    channel.on("return", (message: Returned) => this.#returned(message));
    channel.on("drain", () => {
      this.#isFull = false;
      this.#look();
    });
    connection.model.on("blocked", () => {
      this.#isBlocked = true;
      this.#look();
    });
    connection.model.on("unblocked", () => {
      this.#isBlocked = false;
      this.#look();
    });
    connection.onOver(() => this.#look());
  }

  send(parcel: Parcel091, done: Done): boolean {
    if (this.#declared.has(parcel.destination)) this.#publish(parcel, done);
    else {
      const declaring = this.#declaring.get(parcel.destination) ?? this.#declare(parcel);
      declaring.then(
        () => this.#publish(parcel, done),
        (error: Error) => {
          if (!this.#connection.isOver) done({ reason: error.message });
        },
      );
    }
    return this.#hasRoom;
  }

  drained(): Promise<void> {
    return this.#room;
  }

  get awaited(): unknown {
    if (this.#isBlocked) return undefined;
    const [declaring] = this.#declaring.values();
    const [published] = this.#published;
    return declaring ?? published ?? (this.#isFull ? this.#connection.taken : undefined);
  }

  end(error: Error): void {
    this.#connection.end(error);
  }

  /** An answer comes after all that was sent. To anything but a farewell: behind that the library hears no refusal. */
  async flushed(timeoutMs: number): Promise<boolean> {
    if (this.#isReliable) return true;
    const isFlushed = await endsWithin(this.#channel.prefetch(0), timeoutMs);
    const { failure } = this.#connection;
    if (failure) throw failure;
    await this.close(isFlushed ? timeoutMs : 0);
    return isFlushed;
  }

  close(timeoutMs: number): Promise<boolean> {
    return this.#connection.close(timeoutMs);
  }

  #declare({ destination, address }: Parcel091): Promise<void> {
    const work = this.#declareNow(address);
    this.#declaring.set(destination, work);
    this.#look();
    const end = () => {
      this.#declaring.delete(destination);
      this.#look();
    };
    // The first to hear of the end: those that wait for it follow at once, and nothing can come between.
    work.then(() => {
      this.#declared.add(destination);
      end();
    }, end);
    return work;
  }

  /** On a channel of its own: a refusal ends that, and must not touch what is under way on the other. */
  async #declareNow(address: Address): Promise<void> {
    const channel = await this.#connection.model.createChannel();
    // Told by what it refuses.
    channel.on("error", () => undefined);
    try {
      await declare(channel, address);
    } finally {
      // A refusal has closed it.
      await channel.close().catch(() => undefined);
    }
  }

  #publish(parcel: Parcel091, done: Done): void {
    if (this.#connection.isOver) return;
    const { address, content, properties } = parcel;
    const name = address.exchange?.name ?? "";
    const options = { ...properties, mandatory: this.#isReliable };
    this.#connection.gatherMessages();
    let hasRoom: boolean;
    try {
      if (this.#isReliable) {
        const published: Published = { parcel, isReturned: false, returnedFor: "" };
        const channel = this.#channel as ConfirmChannel;
        hasRoom = channel.publish(name, address.routingKey, content, options, (error: Error | null) =>
          this.#confirmed(published, error, done),
        );
        this.#published.add(published);
      } else {
        hasRoom = this.#channel.publish(name, address.routingKey, content, options);
        done();
      }
    } catch (error) {
      // Its table does not fit a frame.
      done({ reason: (error as Error).message, isFinal: true });
      return;
    }
    this.#isFull ||= !hasRoom;
    this.#look();
  }

  #confirmed(published: Published, error: Error | null, done: Done): void {
    this.#published.delete(published);
    // The end of the channel says nothing of what was under way.
    if (this.#connection.isOver) return;
    if (published.isReturned) done({ reason: published.returnedFor });
    else done(error ? { reason: `The broker does not take it: ${error.message}` } : undefined);
  }

  /**
   * What cannot be routed comes back, just before it is confirmed, and does not say which it was. Messages come back
   * in their order: it is the first like it. Of several that are alike in everything it does not matter which.
   */
  #returned({ fields, properties, content }: Returned): void {
    const { exchange, routingKey, replyText } = fields as unknown as Record<string, string>;
    const headers = JSON.stringify(properties.headers);
    for (const published of this.#published) {
      const { address, properties: ours, content: bytes, destination } = published.parcel;
      if (published.isReturned || address.routingKey !== routingKey) continue;
      if ((address.exchange?.name ?? "") !== exchange || !bytes.equals(content)) continue;
      if (properties.messageId !== ours.messageId || JSON.stringify(ours.headers) !== headers) continue;
      published.isReturned = true;
      published.returnedFor = `The broker cannot route ${destination}: ${replyText}`;
      // Perhaps the queue was deleted: next time it is declared again.
      this.#declared.delete(destination);
      return;
    }
  }

  /** Whether there is room now, and tell if there is again. */
  #look(): void {
    const isWaiting = this.#isFull || this.#isBlocked || this.#declaring.size > 0;
    const hasRoom = !isWaiting || this.#connection.isOver;
    if (this.#hasRoom && !hasRoom) this.#room = new Promise((resolve) => (this.#tellRoom = resolve));
    if (!this.#hasRoom && hasRoom) this.#tellRoom();
    this.#hasRoom = hasRoom;
  }
}
