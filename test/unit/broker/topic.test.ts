import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { fill, RawClient, start, texts, until, versions } from "./helpers.js";

const destination = "/topic/news";

describe.each(versions)("a topic in STOMP %s", (version) => {
  test("passes each message to all who are subscribed, and to nobody else", async () => {
    await using broker = await start();
    await fill(broker, destination, "before");
    using one = await RawClient.connect(broker, version);
    using two = await RawClient.connect(broker, version);
    using other = await RawClient.connect(broker, version);
    await one.subscribe(destination);
    await two.subscribe(destination);
    await other.subscribe("/topic/other");
    await fill(broker, destination, "one", "two");
    const messages = await one.take(2);
    expect(texts(messages)).toEqual(["one", "two"]);
    expect(messages[0]?.headers).toMatchObject({ destination, subscription: "s" });
    expect(messages[0]?.headers["message-id"]).not.toBe(messages[1]?.headers["message-id"]);
    expect(texts(await two.take(2))).toEqual(["one", "two"]);
    await other.settle();
    expect(other.frames).toEqual([]);
  });

  test.each(["client", "client-individual"])("takes an ACK with ack:%s and waits for none", async (ack) => {
    await using broker = await start({ prefetch: 1 });
    using client = await RawClient.connect(broker, version);
    await client.subscribe(destination, { ack });
    await fill(broker, destination, "one", "two");
    const [one, two] = await client.take(2);
    if (one) client.ack(one);
    if (two) client.ack(two, "NACK");
    await client.settle();
    expect(client.frames).toEqual([]);
  });

  test("sends nothing after UNSUBSCRIBE", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await client.subscribe(destination);
    await client.confirm("UNSUBSCRIBE", { id: "s" });
    await fill(broker, destination, "after");
    await client.settle();
    expect(client.frames).toEqual([]);
  });
});

test("a topic leaves nothing on disk", async () => {
  await using broker = await start();
  using client = await RawClient.connect(broker);
  await client.subscribe(destination);
  await fill(broker, destination, "x");
  await client.next();
  expect(readdirSync(join(broker.data, "queue"))).toEqual([]);
  expect(broker.status().queues).toEqual({});
});

test("a topic's name may be one that STOMP 1.0 could not say", async () => {
  await using broker = await start();
  using client = await RawClient.connect(broker);
  await client.subscribe("/topic/a\nb:c");
  await fill(broker, "/topic/a\nb:c", "x");
  expect((await client.next()).headers.destination).toBe("/topic/a\nb:c");
});

test("who subscribes to a topic and does not read is sent away, and the others get everything", async () => {
  await using broker = await start();
  using slow = await RawClient.connect(broker);
  using quick = await RawClient.connect(broker);
  await slow.subscribe(destination);
  await quick.subscribe(destination);
  slow.socket.pause();
  using sender = await RawClient.connect(broker);
  const body = Buffer.alloc(1024 * 1024, "x");
  let sent = 0;
  while (broker.status().subscriptions === 2) {
    await sender.confirm("SEND", { destination }, body);
    expect(++sent).toBeLessThan(1000);
    await until(() => quick.frames.length === sent);
  }
  await sender.confirm("SEND", { destination }, "last");
  await until(() => quick.frames.length === sent + 1);
  slow.socket.resume();
  expect((await slow.refused()).headers.message).toMatch(/^Too slow for \/topic\/news/);
  expect(slow.frames.length).toBeLessThan(sent);
});
