// Queue -> RabbitMQ -> queue with what the agent amqpclt is made of, against the bare library: the same messages and
// the same settlement, and neither queues nor anything to be read or made of what comes; and against it with files.
import { once } from "node:events";
import { amqp091, amqp10, toContent, toEncoded } from "@spoolwire/amqpclt";
import { Message } from "@spoolwire/message";
import amqplib from "amqplib";
import rhea, { type Connection, type Delivery, type EventContext, type link as Link } from "rhea";
import type { TestBroker } from "../helpers/broker.js";
import { overAmqp, startRabbitMq } from "../helpers/rabbitmq.js";
import type { Duty } from "./bare-client.js";
import type { Bench, Contest } from "./bench.js";
import { bodies } from "./bodies.js";
import { destination, mover, type Bare } from "./mover.js";
import { fastest, workIn } from "./place.js";
import { bareWithFiles, contest, WINDOW, type Task } from "./transfer.js";

export const transferAmqp: Bench = {
  name: "transfer-amqp",
  summary: "the same with RabbitMQ over AMQP 1.0 and 0-9-1, against rhea and amqplib",
  size: 2000,
  rounds: 5,
  places: [fastest],
  contests,
};

async function* contests(size: number): AsyncGenerator<Contest> {
  workIn(fastest);
  await using rabbit = await startRabbitMq();
  for (const [body, content] of Object.entries(bodies)) {
    const message = new Message({ header: { destination, persistent: "true" }, body: content });
    for (const window of [0, WINDOW]) {
      const name = `${body}${window > 0 ? " reliable" : ""}`;
      const task = { message, size, window, place: fastest };
      const new10 = { ...task, protocol: amqp10, broker: overAmqp(rabbit, "amqp10") };
      yield amqpContest(`1.0, ${name}`, new10, "rhea", new Bare10(new10));
      const old = { ...task, protocol: amqp091, broker: overAmqp(rabbit, "amqp091") };
      yield amqpContest(`0-9-1, ${name}`, old, "amqplib", new Bare091(old));
    }
  }
}

/** Against a library, once from memory to nowhere, and once out of files and into files. */
function amqpContest(name: string, task: Task, library: string, bare: Bare): Contest {
  const { baselines, ...rest } = contest(name, task, library, mover(bare));
  const withFiles = () => bareWithFiles(task, (duties) => mover(bare, duties));
  return { ...rest, baselines: { ...baselines, [`${library}, files`]: withFiles } };
}

const account = ({ user, password, port }: TestBroker) => ({ username: user, password, port });

interface Keeping {
  readonly size: number;
  readonly keep: Duty["keep"];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** What to do with each that comes: accept it, once it is kept if it is to be, until there were so many. */
function keeping<Item>({ size, keep, resolve, reject }: Keeping, accept: (item: Item) => void) {
  let accepted = 0;
  const acceptAll = (items: readonly Item[]) => {
    items.forEach(accept);
    accepted += items.length;
    if (accepted === size) resolve();
  };
  let waiting: Item[] = [];
  let isKeeping = false;
  const work = async (keepThem: (count: number) => Promise<void>) => {
    isKeeping = true;
    while (waiting.length > 0) {
      const items = waiting;
      waiting = [];
      await keepThem(items.length);
      acceptAll(items);
    }
    isKeeping = false;
  };
  return (item: Item) => {
    if (!keep) {
      acceptAll([item]);
      return;
    }
    waiting.push(item);
    if (!isKeeping) work(keep).catch(reject);
  };
}

class Bare091 implements Bare {
  readonly #task: Task;

  constructor(task: Task) {
    this.#task = task;
  }

