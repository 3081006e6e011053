// A consumer that waits: how soon it has what another process adds, and what it costs while nothing comes, beside
// a bare watch. A million elements that lie there, locked by others, should make no difference.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { SimpleQueue } from "@spoolwire/dirq";
import { endWithUs, removeDirectory } from "../helpers/broker.js";
import type { Bench, Contest, Rates } from "./bench.js";
import { fill } from "./fill.js";
import { fastest, makeDirectory } from "./place.js";

/** What a consumer is tried with; a tenth of it where only a tenth of these elements are there, and so on. */
const FULL = { elements: 10_000, wakeUps: 200, idleMs: 5000, settledMs: 500 };

export const consume: Bench = {
  name: "consume",
  summary: "a waiting consumer: how soon it wakes up, idle CPU and memory, with a million locked elements",
  size: 1_000_000,
  rounds: 3,
  places: [fastest],
  *contests(size) {
    const share = Math.min(1, size / FULL.elements);
    yield* withLocked(0, share);
    yield* withLocked(size, share);
  },
};

const unit = {
  ...{ "from start to first": "1/s", "wake-up p50": "1/s", "wake-up p99": "1/s" },
  ...{ "idle CPU": "s/CPU s", memory: "processes/GB" },
};

/** With so many elements there, all in one directory and locked. */
function* withLocked(locked: number, share: number): Generator<Contest> {
  const directory = makeDirectory(fastest);
  try {
    fill(directory, locked, locked, true);
    const name = `${locked.toLocaleString("en-US")} locked`;
    const round = (kind: string) => () => measure(kind, directory, share);
    yield { name, unit, ours: round("ours"), baselines: { "bare watch": round("bare") } };
  } finally {
    removeDirectory(directory);
  }
}

/** Latencies as rates: awake within half a millisecond is 2000 a second. */
async function measure(kind: string, directory: string, share: number): Promise<Rates> {
  await using consumer = new Consumer(kind, directory);
  const first = await consumer.waken();
  // What it does once after its start is done by then.
  await sleep(share * FULL.settledMs);
  const { cpu: before } = await consumer.used();
  const started = performance.now();
  await sleep(share * FULL.idleMs);
  const { cpu, megabytes } = await consumer.used();
  const idle = (performance.now() - started) / 1000;
  const latencies: number[] = [];
  for (let index = 0; index < share * FULL.wakeUps; index++) {
    await sleep(2 + Math.random() * 6);
    latencies.push(await consumer.waken());
  }
  latencies.sort((a, b) => a - b);
  const at = (part: number) => 1000 / (latencies[Math.floor(part * (latencies.length - 1))] ?? NaN);
  return {
    "from start to first": 1000 / first,
    "wake-up p50": at(0.5),
    "wake-up p99": at(0.99),
    // Being asked costs something too: who used nothing measurable has used a millisecond.
    "idle CPU": idle / Math.max(cpu - before, 0.001),
    memory: 1024 / megabytes,
  };
}

/** A consumer in a process of its own; the end of its input is its end. */
class Consumer {
  readonly #queue: SimpleQueue;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #closed: Promise<unknown>;

  constructor(kind: string, directory: string) {
    this.#queue = new SimpleQueue({ path: directory });
    const program = fileURLToPath(new URL("consumer.js", import.meta.url));
    const child = spawn(process.execPath, [program, kind, directory], { stdio: ["pipe", "pipe", "inherit"] });
    endWithUs(child);
    this.#child = child;
    this.#closed = once(child, "close");
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  /** Add an element. Returns how long it took until the consumer had it, milliseconds. */
  async waken(): Promise<number> {
    this.#queue.add(String(Number(process.hrtime.bigint()) / 1e6));
    return Number(await this.#line());
  }

  /** Seconds of CPU time so far, and memory now. */
  async used(): Promise<{ cpu: number; megabytes: number }> {
    this.#child.kill("SIGUSR2");
    const [cpu = NaN, megabytes = NaN] = (await this.#line()).split(" ").map(Number);
    return { cpu, megabytes };
  }

  async #line(): Promise<string> {
    const step = await this.#lines.next();
    if (step.done) throw new Error("The consumer has ended");
    return step.value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await this.#closed;
  }
}
