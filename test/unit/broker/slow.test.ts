// Clients that do not read, and disks that do not write: they are their own problem, and nobody else's.
import fs from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { fill, RawClient, start, texts, until } from "./helpers.js";

const destination = "/queue/a";
const large = "x".repeat(64 * 1024);

describe("a client that does not read", () => {
  test.each(["auto", "client"])("gets no more than fits, with ack:%s, until it does", async (ack) => {
    await using broker = await start();
    const count = 400; // 25 MB, more than the network holds
    using slow = await RawClient.connect(broker);
    await slow.subscribe(destination, { ack, "prefetch-count": "0" });
    slow.socket.pause();
    await fill(broker, destination, ...Array<string>(count).fill(large));
    using other = await RawClient.connect(broker);
    await other.settle();
    const { delivered } = broker.status();
    expect(delivered).toBeLessThan(count);
    // It stays at that while others go on.
    await fill(broker, "/queue/b", "one", "two");
    await other.subscribe("/queue/b");
    expect(texts(await other.take(2))).toEqual(["one", "two"]);
    expect(broker.status().delivered).toBe(delivered + 2);
    slow.socket.resume();
    await until(() => slow.frames.length === count);
    if (ack === "auto") expect(broker.status().queues.a?.messages).toBe(0);
  });

  test("leaves the rest of its queue to those who do", async () => {
    await using broker = await start();
    const count = 400;
    using slow = await RawClient.connect(broker);
    await slow.subscribe(destination);
    slow.socket.pause();
    using quick = await RawClient.connect(broker);
    await quick.subscribe(destination);
    await fill(broker, destination, ...Array<string>(count).fill(large));
    await until(() => broker.status().delivered === count);
    slow.socket.resume();
    await until(() => slow.frames.length + quick.frames.length === count);
    expect(quick.frames.length).toBeGreaterThan(count / 2);
  });

  test("is not listened to while its answers wait", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker);
    client.socket.pause();
    const receipt = "r".repeat(100_000);
    const count = 400; // 40 MB of answers, more than the network holds
    for (let n = 0; n < count; n++) client.send("SEND", { destination: "/topic/nobody", receipt });
    using other = await RawClient.connect(broker);
    // Each of these frames leaves a turn to the client's.
    for (let turn = 0; turn < 2 * count; turn++)
      await other.confirm("SEND", { destination: "/topic/nobody" });
    expect(client.socket.writableLength).toBeGreaterThan(0);
    expect(broker.status().received - 2 * count).toBeLessThan(count);
    client.socket.resume();
    await until(() => client.frames.length === count);
  });
});

describe("when the disk fails", () => {
  afterEach(() => vi.restoreAllMocks());

  /** The packages call what they need by name on the default export of node:fs, so that they see this. */
  function fail(call: "writeFileSync" | "linkSync" | "unlinkSync", code: string): void {
    vi.spyOn(fs, call).mockImplementation(() => {
      throw Object.assign(new Error(`${code}: ${call} '/secret/place'`), { code, syscall: call });
    });
  }

  test.each([
    ["writeFileSync", "ENOSPC"],
    ["linkSync", "EROFS"],
  ] as const)("a SEND (%s: %s) is refused, and nothing else", async (call, code) => {
    await using broker = await start();
    await fill(broker, destination, "kept");
    using client = await RawClient.connect(broker);
    using other = await RawClient.connect(broker);
    fail(call, code);
    client.send("SEND", { destination, receipt: "42" }, "lost");
    const { headers, text } = await client.refused();
    expect(headers).toMatchObject({
      message: `The broker cannot do this now (${code})`,
      "receipt-id": "42",
    });
    expect(`${headers.message}${text}`).not.toContain("/secret/place");
    expect(broker.log.join()).toContain(`${code}: ${call} '/secret/place'`);
    vi.restoreAllMocks();
    await other.confirm("SEND", { destination }, "after");
    await other.subscribe(destination);
    expect(texts(await other.take(2))).toEqual(["kept", "after"]);
    await other.settle();
    expect(broker.status().queues.a?.messages).toBe(0);
    expect(other.frames).toEqual([]);
  });

  test("a queue that cannot be made is refused, and can be later", async () => {
    await using broker = await start();
    const place = join(broker.data, "queue", "a");
    fs.writeFileSync(place, "in the way");
    using client = await RawClient.connect(broker);
    client.send("SEND", { destination, receipt: "1" }, "x");
    expect((await client.refused()).headers.message).toBe("The broker cannot do this now (EEXIST)");
    fs.rmSync(place);
    await fill(broker, destination, "x");
    expect(broker.status().queues.a?.messages).toBe(1);
  });

  test("a message that cannot be removed is delivered again", async () => {
    await using broker = await start();
    await fill(broker, destination, "x");
    using client = await RawClient.connect(broker);
    await client.subscribe(destination, { ack: "client" });
    const message = await client.next();
    fail("unlinkSync", "EROFS");
    client.ack(message, "ACK", { receipt: "7" });
    expect((await client.refused()).headers).toMatchObject({
      message: "The broker cannot do this now (EROFS)",
      "receipt-id": "7",
    });
    vi.restoreAllMocks();
    using other = await RawClient.connect(broker);
    await other.subscribe(destination);
    expect(await other.next()).toMatchObject({ text: "x", headers: { redelivered: "true" } });
  });

  test("a queue with ack:auto delivers nothing, and goes on by itself when the disk is well again", async () => {
    await using broker = await start();
    await fill(broker, destination, "0", "1");
    using client = await RawClient.connect(broker);
    fail("unlinkSync", "EROFS");
    await client.subscribe(destination);
    // It does not try without end.
    await until(() => broker.log.length === 2);
    expect(broker.log.join()).toContain("EROFS");
    await client.settle();
    expect([client.frames, broker.status().delivered]).toEqual([[], 0]);
    vi.restoreAllMocks();
    const messages = await client.take(2);
    expect(texts(messages)).toEqual(["0", "1"]);
    for (const { headers } of messages) expect(headers).not.toHaveProperty("redelivered");
    await client.settle();
    expect(client.frames).toEqual([]);
    expect(broker.status().queues.a).toMatchObject({ messages: 0, unacknowledged: 0 });
  });

  test.each([
    ["EMFILE", 1],
    ["EIO", 0],
  ])("an element that cannot be read (%s) is tried again %d time(s)", async (code, again) => {
    await using broker = await start();
    await fill(broker, destination, "0", "1");
    using client = await RawClient.connect(broker);
    vi.spyOn(fs, "readFileSync").mockImplementationOnce(() => {
      throw Object.assign(new Error(`${code}: read`), { code });
    });
    await client.subscribe(destination);
    const expected = again ? ["0", "1"] : ["1"];
    expect(texts(await client.take(expected.length))).toEqual(expected);
    expect(broker.status().queues.a).toMatchObject({ messages: again ? 0 : 1, malformed: again ? 0 : 1 });
  });
});
