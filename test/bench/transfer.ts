// Queue -> broker -> queue with what the agent stompclt is made of, against a bare client that moves the same
// frames with the same confirmations and has no queue. Both use the same broker, a process of its own; they
// themselves run in this process, so that the start of a process is not measured, and share it on the whole way.
import { join } from "node:path";
import { Message, openMessageQueue } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import { encodeFrame, toFrame } from "@spoolwire/stomp";
import { StompSink, StompSource } from "@spoolwire/stompclt";
import { QueueSink, QueueSource, Transfer, type BrokerOptions } from "@spoolwire/transfer";
import { removeDirectory, type TestBroker } from "../helpers/broker.js";
import { startEmbedded } from "../helpers/embedded.js";
import { BareClient } from "./bare-client.js";
import { rate, type Bench, type Contest, type Rates } from "./bench.js";
import { bodies } from "./bodies.js";
import { fastest, makeDirectory, workIn } from "./place.js";

const WINDOW = 1000;

const destination = "/queue/bench";
const log = createLogger("bench");
const signal = new AbortController().signal;

export const transfer: Bench = {
  name: "transfer",
  summary: "queue to broker, broker to queue, and the whole way, 100 bytes and 10 kB, reliable and not",
  size: 2000,
  rounds: 5,
  places: [fastest],
  async *contests(size) {
    workIn(fastest);
    await using broker = await startEmbedded();
    for (const [name, body] of Object.entries(bodies)) {
      const message = new Message({ header: { destination, persistent: "true" }, body });
      for (const window of [0, WINDOW]) {
        yield contest(`${name}${window > 0 ? " reliable" : ""}`, { broker, message, window, size });
      }
    }
  },
};

/** Messages go out reliably with a window, or not reliably without one (0). */
interface Task {
  readonly broker: TestBroker;
  readonly message: Message;
  readonly window: number;
  readonly size: number;
}

/** One side's way to do a direction; it resolves when all messages have arrived. */
interface Mover {
  send(): Promise<void>;
  receive(): Promise<void>;
}

function contest(name: string, task: Task): Contest {
  return {
    name,
    unit: "messages/s",
    ours: () => ours(task),
    baselines: { "bare client": () => measure(task.size, bare(task)) },
  };
}

async function measure(size: number, mover: Mover): Promise<Rates> {
  return {
    send: await rate(size, () => mover.send()),
    receive: await rate(size, () => mover.receive()),
    "whole way": await rate(size, () => Promise.all([mover.receive(), mover.send()])),
  };
}

/** Two queues to send from, since what was sent is removed, and one to receive into. */
async function ours({ broker, message, window, size }: Task): Promise<Rates> {
  const directory = makeDirectory(fastest);
  const queue = (name: string) => openMessageQueue({ path: join(directory, name) });
  const full = ["a", "b"].map(queue);
  for (const queue of full) for (let index = 0; index < size; index++) queue.addMessage(message);
  const target = queue("c");
  const options: BrokerOptions = {
    uri: broker.uri,
    credential: { scheme: "plain", name: broker.user, pass: broker.password },
    connect: {},
    sockopts: {},
    stompDebug: undefined,
    maxBodySize: 1e9,
    type: undefined,
    reliable: window > 0,
    heartBeat: undefined,
    backOff: undefined,
    mayReconnect: false,
    maxAttempts: 3,
    x509: undefined,
    timeoutConnect: 10,
    timeoutBroker: 60,
    timeoutFlush: 60,
    timeoutDisconnect: 10,
    log,
  };
  const rates = await measure(size, {
    send: async () => {
      const source = new QueueSource(full.pop()!, log, { remove: true });
      await new Transfer(source, new StompSink(options), log, { window }).run(signal);
    },
    receive: async () => {
      const subscriptions = [{ destination }];
      const prefetch = window > 0 ? window : undefined;
      const source = new StompSource({ ...options, subscriptions, unsubscriptions: undefined, prefetch });
      await new Transfer(source, new QueueSink(target, log), log, { window, count: size }).run(signal);
    },
  });
  if (target.count() !== 2 * size) throw new Error(`${target.count()} messages of ${2 * size} arrived`);
  removeDirectory(directory);
  return rates;
}

function bare({ broker, message, window, size }: Task): Mover {
  const connect = () => BareClient.open(broker.port, broker.user, broker.password);
  const { command, headers, body } = toFrame(message);
  // The receipt is as long as most of ours, and the same for all: they are only counted.
  const receipt: Record<string, string> = window > 0 ? { receipt: "1000" } : {};
  const frame = encodeFrame({ command, headers: { ...headers, ...receipt }, body }, "1.2");
  return {
    send: async () => {
      const client = await connect();
      await client.send(frame, size, window);
      await client.close();
    },
    receive: async () => {
      const client = await connect();
      await client.receive(destination, size, window);
      await client.close();
    },
  };
}
