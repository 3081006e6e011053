// What goes in must come out: headers, bodies, names.
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Message } from "@spoolwire/message";
import { fill, RawClient, start, store, versions } from "./helpers.js";

const destination = "/queue/a";

/** Send one message in a version and take it in another. */
async function pass(
  from: (typeof versions)[number],
  to: (typeof versions)[number],
  headers: Record<string, string>,
  body: string | Buffer = "x",
) {
  await using broker = await start();
  using sender = await RawClient.connect(broker, from);
  await sender.confirm("SEND", { destination, ...headers }, body);
  const queue = store(broker, "a");
  const [name = ""] = queue;
  queue.lock(name);
  const stored = queue.getMessage(name);
  queue.unlock(name);
  // From disk, as after a restart: no subscription was there when it came.
  using receiver = await RawClient.connect(broker, to);
  await receiver.subscribe(destination);
  const fromDisk = await receiver.next();
  await sender.confirm("SEND", { destination, ...headers }, body);
  const fromMemory = await receiver.next();
  expect(fromMemory.body.equals(fromDisk.body)).toBe(true);
  const { "message-id": first, ...rest } = fromMemory.headers;
  const { "message-id": second, ...others } = fromDisk.headers;
  expect(first).not.toBe(second);
  expect(rest).toEqual(others);
  expect(broker.log).toEqual([]);
  return { ...fromDisk, stored };
}

describe("headers", () => {
  const plain = { simple: "value", "with spaces": "a b", utf8: "caf\u00e9 \u{1f600}", empty: "" };
  const odd = { colon: "a:b:c", backslash: "a\\b\\n", hasOwnProperty: "1", __proto: "2" };
  const escaped = { "a:b": "c:d", newline: "a\nb\n", " spaced ": " kept " };

  test.each([
    ["1.0", { ...plain, colon: "a:b" }],
    ["1.1", { ...plain, ...odd, ...escaped, return: "a\rb" }],
    ["1.2", { ...plain, ...odd, ...escaped, return: "\ra\r" }],
  ] as const)("of STOMP %s come out unchanged", async (version, headers) => {
    const message = await pass(version, version, headers);
    expect(message.headers).toMatchObject(headers);
    expect(message.stored.header).toEqual({ destination, ...headers });
  });

  test("called as what every object has come out too", async () => {
    const headers = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}') as Record<
      string,
      string
    >;
    const message = await pass("1.2", "1.1", headers);
    expect(Object.entries(message.headers)).toEqual(expect.arrayContaining(Object.entries(headers)));
  });

  test.each([
    ["1.2", "1.1"],
    ["1.1", "1.2"],
  ] as const)("from STOMP %s mean the same in %s", async (from, to) => {
    const headers = { ...plain, ...odd, ...escaped, return: "a\rb" };
    expect((await pass(from, to, headers)).headers).toMatchObject(headers);
  });

  test("that STOMP 1.0 cannot say come there as STOMP 1.2 writes them", async () => {
    const message = await pass("1.2", "1.0", { "a:b": "c:d", " lines ": "a\r\nb", " ": "nameless" });
    expect(message.headers).toMatchObject({ "a\\cb": "c:d", lines: "a\\r\\nb" });
    expect(Object.values(message.headers)).not.toContain("nameless");
  });

  test("of the agents and of other brokers pass", async () => {
    const headers = { persistent: "true", priority: "4", expires: "0", "reply-to": "/queue/b", type: "t" };
    expect((await pass("1.2", "1.2", headers)).headers).toMatchObject(headers);
  });

  test("that belong to one frame are the broker's own", async () => {
    const foreign = { "message-id": "m", subscription: "other", ack: "k", redelivered: "true" };
    const message = await pass("1.2", "1.2", { ...foreign, "content-length": "99" });
    expect(message.headers).toEqual({
      destination,
      subscription: "s",
      "message-id": expect.stringMatching(/^queue\/a\//) as string,
      "content-length": "1",
    });
    expect(message.stored.header).toEqual({ destination });
  });

  test("of a receipt are not the message's", async () => {
    const message = await pass("1.1", "1.1", {});
    expect(message.stored.header).toEqual({ destination });
    expect(message.headers).not.toHaveProperty("receipt");
  });
});

