// Receiving with AMQP 1.0 from a peer of our own: subscriptions that are kept, drains, ends, and what stays behind.
import { join } from "node:path";
import { amqp091, amqp10 } from "@spoolwire/amqpclt";
import { DqsQueue } from "@spoolwire/message";
import type { Properties } from "@spoolwire/program";
import type { Arrival } from "@spoolwire/transfer";
import type { EventContext, Sender } from "rhea";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startAmqpPeer, type AmqpPeer } from "../../helpers/amqp-peer.js";
import { runAgent } from "../../helpers/agents.js";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { brokerOptions } from "../../helpers/broker-options.js";

let directory: string;
let queue: DqsQueue;
let peer: AmqpPeer;
/** What the peer was told, in order. */
let events: string[];

beforeEach(async () => {
  directory = temporaryDirectory("receiving", inMemory);
  queue = new DqsQueue({ path: join(directory, "queue") });
  events = [];
  peer = await startAmqpPeer();
  // The library does not answer by itself.
  peer.container.on("sender_draining", ({ sender }: EventContext) => {
    events.push("drain");
    (sender as Sender & { set_drained(drained: boolean): void }).set_drained(true);
  });
  for (const outcome of ["accepted", "released", "sender_close"]) {
    peer.container.on(outcome, () => events.push(outcome));
  }
});
afterEach(async () => {
  await peer[Symbol.asyncDispose]();
  removeDirectory(directory);
});

const receive = (subscription: string, ...more: string[]) =>
  runAgent("amqpclt", [
    ...["--incoming-broker-uri", peer.uri, "--subscribe", subscription, "--reliable"],
    ...["--outgoing-queue", `path=${queue.path}`, ...more],
  ]);

const bodies = () => [...queue].map((name) => (queue.lock(name), String(queue.getMessage(name).body)));
const ok = { status: 0, stderr: "" };

/** What a test asks for itself, message by message. */
const sourceOptions = (prefetch: number, ...subscriptions: Properties[]) => ({
  ...brokerOptions(peer.uri),
  ...{ subscriptions, unsubscriptions: undefined, prefetch },
});

/** Send these to each that asks, as far as there is credit; bytes as they are. */
function serve(...bodies: (string | Buffer | object)[]): void {
  peer.container.on("sender_open", ({ sender }: EventContext) => {
    // A link without a source would be one that is refused.
    sender?.set_source({ address: sender.source.address });
    const left = [...bodies];
    const more = () => {
      while (left.length > 0 && sender?.sendable()) {
        const body = left.shift();
        if (Buffer.isBuffer(body)) sender.send(body, undefined, 0);
        else sender.send({ body });
      }
    };
    sender?.on("sendable", more);
  });
}

test("a durable subscription is asked for by the same name each time, and never ended", async () => {
  const asked: unknown[] = [];
  peer.container.on("sender_open", ({ sender, connection }: EventContext) => {
    const { address, durable, expiry_policy, filter } = sender!.source as unknown as Record<string, unknown>;
    asked.push([
      connection.container_id,
      sender!.name,
      address,
      durable,
      expiry_policy,
      JSON.stringify(filter),
    ]);
  });
  serve("1");
  const who = ["--incoming-broker-connect", "container-id=me", "--count", "1"];
  const kept = "destination=news durable=true name=mine selector=a%3D1";
  for (let time = 0; time < 2; time++) expect(await receive(kept, ...who)).toMatchObject(ok);
  expect(asked[0]).toEqual(["me", "mine", "news", 2, "never", '{"jms-selector":"a=1"}']);
  expect(asked[1]).toEqual(asked[0]);
  expect(events).toEqual(["accepted", "accepted"]);
  const other = "destination=news durable=false";
  expect(await receive(other, "--count", "1")).toMatchObject(ok);
  expect(asked[2]).toEqual([expect.any(String), expect.any(String), "news", undefined, undefined, undefined]);
});

test("at the end the credit is taken back, and what has come and is not taken is released", async () => {
  serve("1", "2", "3", "4", "5");
  expect(await receive("destination=q", "--count", "2", "--prefetch", "10")).toMatchObject(ok);
  expect(bodies()).toEqual(["1", "2"]);
  expect(events.toSorted()).toEqual(["accepted", "accepted", "drain", "released", "released", "released"]);
});

test("a drain that crosses the last that may come need not be answered", async () => {
  peer.container.removeAllListeners("sender_draining");
  peer.container.on("sender_draining", ({ sender }: EventContext) => {
    for (const body of ["2", "3"]) sender?.send({ body });
  });
  serve("1");
  expect(await receive("destination=q", "--count", "1", "--prefetch", "3")).toMatchObject(ok);
  expect(bodies()).toEqual(["1"]);
  expect(events).toEqual(["accepted", "released", "released"]);
});

