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
  /** The body for an id, which it begins with, and a space (default: of many sizes). */
  readonly contentOf?: (id: string) => string;
  /** Seconds after which what a killed sender had locked is free for the next (default: as the queue has it). */
  readonly maxlock?: number;
  /** More options for both agents. */
  readonly more?: readonly string[];
}

/** An agent that runs, with how it ended if it has. */
interface Member {
  running: Running;
  end: Promise<string>;
}

let flows = 0;

export class Flow implements AsyncDisposable {
  readonly book: Book;
  readonly #contentOf: (id: string) => string;
  readonly #directory = temporaryDirectory("flow", inMemory);
  readonly destination = `/queue/flow-${++flows}`;
  readonly #incoming = new DqsQueue({ path: join(this.#directory, "in") });
  readonly #outgoing: DqsQueue;
  readonly #agent: TestBroker["agent"];
  readonly #commands: Readonly<Record<"sender" | "receiver", readonly string[]>>;
  readonly #agents: Record<"sender" | "receiver", Member>;
  #sent = 0;
  #taken = new Set<string>();
  #told = "";

  constructor({ uri, auth, agent }: TestBroker, options: FlowOptions = {}) {
    const { place = this.#directory, careless = false, contentOf: content = contentOf } = options;
    const { maxlock, more = [] } = options;
    this.#agent = agent;
    this.#contentOf = content;
    this.book = new Book(content);
    this.#outgoing = new DqsQueue({ path: join(place, "out") });
    const common = ["--window", `${WINDOW}`, ...(careless ? [] : ["--reliable"]), ...more];
    const locks = maxlock === undefined ? "" : ` maxlock=${maxlock}`;
    const sender = [
      ...["--incoming-queue", `path=${this.#incoming.path}${locks}`, "--remove", "--loop", ...common],
      ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth],
    ];
    const receiver = [
      ...["--incoming-broker-uri", uri, "--incoming-broker-auth", auth, "--prefetch", `${WINDOW}`, ...common],
      ...["--subscribe", `destination=${this.destination}`],
      ...["--outgoing-queue", `path=${this.#outgoing.path}`],
    ];
    this.#commands = { sender, receiver };
    this.#agents = { sender: this.#start(sender), receiver: this.#start(receiver) };
  }

  /** What the broker calls the queue on the way. */
  get queue(): string {
    return this.destination.replace("/queue/", "");
  }

  /** What the agents have said so far. */
  get told(): string {
    return this.#told;
  }

  /** The agents' processes: the sender, the receiver. */
  get pids(): readonly number[] {
    return Object.values(this.#agents).map(({ running }) => running.child.pid ?? 0);
  }

  /** How many messages were put in. */
  get sent(): number {
    return this.#sent;
  }

  /** How many different messages were taken from the end. */
  get taken(): number {
    return this.#taken.size;
  }

  /** How many lie at the start and are in nobody's hand. */
  get unlocked(): number {
    const queue = this.#incoming;
    return [...queue].filter((name) => queue.lock(name) && queue.unlock(name)).length;
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
      const header = { destination: this.destination, persistent: "true" };
      this.#incoming.addMessage(new Message({ header, body: this.#contentOf(id) }));
      this.#sent++;
    }
  }

  /** Take what lies at the end. */
  take(): void {
    for (const name of this.#outgoing) {
      if (!this.#lock(name)) continue;
      const body = String(this.#outgoing.getMessage(name).body);
      this.#outgoing.remove(name);
      this.book.find([body]);
      // Not the body: there may be a million of them.
      this.#taken.add(body.split(" ", 1)[0] ?? "");
    }
  }

  /** SIGKILL an agent, and start it again. */
  async kill(name: "sender" | "receiver"): Promise<void> {
    const { running } = this.#agents[name];
    running.child.kill("SIGKILL");
    await running.done;
    this.#agents[name] = this.#start(this.#commands[name]);
  }

  /** @throws at once if an agent has ended, or after so long, seconds */
  async until(condition: () => boolean, seconds = 120): Promise<void> {
    const deadline = performance.now() + seconds * 1000;
    while (!condition()) {
      const early = await Promise.race([...this.#members.map(({ end }) => end), sleep(20)]);
      if (early !== undefined) throw new Error(`An agent ended: ${early}`);
      if (performance.now() > deadline) {
        const [taken, left] = [this.#taken.size, this.#incoming.count()];
        throw new Error(
          `Not after ${seconds} s: ${condition.toString()}; ${taken} of ${this.#sent} are taken, ${left} were ` +
            `not sent, ${this.arrived} lie there; the agents said:\n${this.#told}`,
        );
      }
    }
  }

  /** Take all that is still on its way, and stop the agents, which must end well. */
  async finish(): Promise<void> {
    await this.until(() => {
      this.take();
      return this.#taken.size === this.#sent && this.#incoming.count() === 0;
    });
    for (const { running } of this.#members) running.child.kill("SIGTERM");
    for (const { end } of this.#members) {
      const how = await end;
      if (!how.startsWith("status 0:")) throw new Error(`An agent ended badly: ${how}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { running } of this.#members) running.child.kill("SIGKILL");
    await Promise.all(this.#members.map(({ end }) => end));
    removeDirectory(this.#directory);
  }

  #lock(name: string): boolean {
    try {
      return this.#outgoing.lock(name);
    } catch (error) {
      // The receiver is just trying, and has taken what was left of the disk.
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
      return false;
    }
  }

  get #members(): Member[] {
    return [this.#agents.sender, this.#agents.receiver];
  }

  #start(command: readonly string[]): Member {
    const running = start(this.#agent, command);
    running.child.stderr?.on("data", (text) => (this.#told += String(text)));
    const end = running.done.then(({ status, signal, stderr }) => `status ${signal ?? status}: ${stderr}`);
    return { running, end };
  }
}