test("an element from elsewhere is delivered as the queue's, whatever its headers say", async () => {
  await using broker = await start();
  await fill(broker, destination, "first");
  await broker.stop();
  const header = {
    ...{ destination: "/queue/other", "message-id": "m", subscription: "other", ack: "k", receipt: "r" },
    ...{ redelivered: "true", transaction: "t", "content-length": "99", kept: "value" },
  };
  const name = store(broker, "a").addMessage(new Message({ header, body: "caf\u00e9" }));
  await using again = await start({ data: broker.data });
  using client = await RawClient.connect(again);
  await client.subscribe(destination);
  const [, message] = await client.take(2);
  expect(message?.text).toBe("caf\u00e9");
  expect(message?.headers).toEqual({
    ...{ destination, subscription: "s", "message-id": `queue/a/${name}` },
    ...{ "content-length": "5", kept: "value" },
  });
});

describe("a body", () => {
  const every = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  const text = Buffer.from("\ufeffcaf\u00e9\n\u{1f600}\0end");

  test.each([
    ["of no bytes without content-type", undefined, Buffer.alloc(0), false],
    ["of no bytes of text", "text/plain", Buffer.alloc(0), true],
    ["of every byte without content-type", undefined, every, false],
    ["of ASCII without content-type", undefined, Buffer.from("plain"), false],
    ["of text without content-type", undefined, text, false],
    ["of text, called binary", "application/octet-stream", text, false],
    ["of text with NUL and a byte order mark", "text/plain", text, true],
    ["of text with a charset", "application/json; charset=utf-8", text, true],
    ["of text unknown", "text/unknown", Buffer.from("caf\u00e9"), true],
    ["called text that is none", "text/plain", every, false],
    ["of Latin-1", "text/plain; charset=iso-8859-1", Buffer.from("caf\u00e9", "latin1"), false],
    ["of ASCII, called Latin-1", "text/plain; charset=iso-8859-1", Buffer.from("plain"), true],
    ["of another charset", "text/plain; charset=utf-16", Buffer.from("caf\u00e9", "utf16le"), false],
    ["of NUL alone", "text/plain", Buffer.from("\0\0\0"), true],
  ] as const)("%s comes out byte by byte", async (_, contentType, body, isText) => {
    const headers = contentType === undefined ? {} : { "content-type": contentType };
    const message = await pass("1.2", "1.1", headers, body);
    expect(message.body.toString("hex")).toBe(body.toString("hex"));
    expect(message.headers["content-type"]).toBe(contentType);
    expect(message.stored.isText).toBe(isText);
  });

  test.each([
    ["bytes", undefined],
    ["text", "text/plain"],
  ])("of 5 MB of %s comes out whole", async (_, contentType) => {
    const bytes = randomBytes(5 * 1024 * 1024);
    const body = contentType ? Buffer.from(bytes.toString("base64").slice(0, 5 * 1024 * 1024)) : bytes;
    const headers = contentType === undefined ? {} : { "content-type": contentType };
    const message = await pass("1.2", "1.2", headers, body);
    expect(message.body.equals(body)).toBe(true);
  });

  test.each(versions)("without content-length ends at the first NUL in STOMP %s", async (version) => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await client.subscribe(destination);
    client.write(`SEND\ndestination:${destination}\n\nhello\0\n`);
    expect((await client.next()).text).toBe("hello");
  });
});

describe("the name of a queue", () => {
  test.each([
    ["app.data", "app.data"],
    ["a/b", "a%2Fb"],
    ["a%2Fb", "a%252Fb"],
    ["..", "%2E."],
    [".hidden", "%2Ehidden"],
    ["../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"],
    ["caf\u00e9 \u{1f600}", "caf%C3%A9%20%F0%9F%98%80"],
    ["line\nbreak", "line%0Abreak"],
    ["x".repeat(255), "x".repeat(255)],
  ])("%j is the directory %s, and found again", async (name, file) => {
    await using broker = await start();
    await fill(broker, `/queue/${name}`, "kept");
    expect(readdirSync(join(broker.data, "queue"))).toEqual([file]);
    await broker.stop();
    await using again = await start({ data: broker.data });
    expect(again.status().queues).toMatchObject({ [name]: { messages: 1 } });
    using client = await RawClient.connect(again);
    await client.subscribe(`/queue/${name}`);
    expect(await client.next()).toMatchObject({ text: "kept", headers: { destination: `/queue/${name}` } });
  });
});
