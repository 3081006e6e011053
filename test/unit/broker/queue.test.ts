import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Message } from "@spoolwire/message";
import { fill, makeData, RawClient, start, store, texts, until, versions, type Received } from "./helpers.js";

const destination = "/queue/a";
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, n) => String(from + n));

describe.each(versions)("in STOMP %s", (version) => {
  test("a SEND is in the directory queue before its RECEIPT comes", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    for (let count = 1; count <= 20; count++) {
      await client.confirm("SEND", { destination }, "x");
      expect(store(broker, "a").count()).toBe(count);
    }
  });

  test("messages come in the order in which they were sent", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await fill(broker, destination, ...numbers(50));
    await client.subscribe(destination);
    await fill(broker, destination, ...numbers(50, 50));
    expect(texts(await client.take(100))).toEqual(numbers(100));
  });

  test("the id of a message is the path of its element", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await fill(broker, destination, "x");
    const [name = ""] = store(broker, "a");
    await client.subscribe(destination);
    expect((await client.next()).headers["message-id"]).toBe(`queue/a/${name}`);
  });

  test("with ack:auto a message is gone when it is sent", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await client.subscribe(destination);
    await fill(broker, destination, "x");
    const message = await client.next();
    expect(message.headers).not.toHaveProperty("ack");
    expect(store(broker, "a").count()).toBe(0);
    expect(broker.status().queues.a).toMatchObject({ messages: 0, unacknowledged: 0 });
  });

  test("with ack:client an ACK takes all before it with it", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await fill(broker, destination, ...numbers(5));
    await client.subscribe(destination, { ack: "client" });
    const messages = await client.take(5);
    client.ack(messages[2]!);
    await client.settle();
    expect(store(broker, "a").count()).toBe(2);
    await client.confirm("DISCONNECT");
    using other = await RawClient.connect(broker, version);
    await other.subscribe(destination);
    expect(texts(await other.take(2))).toEqual(["3", "4"]);
  });

  test("with ack:client an ACK leaves other subscriptions alone", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await fill(broker, "/queue/b", "b");
    await client.subscribe("/queue/b", { id: "other", ack: "client" });
    await client.next();
    await fill(broker, destination, "a");
    await client.subscribe(destination, { ack: "client" });
    client.ack(await client.next());
    await client.settle();
    expect(broker.status().queues).toMatchObject({ a: { messages: 0 }, b: { messages: 1 } });
  });

  test("with ack:client-individual an ACK is for its message alone", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await fill(broker, destination, ...numbers(3));
    await client.subscribe(destination, { ack: "client-individual" });
    const [, second] = await client.take(3);
    client.ack(second!);
    await client.settle();
    expect(broker.status().queues.a).toMatchObject({ messages: 2, unacknowledged: 2 });
    await client.confirm("DISCONNECT");
    using other = await RawClient.connect(broker, version);
    await other.subscribe(destination);
    expect(texts(await other.take(2))).toEqual(["0", "2"]);
  });

  test("the receipt of an ACK comes when the message is gone", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await fill(broker, destination, ...numbers(50));
    await client.subscribe(destination, { ack: "client" });
    const last = (await client.take(50)).at(-1);
    client.ack(last!, "ACK", { receipt: "acked" });
    expect((await client.next("RECEIPT")).headers["receipt-id"]).toBe("acked");
    expect(store(broker, "a").count()).toBe(0);
  });

  test("a NACK makes the message the next one, marked as redelivered", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await fill(broker, destination, ...numbers(3));
    await client.subscribe(destination, { ack: "client-individual", "prefetch-count": "1" });
    const first = await client.next();
    expect(first.headers).not.toHaveProperty("redelivered");
    client.ack(first, "NACK");
    const again = await client.next();
    expect(again).toMatchObject({ text: "0", headers: { redelivered: "true" } });
    expect(again.headers["message-id"]).toBe(first.headers["message-id"]);
    client.ack(again);
    const next = await client.next();
    expect(next.text).toBe("1");
    expect(next.headers).not.toHaveProperty("redelivered");
  });

  test("what a client has not acknowledged goes to others when it is gone, in order and first", async () => {
    await using broker = await start();
    await fill(broker, destination, ...numbers(6));
    using client = await RawClient.connect(broker, version);
    await client.subscribe(destination, { ack: "client-individual", "prefetch-count": "4" });
    const messages = await client.take(4);
    client.ack(messages[1]!);
    await client.settle();
    client.close();
    using other = await RawClient.connect(broker, version);
    await other.subscribe(destination);
    const rest = await other.take(5);
    expect(rest.map(({ text, headers }) => [text, headers.redelivered])).toEqual([
      ["0", "true"],
      ["2", "true"],
      ["3", "true"],
      // Sent when the ACK had made room.
      ["4", "true"],
      ["5", undefined],
    ]);
  });

  test("an ACK that came right before the client closed still counts", async () => {
    await using broker = await start();
    await fill(broker, destination, "x");
    using client = await RawClient.connect(broker, version);
    await client.subscribe(destination, { ack: "client" });
    client.ack(await client.next());
    client.socket.end();
    await until(() => broker.status().connections === 0);
    expect(store(broker, "a").count()).toBe(0);
  });

  test("an acknowledgement of nothing is refused", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await client.subscribe(destination, { ack: "client" });
    client.send("ACK", { id: "no", "message-id": "no", subscription: "s", receipt: "9" });
    const { headers } = await client.refused();
    expect(headers.message).toMatch(/^No message waits for an ACK with (id|message-id) "no"$/);
    expect(headers["receipt-id"]).toBe("9");
  });

  test("an ACK without the header that says of what is refused", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    client.send("ACK", { subscription: "s" });
    const by = version === "1.2" ? "id" : "message-id";
    expect((await client.refused()).headers.message).toBe(`Expected ACK to have the header ${by}`);
  });

  test("no more comes than the prefetch allows, until something is acknowledged", async () => {
    await using broker = await start({ prefetch: 5 });
    await fill(broker, destination, ...numbers(20));
    using client = await RawClient.connect(broker, version);
    await client.subscribe(destination, { ack: "client-individual" });
    const [first] = await client.take(5);
    await client.settle();
    expect(client.frames).toEqual([]);
    expect(broker.status().queues.a?.unacknowledged).toBe(5);
    client.ack(first!);
    expect((await client.next()).text).toBe("5");
    await client.settle();
    expect(client.frames).toEqual([]);
  });

  test("after UNSUBSCRIBE nothing comes, and what came can still be acknowledged", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await client.subscribe(destination, { ack: "client-individual" });
    await fill(broker, destination, "before");
    const message = await client.next();
    await client.confirm("UNSUBSCRIBE", { id: "s" });
    await fill(broker, destination, "after");
    await client.settle();
    expect(client.frames).toEqual([]);
    client.ack(message);
    await client.settle();
    expect(broker.status().queues.a).toMatchObject({ messages: 1, unacknowledged: 0, subscriptions: 0 });
  });

  test.each(["BEGIN", "COMMIT", "ABORT"])("%s is refused", async (command) => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    client.send(command, { transaction: "t" });
    expect((await client.refused()).headers.message).toBe("Transactions are not supported");
  });

  test("a SEND in a transaction is refused, and not sent", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    client.send("SEND", { destination, transaction: "t", receipt: "1" });
    const { headers } = await client.refused();
    expect(headers).toMatchObject({ message: "Transactions are not supported", "receipt-id": "1" });
    expect(broker.status().queues).toEqual({});
  });

  test.each([
    ["SEND", {}, /^Expected a destination as .*got none$/],
    ["SEND", { destination: "queue/a" }, /^Expected a destination/],
    ["SEND", { destination: "/queue/" }, /^Expected a destination/],
    ["SEND", { destination: "/exchange/a/b" }, /^Expected a destination/],
    ["SEND", { destination: `/queue/${"x".repeat(256)}` }, /at most 255 bytes/],
    ["SEND", { destination: `/queue/${"/".repeat(86)}` }, /at most 255 bytes/],
    ["SUBSCRIBE", { id: "1", destination: "a" }, /^Expected a destination/],
    ["SUBSCRIBE", { id: "1", destination, ack: "maybe" }, /^Expected ack to be one of/],
    ["SUBSCRIBE", { id: "1", destination, "prefetch-count": "many" }, /^Expected prefetch-count/],
    ["SUBSCRIBE", { id: "1", destination, selector: "a = 1" }, /^Selectors are not supported$/],
    ["UNSUBSCRIBE", { id: "none" }, /^There is no subscription "none"$/],
  ] as const)("%s with %j is refused", async (command, headers, message) => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    client.send(command, { ...headers, receipt: "1" });
    const error = await client.refused();
    expect(error.headers.message).toMatch(message);
    expect(error.headers["receipt-id"]).toBe("1");
    expect(error.text).toBe(`The broker refuses this ${command} frame and closes the connection.\n`);
  });

  test("two subscriptions of one client cannot have the same id", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await client.subscribe("/queue/a");
    client.send("SUBSCRIBE", { id: "s", destination: "/queue/b" });
    expect((await client.refused()).headers.message).toBe('There is a subscription "s"');
  });
});

