// A broker for one test that treats what it is sent in one manner, whatever it speaks.
import type { Socket } from "node:net";
import { formatUri } from "@spoolwire/stomp";
import type { Delivery, EventContext } from "rhea";
import { startAmqp091Peer } from "./amqp-091-peer.js";
import { startAmqpPeer } from "./amqp-peer.js";
import type { TestBroker } from "./broker.js";
import { frame, receipt, startStompServer } from "./stomp-server.js";

/** What it does with messages, and with a goodbye. */
export type Manner =
  | "confirms"
  /** Each message of so many, a moment after the last of them has come. */
  | { readonly confirmsAt: number }
  | "confirms but no goodbye"
  | "says nothing"
  /** And so what is sent to it stays in the network, and then before it. */
  | "stops reading"
  | "refuses";

interface Counts {
  /** How many connections there were. */
  readonly clients: number;
  /** How many messages have come, each as often as it came. */
  readonly asked: number;
  /** How many were not confirmed at once. */
  readonly most: number;
}

export interface FakeBroker {
  readonly agent: TestBroker["agent"];
  readonly uri: string;
  readonly counts: Counts;
  stop(): Promise<void>;
}

/** A moment for what should not come. */
const MOMENT_MS = 50;

/** What waits to be confirmed, and the counts of it. */
class Waiting<Item> implements Counts {
  clients = 0;
  asked = 0;
  most = 0;
  readonly #manner: Manner;
  #items: Item[] = [];

  constructor(manner: Manner) {
    this.#manner = manner;
  }

  come(item: Item, confirm: (items: readonly Item[]) => void): void {
    this.asked++;
    this.#items.push(item);
    this.most = Math.max(this.most, this.#items.length);
    const all = () => confirm(this.#items.splice(0));
    if (typeof this.#manner !== "object") all();
    else if (this.#items.length === this.#manner.confirmsAt) setTimeout(all, MOMENT_MS);
  }
}

async function startStomp(manner: Manner): Promise<FakeBroker> {
  const waiting = new Waiting<string>(manner);
  const server = await startStompServer(async (peer) => {
    waiting.clients++;
    await peer.login();
    if (manner === "stops reading") peer.socket.pause();
    if (manner === "stops reading" || manner === "says nothing") return await peer.left();
    for await (const { command, headers } of peer.frames()) {
      const id = headers.receipt ?? "";
      if (command !== "SEND") {
        if (manner !== "confirms but no goodbye") peer.send(receipt(id));
      } else if (manner === "refuses") {
        waiting.asked++;
        peer.socket.end(frame("ERROR", { message: "not this one", "receipt-id": id }));
      } else waiting.come(id, (ids) => peer.send(ids.map(receipt).join("")));
    }
  });
  return {
    agent: "stompclt",
    uri: formatUri(server.uri),
    counts: waiting,
    stop: () => server.stop(),
  };
}

async function startAmqp(manner: Manner): Promise<FakeBroker> {
  const waiting = new Waiting<Delivery>(manner);
  const peer = await startAmqpPeer();
  peer.container.on("connection_open", () => void waiting.clients++);
  peer.container.on("message", ({ delivery }: EventContext) => {
    if (!delivery || manner === "says nothing") return;
    if (manner === "refuses") {
      waiting.asked++;
      delivery.release();
    } else waiting.come(delivery, (deliveries) => deliveries.forEach((each) => each.accept()));
  });
  peer.container.on("receiver_open", ({ connection }: EventContext) => {
    const { socket } = connection as unknown as { socket: Socket };
    if (manner === "stops reading") setImmediate(() => socket.pause());
  });
  peer.container.on("connection_close", ({ connection }: EventContext) => {
    const { socket } = connection as unknown as { socket: object };
    if (manner === "confirms but no goodbye") Object.assign(socket, { write: () => true, end: () => socket });
  });
  return {
    agent: "amqpclt",
    uri: peer.uri,
    counts: waiting,
    stop: async () => peer[Symbol.asyncDispose](),
  };
}

async function startAmqp091(manner: Manner): Promise<FakeBroker> {
  const waiting = new Waiting<() => void>(manner);
  const peer = await startAmqp091Peer((client) => {
    waiting.clients++;
    client.answers = (request) => {
      // Queues are declared on other channels, and before.
      if (request === "50.10" && manner === "stops reading") setImmediate(() => client.socket.pause());
      return request !== "10.50" || manner !== "confirms but no goodbye";
    };
    client.onMessage = (channel, tag) => {
      if (manner === "refuses") {
        waiting.asked++;
        client.refuse(channel, tag);
      } else if (manner !== "says nothing") {
        waiting.come(
          () => client.confirm(channel, tag),
          (confirms) => confirms.forEach((confirm) => confirm()),
        );
      }
    };
  });
  return {
    agent: "amqpclt",
    uri: peer.uri,
    counts: waiting,
    stop: () => peer.stop(),
  };
}

export const fakeBrokers = {
  STOMP: startStomp,
  "AMQP 1.0": startAmqp,
  "AMQP 0-9-1": startAmqp091,
} as const;
