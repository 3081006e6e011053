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
    const send = `SEND\ndestination:/topic/nobody\nreceipt:${receipt}\n\n\0`;
    for (let count = 0; count < 200; count++) client.write(send);
    using other = await RawClient.connect(broker);
    await other.settle();
    // The answers to all would be 20 MB.
    expect(broker.status().received).toBeLessThan(203);
    client.socket.resume();
    await until(() => client.frames.length === 200);
  });
});

describe("when the disk fails", () => {
  afterEach(() => vi.restoreAllMocks());

  /** The dirq package calls what it has of node:fs by name, so that this is seen there. */
  function fail(call: "writeFileSync" | "linkSync", code: string): void {
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
    // A directory in the place of the element cannot be unlinked, not even by root.
    const element = join(broker.data, message.headers["message-id"] ?? "");
    const content = fs.readFileSync(element);
    fs.rmSync(element);
    fs.mkdirSync(element);
    client.ack(message);
    expect((await client.refused()).headers.message).toMatch(
      /^The broker cannot do this now \((EISDIR|EPERM)\)$/,
    );
    fs.rmdirSync(element);
    fs.writeFileSync(element, content);
    using other = await RawClient.connect(broker);
    await other.subscribe(destination);
    expect(await other.next()).toMatchObject({ text: "x", headers: { redelivered: "true" } });
  });
});
