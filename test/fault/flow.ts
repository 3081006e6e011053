// The whole way with agents that run for ever, as processes: a queue, a sender, a broker, a receiver, a queue.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DqsQueue, Message } from "@spoolwire/message";
import { inMemory, removeDirectory, temporaryDirectory, type TestBroker } from "../helpers/broker.js";
import { start, type Running } from "../helpers/programs.js";
import { Book } from "./book.js";
import { contentOf } from "./texts.js";

/** Most messages that each agent has in hand. */
export const WINDOW = 50;

export interface FlowOptions {
  /** Where the receiver's queue is made (default: beside the sender's, in memory). */
  readonly place?: string;
  /** Without `--reliable`, which shows what a campaign can find. */
  readonly careless?: boolean;
}

let flows = 0;

export class Flow implements AsyncDisposable {
  readonly book = new Book();
  readonly #directory = temporaryDirectory("flow", inMemory);
  readonly #destination = `/queue/flow-${++flows}`;
  readonly #incoming = new DqsQueue({ path: join(this.#directory, "in") });
  readonly #outgoing: DqsQueue;
  readonly #agents: readonly Running[];
  readonly #ends: readonly Promise<string>[];
  #sent = 0;
  #taken = new Set<string>();
  #told = "";

  constructor({ uri, auth }: TestBroker, { place = this.#directory, careless = false }: FlowOptions = {}) {
    this.#outgoing = new DqsQueue({ path: join(place, "out") });
    const common = ["--window", `${WINDOW}`, ...(careless ? [] : ["--reliable"])];
    const sender = start("stompclt", [
      ...["--incoming-queue", `path=${this.#incoming.path}`, "--remove", "--loop", ...common],
      ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth],
    ]);
    const receiver = start("stompclt", [
      ...["--incoming-broker-uri", uri, "--incoming-broker-auth", auth, "--prefetch", `${WINDOW}`, ...common],
      ...[
        "--subscribe",
        `destination=${this.#destination}`,
        "--outgoing-queue",
        `path=${this.#outgoing.path}`,
      ],
    ]);
    this.#agents = [sender, receiver];
    for (const { child } of this.#agents) child.stderr?.on("data", (text) => (this.#told += String(text)));
    this.#ends = this.#agents.map(async ({ done }) => {
      const { status, signal, stderr } = await done;
      return `status ${signal ?? status}: ${stderr}`;
    });
  }

  /** What the agents have said so far. */
  get told(): string {
    return this.#told;
  }

  /** How many different messages were taken from the end. */
  get taken(): number {
    return this.#taken.size;
  }

  /** How many lie at the end. */
  get arrived(): number {
    return this.#outgoing.count();
  }

  /** Put so many messages in. */
  send(count: number): void {
    for (let index = 0; index < count; index++) {
      const id = `${this.#sent}-${this.#sent % 97}`;
      this.book.accept([id]);
      const header = { destination: this.#destination, persistent: "true" };
      this.#incoming.addMessage(new Message({ header, body: contentOf(id) }));
      this.#sent++;
    }
  }

  /** Take what lies at the end. */
  take(): void {
    for (const name of this.#outgoing) {
      if (!this.#outgoing.lock(name)) continue;
      const body = String(this.#outgoing.getMessage(name).body);
      this.#outgoing.remove(name);
      this.book.find([body]);
      this.#taken.add(body);
    }
  }

  /** @throws at once if an agent has ended, or after so long, seconds */
  async until(condition: () => boolean, seconds = 120): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    while (!condition()) {
      const early = await Promise.race([...this.#ends, sleep(20)]);
      if (early !== undefined) throw new Error(`An agent ended: ${early}`);
      if (performance.now() > deadline) {
        throw new Error(`Not after ${seconds} s: ${condition.toString()}; the agents said:\n${this.#told}`);
      }
    }
  }

  /** Take all that is still on its way, and stop the agents, which must end well. */
  async finish(): Promise<void> {
    await this.until(() => {
      this.take();
      return this.#taken.size === this.#sent && this.#incoming.count() === 0;
    });
    for (const { child } of this.#agents) child.kill("SIGTERM");
    for (const end of this.#ends) {
      const how = await end;
      if (!how.startsWith("status 0:")) throw new Error(`An agent ended badly: ${how}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#agents) child.kill("SIGKILL");
    await Promise.all(this.#ends);
    removeDirectory(this.#directory);
  }
}