describe("STOMP 1.0", () => {
  test("needs no id for a subscription, which then goes by its destination", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, "1.0");
    await client.confirm("SUBSCRIBE", { destination });
    await fill(broker, destination, "x");
    expect((await client.next()).headers).not.toHaveProperty("subscription");
    await client.confirm("UNSUBSCRIBE", { destination });
    await fill(broker, destination, "y");
    await client.settle();
    expect(client.frames).toEqual([]);
  });
});

test.each(["1.1", "1.2"] as const)("STOMP %s needs an id for a subscription", async (version) => {
  await using broker = await start();
  using client = await RawClient.connect(broker, version);
  client.send("SUBSCRIBE", { destination });
  expect((await client.refused()).headers.message).toBe("Expected a subscription to have the header id");
});

test("in STOMP 1.1 an ACK needs the right subscription", async () => {
  await using broker = await start();
  using client = await RawClient.connect(broker, "1.1");
  await fill(broker, destination, "x");
  await client.subscribe(destination, { ack: "client" });
  const { "message-id": id = "" } = (await client.next()).headers;
  client.send("ACK", { "message-id": id, subscription: "t" });
  expect((await client.refused()).headers.message).toMatch(/^No message waits/);
  expect(broker.status().queues.a?.messages).toBe(1);
});

