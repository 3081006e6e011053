import { BrokerError, type Message } from "@spoolwire/message";
import type {
  BrokerList,
  BrokerOptions,
  Refusal,
  SendingConnection,
  SendingProtocol,
} from "@spoolwire/transfer";
import type { AmqpError, Delivery, EventContext, Sender, Session } from "rhea";
import { checkBroker, endsWithin, type Place } from "./connect.js";
import { Connection10, describe } from "./connection-10.js";
import { toEncoded, type Encoded } from "./mapping-10.js";
import { isDurable } from "./terminus.js";

type Done = (refusal?: Refusal) => void;

/** How many messages a link may have under way. */
const MOST_UNDER_WAY = 8192;

/** How many links are kept open: a broker bounds them. */
const MOST_LINKS = 200;

/** How messages are sent with AMQP 1.0. Reliable: unsettled, until the broker tells the outcome. */
export class Sending10 implements SendingProtocol<Encoded> {
  readonly brokers: BrokerList<Place>;
  readonly #options: BrokerOptions;

  /** @throws ConfigError */
  constructor(options: BrokerOptions) {
    this.#options = options;
    this.brokers = checkBroker(options, "amqp10");
  }

  prepare(message: Message): Encoded {
    return toEncoded(message);
  }

  async connect(lost: (error: Error) => void, signal: AbortSignal): Promise<SendingConnection<Encoded>> {
    const { reliable } = this.#options;
    return new Sender10(await Connection10.open(this.brokers, this.#options, lost, signal), reliable);
  }
}

/** A link for each destination. */
class Sender10 implements SendingConnection<Encoded> {
  readonly #connection: Connection10;
  readonly #isReliable: boolean;
  readonly #lanes = new Map<string, Lane>();
  #hasRoom = Promise.resolve();
  #tellRoom: (() => void) | undefined;

  constructor(connection: Connection10, isReliable: boolean) {
    this.#connection = connection;
    this.#isReliable = isReliable;
    connection.onDrain(() => {
      for (const lane of this.#lanes.values()) lane.pump();
    });
    // The library closes no link then.
    connection.onOver(() => this.#roomMade());
  }

  /** The oldest that the broker owes an answer to, of all links. Without credit it owes none. */
  get awaited(): unknown {
    const owed = Array.from(this.#lanes.values(), (lane) => lane.oldest);
    const oldest = Math.min(...owed);
    if (oldest < Infinity) return oldest;
    return this.#connection.isCongested ? `${this.#connection.taken} bytes` : undefined;
  }

  end(error: Error): void {
    this.#connection.end(error);
  }

  send(parcel: Encoded, done: Done): boolean {
    if (this.#connection.isOver) return false;
    const lane = this.#lanes.get(parcel.destination) ?? this.#open(parcel.destination);
    if (lane.send(parcel.bytes, done)) return true;
    if (!this.#tellRoom) this.#hasRoom = new Promise((resolve) => (this.#tellRoom = resolve));
    return false;
  }

  drained(): Promise<void> {
    return this.#hasRoom;
  }

  /**
   * The end of a link that is answered comes after all that was sent on it; RabbitMQ lets the end of the connection
   * overtake that, and does not always answer to the end of a session.
   */
  async flushed(timeoutMs: number): Promise<boolean> {
    if (this.#isReliable) return true;
    let refusal: Error | undefined;
    const ends = Promise.all(Array.from(this.#lanes.values(), (lane) => lane.detach())).catch(
      (error: unknown) => (refusal = error as Error),
    );
    const isFlushed = this.#connection.isOver || (await endsWithin(ends, timeoutMs));
    await this.close(isFlushed ? timeoutMs : 0);
    if (refusal) throw refusal;
    return isFlushed;
  }

  close(timeoutMs: number): Promise<boolean> {
    return this.#connection.close(timeoutMs);
  }

  #open(destination: string): Lane {
    if (this.#lanes.size >= MOST_LINKS) {
      const idle = [...this.#lanes.values()].find((lane) => lane.isIdle);
      idle?.close();
    }
    const lane = new Lane(this.#connection, destination, this.#isReliable, {
      onRoom: () => this.#roomMade(),
      onOver: (error) => {
        this.#lanes.delete(destination);
        if (error) this.#connection.end(error);
        this.#roomMade();
      },
    });
    this.#lanes.set(destination, lane);
    return lane;
  }

  #roomMade(): void {
    if (!this.#connection.isOver && [...this.#lanes.values()].some((lane) => !lane.hasRoom)) return;
    this.#tellRoom?.();
    this.#tellRoom = undefined;
  }
}

const SESSION_ENDED = "the broker has ended the session";

interface LaneEvents {
  onRoom(): void;
  /** `error`: something was under way, and what became of it is not known. */
  onOver(error?: BrokerError): void;
}

/** What waits for its outcome. */
interface Sent {
  readonly done: Done;
  /** Which it is of all that was sent. */
  readonly order: number;
}

let lastSent = 0;

/** A link to one destination, in a session of its own. */
class Lane {
  readonly #connection: Connection10;
  readonly #session: Session;
  readonly #sender: Sender;
  readonly #destination: string;
  readonly #isReliable: boolean;
  readonly #events: LaneEvents;
  /** What the broker has given no credit for yet. */
  #unsent: { readonly bytes: Buffer; readonly done: Done }[] = [];
  readonly #underWay = new Map<Delivery, Sent>();
  /** When it was asked for, in the order of all that was sent. */
  readonly #openedAs = ++lastSent;
  /** Something was sent that nobody confirms. */
  #hasSentSettled = false;
  #isOver = false;

  constructor(connection: Connection10, destination: string, isReliable: boolean, events: LaneEvents) {
    const session = connection.session(MOST_UNDER_WAY);
    this.#connection = connection;
    this.#session = session;
    this.#destination = destination;
    this.#isReliable = isReliable;
    this.#events = events;
    const sender = session.open_sender({
      target: { address: destination, ...(isDurable(destination) && { durable: 2, expiry_policy: "never" }) },
      snd_settle_mode: isReliable ? 0 : 1,
      treat_modified_as_released: false,
    });
    this.#sender = sender;
    sender.on("sendable", () => this.pump());
    sender.on("accepted", (context: EventContext) => this.#settled(context));
    sender.on("rejected", (context: EventContext) => {
      const { error } = (context.delivery?.remote_state ?? {}) as { error?: AmqpError };
      this.#settled(context, { reason: this.#words(describe(error, "rejected")), isFinal: true });
    });
    for (const outcome of ["released", "modified"]) {
      sender.on(outcome, (context: EventContext) => this.#settled(context, { reason: this.#words(outcome) }));
    }
    sender.on("sender_close", () => this.#end(describe(sender.error, "the broker has closed the link")));
    sender.on("sender_error", () => undefined);
    session.on("session_close", () => this.#end(describe(session.error, SESSION_ENDED)));
    session.on("session_error", () => undefined);
  }

  get hasRoom(): boolean {
    return this.#unsent.length === 0;
  }

  /** When the oldest was sent that the broker has not answered to; Infinity: it has, or gives no credit. */
  get oldest(): number {
    if (!this.#sender.is_remote_open()) return this.#openedAs;
    const [first] = this.#underWay.values();
    return first?.order ?? Infinity;
  }

  get isIdle(): boolean {
    return this.#unsent.length === 0 && this.#underWay.size === 0;
  }

  /** False: it waits for credit. */
  send(bytes: Buffer, done: Done): boolean {
    this.#unsent.push({ bytes, done });
    this.pump();
    return this.hasRoom;
  }

  /** Resolves when the broker has seen all that was sent. @throws BrokerError if it has refused some of it */
  async detach(): Promise<void> {
    this.#isOver = true;
    const ended = new Promise<void>((resolve, reject) => {
      const refused = (reason: string) => reject(new BrokerError("BROKER_REJECTED", this.#words(reason)));
      this.#sender.once("sender_close", () => {
        const { error } = this.#sender;
        if (error) refused(describe(error, "refused"));
        else resolve();
      });
      this.#session.once("session_close", () => refused(describe(this.#session.error, SESSION_ENDED)));
    });
    this.#sender.close();
    await ended;
  }

  close(): void {
    this.#isOver = true;
    this.#session.close();
    this.#events.onOver();
  }

  /** Send what there is credit for, and room in the network. */
  pump(): void {
    if (this.#connection.isCongested) return;
    let sent = 0;
    for (const { bytes, done } of this.#unsent) {
      // The library counts credit down when it writes, which is later.
      if (this.#isOver || !this.#sender.sendable() || sent >= this.#credit()) break;
      const delivery = this.#sender.send(bytes, undefined, 0);
      sent++;
      if (this.#isReliable) this.#underWay.set(delivery, { done, order: ++lastSent });
      else {
        this.#hasSentSettled = true;
        done();
      }
    }
    if (sent === 0) return;
    this.#connection.gather();
    this.#unsent = this.#unsent.slice(sent);
    if (this.hasRoom) this.#events.onRoom();
  }

  #credit(): number {
    return (this.#sender as unknown as { readonly credit: number }).credit;
  }

  #settled({ delivery }: EventContext, refusal?: Refusal): void {
    const sent = delivery && this.#underWay.get(delivery);
    if (!sent) return;
    this.#underWay.delete(delivery);
    sent.done(refusal);
  }

  #words(reason: string): string {
    return `The broker does not take what is sent to ${this.#destination}: ${reason}`;
  }

  #end(reason: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const words = this.#words(reason);
    const unsent = this.#unsent;
    this.#unsent = [];
    // An end without a reason refuses nothing of what nobody confirms.
    const isRefused = this.#hasSentSettled && Boolean(this.#sender.error ?? this.#session.error);
    const isUnknown = this.#underWay.size > 0 || isRefused;
    this.#events.onOver(isUnknown ? new BrokerError("BROKER_REJECTED", words) : undefined);
    if (!isUnknown) for (const { done } of unsent) done({ reason: words });
  }
}