  async send(to: string, { take, done }: Duty = {}): Promise<void> {
    const { broker, message, size, window } = this.#task;
    const connection = await amqplib.connect(
      { hostname: "127.0.0.1", ...account(broker) },
      { noDelay: true },
    );
    const channel = await (window > 0 ? connection.createConfirmChannel() : connection.createChannel());
    const queue = to.replace("/queue/", "");
    await channel.assertQueue(queue);
    const { content, properties } = toContent(message);
    const options = { ...properties, mandatory: window > 0 };
    let sent = 0;
    let confirmed = 0;
    await new Promise<void>((resolve) => {
      const more = () => {
        let hasRoom = true;
        while (hasRoom && sent < size && (window === 0 || sent - confirmed < window)) {
          take?.(sent);
          sent++;
          const isConfirmed = () => {
            done?.(confirmed);
            if (++confirmed === size) resolve();
            else more();
          };
          if (window > 0) {
            hasRoom = (channel as amqplib.ConfirmChannel).publish("", queue, content, options, isConfirmed);
          } else {
            hasRoom = channel.publish("", queue, content, options);
            done?.(sent - 1);
          }
        }
        if (window === 0 && sent === size) resolve();
      };
      channel.on("drain", more);
      more();
    });
    await channel.close();
    await connection.close();
  }

  async receive(from: string, { keep }: Duty = {}): Promise<void> {
    const { broker, size } = this.#task;
    const connection = await amqplib.connect(
      { hostname: "127.0.0.1", ...account(broker) },
      { noDelay: true },
    );
    const channel = await connection.createChannel();
    const queue = from.replace("/queue/", "");
    await channel.assertQueue(queue);
    await channel.prefetch(WINDOW);
    await new Promise<void>((resolve, reject) => {
      const take = keeping<amqplib.ConsumeMessage>(
        { size, keep, resolve, reject },
        (message) => void channel.ack(message),
      );
      channel.consume(queue, (message) => message && take(message)).catch(reject);
    });
    await channel.close();
    await connection.close();
  }
}

class Bare10 implements Bare {
  readonly #task: Task;

  constructor(task: Task) {
    this.#task = task;
  }

  async send(to: string, { take, done }: Duty = {}): Promise<void> {
    const { message, size, window } = this.#task;
    const connection = this.#connect();
    const sender = connection.open_sender({
      target: { address: to, durable: 2, expiry_policy: "never" },
      snd_settle_mode: window > 0 ? 0 : 1,
    });
    // As an object: its bytes are made for each that is sent, as they are for whoever uses the library.
    const said = rhea.message.decode(toEncoded(message).bytes) as unknown as rhea.Message;
    let sent = 0;
    let confirmed = 0;
    await new Promise<void>((resolve) => {
      const more = () => {
        while (sent < size && sender.sendable() && (window === 0 || sent - confirmed < window)) {
          take?.(sent);
          sent++;
          sender.send(said);
          if (window === 0) done?.(sent - 1);
        }
        if (window === 0 && sent === size) resolve();
      };
      sender.on("accepted", () => {
        done?.(confirmed);
        if (++confirmed === size) resolve();
        else more();
      });
      sender.on("sendable", more);
    });
    await this.#close(connection, sender);
  }

  async receive(from: string, { keep }: Duty = {}): Promise<void> {
    const { size, window } = this.#task;
    const connection = this.#connect();
    const receiver = connection.open_receiver({
      source: { address: from, durable: 2, expiry_policy: "never" },
      snd_settle_mode: window > 0 ? 0 : 1,
      credit_window: 0,
      autoaccept: false,
    });
    const done = new Promise<void>((resolve, reject) => {
      const take = keeping<Delivery>({ size, keep, resolve, reject }, (delivery) => delivery.accept());
      receiver.on("message", ({ delivery }: EventContext) => delivery && take(delivery));
    });
    // All at once: what credit that crosses messages does is told in the package's README.
    receiver.add_credit(size);
    await done;
    await this.#close(connection, receiver);
  }

  #connect(): Connection {
    const { broker } = this.#task;
    const container = rhea.create_container();
    const where = { host: "127.0.0.1", reconnect: false, tcp_no_delay: true, ...account(broker) };
    const connection = container.connect(where);
    connection.on("session_error", () => undefined);
    return connection;
  }

  /** The link first: RabbitMQ lets the end of the connection overtake what came before. */
  async #close(connection: Connection, link: Link): Promise<void> {
    const ended = once(link, link.is_receiver() ? "receiver_close" : "sender_close");
    link.close();
    await ended;
    const closed = once(connection, "connection_close");
    connection.close();
    await closed;
  }
}