test("in STOMP 1.1 an ACK needs a subscription", async () => {
  await using broker = await start();
  using client = await RawClient.connect(broker, "1.1");
  client.send("ACK", { "message-id": "x" });
  expect((await client.refused()).headers.message).toBe("Expected ACK to have the header subscription");
});

test("a second delivery has an ack of its own in STOMP 1.2, and the first's is void", async () => {
  await using broker = await start();
  using client = await RawClient.connect(broker);
  await fill(broker, destination, "x");
  await client.subscribe(destination, { ack: "client-individual" });
  const first = await client.next();
  client.ack(first, "NACK");
  await client.next();
  client.ack(first);
  expect((await client.refused()).headers.message).toMatch(/^No message waits/);
});

test("a message that is acknowledged twice is refused", async () => {
  await using broker = await start();
  using client = await RawClient.connect(broker);
  await fill(broker, destination, "x");
  await client.subscribe(destination, { ack: "client" });
  const message = await client.next();
  client.ack(message);
  client.ack(message);
  expect((await client.refused()).headers.message).toMatch(/^No message waits/);
});

test("a cumulative NACK gives back all before it, in order", async () => {
  await using broker = await start();
  using client = await RawClient.connect(broker);
  await fill(broker, destination, ...numbers(4));
  await client.subscribe(destination, { ack: "client" });
  const messages = await client.take(4);
  client.ack(messages[2]!, "NACK");
  const again = await client.take(3);
  expect(texts(again)).toEqual(["0", "1", "2"]);
  expect(again.every(({ headers }) => headers.redelivered === "true")).toBe(true);
});

test("a prefetch-count of the subscription wins, and 0 is no limit", async () => {
  await using broker = await start({ prefetch: 3 });
  await fill(broker, destination, ...numbers(300));
  using few = await RawClient.connect(broker);
  await few.subscribe(destination, { ack: "client", "prefetch-count": "2" });
  await few.take(2);
  await few.settle();
  expect(few.frames).toEqual([]);
  using all = await RawClient.connect(broker);
  await all.subscribe(destination, { ack: "client", "prefetch-count": "0" });
  expect(texts(await all.take(298))).toEqual(numbers(298, 2));
});

test("the prefetch is nothing to ack:auto", async () => {
  await using broker = await start({ prefetch: 1 });
  await fill(broker, destination, ...numbers(30));
  using client = await RawClient.connect(broker);
  await client.subscribe(destination, { "prefetch-count": "2" });
  expect(texts(await client.take(30))).toEqual(numbers(30));
});

