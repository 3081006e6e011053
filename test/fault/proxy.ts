// Connections are cut: reliable transfers through them go on, lose nothing, and repeat at most the window.
import { join } from "node:path";
import { amqp } from "@spoolwire/amqpclt";
import { DqsQueue, Message } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import { stomp } from "@spoolwire/stompclt";
import {
  defaultBackOff,
  QueueSink,
  QueueSource,
  Transfer,
  type BrokerSourceOptions,
  type Protocol,
  type Sink,
  type Source,
  type TransferOptions,
} from "@spoolwire/transfer";
import { inMemory, removeDirectory, temporaryDirectory, type TestBroker } from "../helpers/broker.js";
import { accountOf, brokerOptions } from "../helpers/broker-options.js";
import { startFaultProxy, type Fault } from "../helpers/fault-proxy.js";
import { Book } from "./book.js";
import { noCounts, seeded, type BrokerCampaignOptions, type Campaign, type Counts } from "./campaign.js";
import { contentOf } from "./texts.js";

/** The transfers that are cut, and where their bytes are counted. */
const cuts = [
  { hop: "send", direction: "up" },
  { hop: "send", direction: "down" },
  { hop: "receive", direction: "up" },
  { hop: "receive", direction: "down" },
] as const;

type Hop = (typeof cuts)[number]["hop"];

const kinds = ["end", "reset"] as const satisfies readonly Fault["kind"][];

/** A transfer that takes so long is stuck, milliseconds. */
const PATIENCE_MS = 60_000;

export const proxy: Campaign<BrokerCampaignOptions> = {
  name: "proxy",
  summary:
    "connections are cut: in 5 messages (embedded broker; 4000 rounds are each byte), or in 500 (others)",
  rounds: 200,
  run: async ({ seed, rounds, broker, careless = false, progress }) => {
    const random = seeded(seed);
    const isSmall = broker.name === "embedded";
    await using between = await startFaultProxy(broker.port);
    const road = new Road(broker, between.port, isSmall ? 5 : 500, careless);
    try {
      // How long the transfers are when nothing happens to them.
      const lengths: number[] = [];
      for (const { hop, direction } of cuts) {
        await road.move(hop);
        lengths.push(between.passed[direction]);
      }
      const all = lengths.reduce((sum, length) => sum + length);
      for (let round = 0; round < rounds; round++) {
        progress(round);
        // With as many rounds as there are bytes each has its turn.
        let after = isSmall ? Math.floor((round * all) / rounds) : Math.floor(random() * all);
        let index = 0;
        for (; after >= lengths[index]!; index++) after -= lengths[index]!;
        const { hop, direction } = cuts[index]!;
        between.strikeNext({ direction, after, kind: kinds[Math.floor(random() * 2)]! });
        await road.move(hop);
      }
      return await road.count(rounds);
    } finally {
      road.remove();
    }
  },
};

/** From a queue through a broker into another queue, one of the two hops through the proxy. */
class Road {
  readonly #broker: TestBroker;
  readonly #protocol: Protocol;
  readonly #proxyPort: number;
  readonly #messages: number;
  readonly #window: number;
  readonly #careless: boolean;
  readonly #directory = temporaryDirectory("proxy", inMemory);
  readonly #start = new DqsQueue({ path: join(this.#directory, "start") });
  readonly #end = new DqsQueue({ path: join(this.#directory, "end") });
  readonly #book = new Book();
  #number = 0;

  constructor(broker: TestBroker, proxyPort: number, messages: number, careless: boolean) {
    this.#broker = broker;
    const scheme = broker.uri.slice(0, broker.uri.indexOf(":"));
    this.#protocol = [stomp, ...amqp].find(({ schemes }) => schemes.includes(scheme))!;
    this.#proxyPort = proxyPort;
    this.#messages = messages;
    this.#window = Math.min(messages, 50);
    this.#careless = careless;
  }

  /** So many messages go all the way. */
  async move(disturbed: Hop): Promise<void> {
    const ids = Array.from({ length: this.#messages }, () => `${this.#number++}-${this.#number % 7}`);
    this.#book.accept(ids);
    const header = { destination: "/queue/proxy", persistent: "true" };
    for (const id of ids) this.#start.addMessage(new Message({ header, body: contentOf(id) }));
    const port = (hop: Hop) => (hop === disturbed ? this.#proxyPort : this.#broker.port);
    const source = new QueueSource(this.#start, log, { remove: true });
    await this.#transfer(source, this.#protocol.openSink(this.#options(port("send"))));
    // What comes twice takes the place of others, which then come later.
    await this.#receive(port("receive"), {
      count: this.#messages,
      ...(this.#careless && { inactivity: 0.2 }),
    });
  }

  /** Take what is left, and compare. */
  async count(rounds: number): Promise<Counts> {
    await this.#receive(this.#broker.port, { inactivity: 1 });
    for (const name of this.#end) {
      this.#end.lock(name);
      this.#book.find([String(this.#end.getMessage(name).body)]);
    }
    const counts = noCounts();
    this.#book.addTo(counts);
    const bound = rounds * this.#window;
    if (counts.duplicates > bound) {
      throw new Error(`Expected at most ${bound} duplicates, got ${counts.duplicates}`);
    }
    return counts;
  }

  remove(): void {
    removeDirectory(this.#directory);
  }

  async #receive(port: number, until: TransferOptions): Promise<void> {
    await this.#transfer(
      this.#protocol.openSource(this.#options(port)),
      new QueueSink(this.#end, log),
      until,
    );
  }

  async #transfer(source: Source, sink: Sink, until: TransferOptions = {}): Promise<void> {
    const stuck = AbortSignal.timeout(PATIENCE_MS);
    await new Transfer(source, sink, log, { window: this.#window, ...until }).run(stuck);
    if (stuck.aborted) throw new Error(`Expected the transfer to end within ${PATIENCE_MS / 1000} s`);
  }

  #options(port: number): BrokerSourceOptions {
    const uri = this.#broker.uri.replace(`:${this.#broker.port}`, `:${port}`);
    return {
      ...brokerOptions(uri, {
        credential: accountOf(this.#broker),
        reliable: !this.#careless,
        backOff: { ...defaultBackOff, initialMs: 1, maxMs: 100 },
      }),
      subscriptions: [{ destination: "/queue/proxy" }],
      unsubscriptions: undefined,
      prefetch: this.#window,
    };
  }
}

const log = createLogger("proxy", 0, () => undefined);
