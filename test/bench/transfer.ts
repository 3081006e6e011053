// Queue -> broker -> queue with what the agent stompclt is made of, against a bare client that moves the same
// frames with the same confirmations: once from memory to nowhere, which is what network and broker allow, and once
// out of files and into files with the same promise, which is what anybody who keeps it has to do; and against
// stompit, from memory to nowhere. All use the same broker, a process of its own; they themselves run in this
// process, so that the start of a process is not measured, and share it on the whole way.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Durability } from "@spoolwire/dirq";
import { Message, openMessageQueue } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import { encodeFrame, toFrame } from "@spoolwire/stomp";
import { stomp } from "@spoolwire/stompclt";
import { Checker, QueueSink, QueueSource, Transfer, type Protocol } from "@spoolwire/transfer";
import { removeDirectory, type TestBroker } from "../helpers/broker.js";
import { accountOf, brokerOptions } from "../helpers/broker-options.js";
import { startEmbedded } from "../helpers/embedded.js";
import { startRabbitMq } from "../helpers/rabbitmq.js";
import { BareClient, type Duty } from "./bare-client.js";
import { bareFiles } from "./bare-files.js";
import { rate, type Bench, type Contest, type Place, type Rates } from "./bench.js";
import { bodies } from "./bodies.js";
import { destination, elsewhere, mover, type Bare, type Mover } from "./mover.js";
import { fastest, makeDirectory, mountDisk, workIn } from "./place.js";
import { stompit } from "./stompit-client.js";

export const WINDOW = 1000;

/** How many messages one after the other are timed on their way. */
const TIMED = 200;

const log = createLogger("bench");
const signal = new AbortController().signal;

export const transfer: Bench = {
  name: "transfer",
  summary: "queue to broker, broker to queue, broker to broker, and the whole way: embedded broker",
  size: 2000,
  rounds: 5,
  places: [fastest],
  contests: (size) => contests(size, startEmbedded),
};

export const transferRabbitMq: Bench = {
  ...transfer,
  name: "transfer-rabbitmq",
  summary: "the same with RabbitMQ",
  contests: (size) => contests(size, startRabbitMq),
};

async function* contests(size: number, start: () => Promise<TestBroker>): AsyncGenerator<Contest> {
  workIn(fastest);
  await using broker = await start();
  for (const [name, body] of Object.entries(bodies)) {
    const message = new Message({ header: { destination, persistent: "true" }, body });
    const task = { broker, protocol: stomp, message, size, place: fastest };
    yield stompContest(name, { ...task, window: 0 });
    yield stompContest(`${name} reliable`, { ...task, window: WINDOW });
    using disk = mountDisk();
    const where = disk ?? fastest;
    const title = `${name} reliable, durable on ${where.fileSystem}`;
    yield stompContest(title, { ...task, window: WINDOW, place: where, durability: "full" });
  }
  yield {
    name: "one message, idle to delivered",
    unit: "1/s",
    ours: () => timeAgent(broker, Math.min(size, TIMED)),
    baselines: { "bare client": () => timeBare(broker, Math.min(size, TIMED)) },
  };
}

/** Messages go out reliably with a window, or not reliably without one (0). */
export interface Task {
  readonly broker: TestBroker;
  readonly protocol: Protocol;
  readonly message: Message;
  readonly window: number;
  readonly size: number;
  /** Where our queues are, and how durable. */
  readonly place: Place;
  readonly durability?: Durability | undefined;
}

const stompContest = (name: string, task: Task): Contest => {
  const { baselines, ...rest } = contest(name, task, "bare client", mover(bare(task)));
  const withFiles = (durability?: Durability) =>
    bareWithFiles({ ...task, durability }, (duties) => mover(bare(task), duties));
  // What the files alone cost, in any order and with nothing waited for.
  const unsynced = task.durability && { "bare client, files, no sync": () => withFiles() };
  const byStompit = () => measure(task.size, mover(stompit(task)));
  return {
    ...rest,
    baselines: {
      ...baselines,
      "bare client, files": () => withFiles(task.durability),
      ...unsynced,
      stompit: byStompit,
    },
  };
};

/** All directions, by an agent's parts and by something without queues. */
export function contest(name: string, task: Task, against: string, mover: Mover): Contest {
  return {
    name,
    unit: "messages/s",
    ours: () => ours(task),
    baselines: { [against]: () => measure(task.size, mover) },
  };
}

/** Something without queues that moves files instead. */
export async function bareWithFiles(
  task: Task,
  mover: (duties: readonly Required<Duty>[]) => Mover,
): Promise<Rates> {
  const { size, place, durability, message } = task;
  const directory = makeDirectory(place);
  const body = Buffer.from(message.body);
  // Twice, as each kind of moving with queues is.
  const files = ["a", "b"].map((name) => {
    const path = join(directory, name);
    mkdirSync(path);
    return bareFiles(path, size, body, durability === "full");
  });
  const rates = await measure(size, mover(files));
  removeDirectory(directory);
  return rates;
}