test("the subscriptions of a queue take turns", async () => {
  await using broker = await start();
  using one = await RawClient.connect(broker);
  using two = await RawClient.connect(broker);
  await one.subscribe(destination, { id: "a" });
  await one.subscribe(destination, { id: "b" });
  await two.subscribe(destination);
  await fill(broker, destination, ...numbers(9));
  const byId = (frames: Received[], id: string) => texts(frames.filter((f) => f.headers.subscription === id));
  const first = await one.take(6);
  expect(byId(first, "a")).toEqual(["0", "3", "6"]);
  expect(byId(first, "b")).toEqual(["1", "4", "7"]);
  expect(texts(await two.take(3))).toEqual(["2", "5", "8"]);
});

test("a subscription without room is passed over", async () => {
  await using broker = await start();
  using full = await RawClient.connect(broker);
  using free = await RawClient.connect(broker);
  await full.subscribe(destination, { ack: "client", "prefetch-count": "1" });
  await free.subscribe(destination);
  await fill(broker, destination, ...numbers(10));
  expect((await full.next()).text).toBe("0");
  expect(texts(await free.take(9))).toEqual(numbers(9, 1));
});

test("a backlog of more than is remembered comes in order, with what is sent meanwhile", async () => {
  await using broker = await start();
  await fill(broker, destination, ...numbers(1100));
  using client = await RawClient.connect(broker);
  await client.subscribe(destination, { ack: "client", "prefetch-count": "10" });
  using sender = await RawClient.connect(broker);
  let sent = 1100;
  for (let round = 0; round < 150; round++) {
    const messages = await client.take(10);
    expect(texts(messages)).toEqual(numbers(10, round * 10));
    for (let more = 0; more < 10 && sent < 1500; more++) sender.send("SEND", { destination }, String(sent++));
    client.ack(messages.at(-1)!);
  }
  await client.settle();
  expect(client.frames).toEqual([]);
  expect(broker.status().queues.a).toMatchObject({ messages: 0, unacknowledged: 0 });
});

test.each([3, 1100])(
  "%d messages that come while a backlog is read from disk follow it in order",
  async (count) => {
    using data = makeData();
    const old = join(data.path, "queue", "a", "5f9c1a40");
    mkdirSync(old, { recursive: true });
    for (const n of [0, 1, 2]) writeFileSync(join(old, `5f9c1a4000000${n}`), `{"body":"${n}"}`);
    await using broker = await start({ data: data.path });
    // Now the directory of this moment is there too, and will be listed after the old one.
    await fill(broker, destination, "3");
    using first = await RawClient.connect(broker);
    await first.subscribe(destination, { ack: "client", "prefetch-count": "1" });
    expect((await first.next()).text).toBe("0");
    // The old directory is listed by now. Of many, not all are remembered.
    await fill(broker, destination, ...numbers(count, 4));
    await first.confirm("DISCONNECT");
    using second = await RawClient.connect(broker);
    await second.subscribe(destination);
    expect(texts(await second.take(count + 4))).toEqual(numbers(count + 4));
    await second.settle();
    expect(second.frames).toEqual([]);
    expect(broker.status()).toMatchObject({ delivered: count + 5, queues: { a: { messages: 0 } } });
  },
  30_000,
);

test("an element that is no message is left where it is, told of once, and holds up nobody", async () => {
  await using broker = await start();
  await fill(broker, destination, "one");
  await broker.stop();
  const queue = store(broker, "a");
  const bad = [queue.add("no JSON"), queue.add(""), queue.add('{"header":{"a\\u0000":"b"}}')];
  queue.addMessage(new Message({ body: "two" }));
  await using again = await start({ data: broker.data });
  using client = await RawClient.connect(again);
  await client.subscribe(destination, { ack: "client-individual" });
  const [one, two] = await client.take(2);
  expect(texts([one!, two!])).toEqual(["one", "two"]);
  client.ack(one!, "NACK");
  expect((await client.next()).text).toBe("one");
  expect(again.log.filter((line) => line.startsWith("skipped"))).toHaveLength(3);
  for (const name of bad) expect(again.log.filter((line) => line.includes(name))).toHaveLength(1);
  expect(again.status().queues.a).toMatchObject({ messages: 5, malformed: 3 });
  expect([...queue]).toEqual(expect.arrayContaining(bad));
});

test("the counts are those of the frames", async () => {
  await using broker = await start();
  await fill(broker, destination, ...numbers(3));
  using client = await RawClient.connect(broker);
  await client.subscribe(destination);
  await client.take(3);
  expect(broker.status()).toEqual({
    connections: 1,
    subscriptions: 1,
    received: 3,
    delivered: 3,
    queues: { a: { messages: 0, unacknowledged: 0, malformed: 0, subscriptions: 1 } },
  });
});