test("what was never taken is released, also in the turn of the last that was accepted", async () => {
  serve("1", "2", "3");
  const source = amqp10.openSource(sourceOptions(3, { destination: "q" }));
  await source.start(AbortSignal.timeout(10_000));
  const arrivals: Arrival[] = [];
  while (arrivals.length < 3) arrivals.push(await source.next(5000));
  const [first] = arrivals;
  if (first?.kind !== "message") throw new Error(`Expected a message, got ${first?.kind}`);
  source.ack(first.ticket);
  await source.stop();
  expect(events.toSorted()).toEqual(["accepted", "released", "released"]);
});

test("what is no message is told and stays, and the others come", async () => {
  // What is cut off, nothing, and 4 thousand million items of no bytes.
  const bad = ["01020304", "005377a10961", "", "005377f000000005ffffffff40"];
  serve("1", ...bad.map((hex) => Buffer.from(hex, "hex")), "2");
  const { status, stderr } = await receive("destination=q", "--timeout-inactivity", "0.5");
  expect(bodies()).toEqual(["1", "2"]);
  expect(stderr.match(/delivery \d: Expected a message of AMQP 1.0, got .*; it stays there\n/g)).toHaveLength(
    bad.length,
  );
  expect(status).toBe(65);
  expect(events.filter((event) => event === "released")).toHaveLength(bad.length);
});

test("a map is a map, whatever its keys", async () => {
  const maps = [{ typecode: 0x75, content: 5 }, { typecode: 7 }];
  serve(...maps);
  expect(await receive("destination=q", "--count", "2")).toMatchObject(ok);
  expect(bodies()).toEqual(maps.map((map) => JSON.stringify(map)));
});

test("each subscription has an id of its own", () => {
  const twice = sourceOptions(1, { destination: "/queue/a", id: "x" }, { destination: "/queue/b", id: "x" });
  const words = 'each --subscribe to have an id of its own, got "x" twice';
  expect(() => amqp10.openSource(twice)).toThrow(words);
  expect(() => amqp091.openSource({ ...twice, uri: "amqp091://h" })).toThrow(words);
});

test("a session or a link that the peer ends is made again", async () => {
  const ends = [
    ({ session }: EventContext) => session?.close({ condition: "app:over", description: "go away" }),
    ({ sender }: EventContext) => sender?.close({ condition: "amqp:resource-deleted", description: "gone" }),
  ];
  peer.container.on("accepted", (context: EventContext) => ends.shift()?.(context));
  serve("x");
  const { status, stderr } = await receive("destination=q", "--count", "3", "--reconnect");
  expect(status).toBe(0);
  expect(stderr).toMatch(/ended the subscription to q: app:over: go away; connecting again/);
  expect(stderr).toMatch(/ended the subscription to q: amqp:resource-deleted: gone; connecting again/);
  expect(bodies()).toEqual(["x", "x", "x"]);
});

test("a message that stays where it is holds up none of those behind it", async () => {
  const most = 100;
  serve("x".repeat(101), ...Array.from({ length: 1000 }, (_, index) => `${index}`));
  const limits = ["--max-body-size", `${most}`, "--prefetch", "10", "--count", "1000"];
  const { status, stderr } = await receive("destination=q", ...limits, "--timeout-inactivity", "20");
  expect(stderr).toMatch(/Expected a body of at most 100 bytes .*; it stays there\n$/);
  expect(status).toBe(65);
  expect(queue.count()).toBe(1000);
  // It goes back at the end.
  expect(events.filter((event) => event === "released")).toHaveLength(1);
});

test("a peer that falls silent is found out by the idle time-out", async () => {
  const heart = ["--heart-beat", "--timeout-client", "0.3", "--timeout-server", "0.3"];
  peer.container.once("sender_open", ({ connection }: EventContext) => {
    // It reads no more, and says no more.
    const { socket } = connection as unknown as { socket: { pause(): void; write(): boolean } };
    socket.pause();
    socket.write = () => true;
  });
  serve("1");
  const patience = ["--timeout-broker", "60", "--reconnect", "--count", "1"];
  const { status, stderr } = await receive("destination=q", ...heart, ...patience);
  expect(stderr).toMatch(/trying again until it is there\n.* is back after/s);
  expect(status).toBe(0);
  expect(bodies()).toEqual(["1"]);
});