async function measure(size: number, mover: Mover): Promise<Rates> {
  return {
    send: await rate(size, () => mover.send()),
    shovel: await rate(2 * size, () => mover.shovel()),
    receive: await rate(size, () => mover.receive()),
    "whole way": await rate(size, () => Promise.all([mover.receive(), mover.send()])),
  };
}

/** Two queues to send from, since what was sent is removed, and one to receive into. */
async function ours(task: Task): Promise<Rates> {
  const { broker, protocol, message, window, size, place, durability = "none" } = task;
  const directory = makeDirectory(place);
  const queue = (name: string) => openMessageQueue({ durability, path: join(directory, name) });
  const full = ["a", "b"].map(queue);
  for (const queue of full) for (let index = 0; index < size; index++) queue.addMessage(message);
  const target = queue("c");
  const options = optionsOf(broker, window > 0);
  const source = (from: string) => {
    const prefetch = window > 0 ? window : undefined;
    return protocol.openSource({
      ...options,
      subscriptions: [{ destination: from }],
      unsubscriptions: undefined,
      prefetch,
    });
  };
  const run = (...sides: ConstructorParameters<typeof Transfer>) => new Transfer(...sides).run(signal);
  const rates = await measure(size, {
    send: async () => {
      const incoming = new QueueSource(full.pop()!, log, { remove: true });
      await run(incoming, protocol.openSink(options), log, { window });
    },
    receive: async () => {
      await run(source(destination), new QueueSink(target, log), log, { window, count: size });
    },
    shovel: async () => {
      for (const [from, to] of [
        [destination, elsewhere],
        [elsewhere, destination],
      ] as const) {
        const redirect = { check: ({ header }: Message) => void (header.destination = to) };
        const checker = new Checker(redirect, log);
        await run(source(from), protocol.openSink(options), log, { window, count: size, checker });
      }
    },
  });
  if (target.count() !== 2 * size) throw new Error(`${target.count()} messages of ${2 * size} arrived`);
  removeDirectory(directory);
  return rates;
}

const optionsOf = (broker: TestBroker, reliable: boolean) =>
  brokerOptions(broker.uri, {
    credential: accountOf(broker),
    reliable,
    mayReconnect: false,
    timeoutBroker: 60,
    timeoutFlush: 60,
    log,
  });

function bare({ broker, message, window, size }: Task): Bare {
  const connect = () => BareClient.open(broker.port, broker.user, broker.password);
  const { command, headers, body } = toFrame(message);
  // The receipt is as long as most of ours, and the same for all: they are only counted.
  const receipt: Record<string, string> = window > 0 ? { receipt: "1000" } : {};
  return {
    send: async (destination, duty) => {
      const client = await connect();
      const frame = { command, headers: { ...headers, destination, ...receipt }, body };
      await client.send(encodeFrame(frame, "1.2"), size, window, duty);
      await client.close();
    },
    receive: async (from, duty) => {
      const client = await connect();
      await client.receive(from, size, window, duty);
      await client.close();
    },
  };
}

/** How soon a message that is added to an idle agent's queue has reached a subscriber; 2000 is 0.5 ms. */
async function timeAgent(broker: TestBroker, count: number): Promise<Rates> {
  const directory = makeDirectory(fastest);
  const queue = openMessageQueue({ path: join(directory, "queue") });
  const stopping = new AbortController();
  const source = new QueueSource(queue, log, { remove: true, loop: true });
  const running = new Transfer(source, stomp.openSink(optionsOf(broker, true)), log).run(stopping.signal);
  const rates = await timeEach(broker, count, (message) => void queue.addMessage(message));
  stopping.abort();
  await running;
  removeDirectory(directory);
  return rates;
}

async function timeBare(broker: TestBroker, count: number): Promise<Rates> {
  const client = await BareClient.open(broker.port, broker.user, broker.password);
  const rates = await timeEach(broker, count, (message) =>
    client.send(encodeFrame(toFrame(message), "1.2"), 1, 0),
  );
  await client.close();
  return rates;
}

async function timeEach(
  broker: TestBroker,
  count: number,
  send: (message: Message) => Promise<void> | void,
): Promise<Rates> {
  const subscriber = await BareClient.open(broker.port, broker.user, broker.password);
  const latencies: number[] = [];
  let arrived: () => void = () => undefined;
  subscriber.subscribe(elsewhere, () => arrived());
  for (let index = 0; index < count; index++) {
    await sleep(5 + Math.random() * 10);
    const delivered = new Promise<void>((resolve) => (arrived = resolve));
    const started = performance.now();
    await send(new Message({ header: { destination: elsewhere }, body: "x".repeat(100) }));
    await delivered;
    latencies.push(performance.now() - started);
  }
  await subscriber.close();
  latencies.sort((a, b) => a - b);
  const at = (share: number) => 1000 / (latencies[Math.floor(share * (latencies.length - 1))] ?? NaN);
  return { p50: at(0.5), p99: at(0.99) };
}
