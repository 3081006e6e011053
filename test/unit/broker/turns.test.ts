import { afterEach, describe, expect, test, vi } from "vitest";
import { startBroker, type BrokerOptions } from "@spoolwire/broker";
import { fill, RawClient, start, until } from "./helpers.js";

test("a client that sends without end delays another by turns only", async () => {
  await using broker = await start();
  using busy = await RawClient.connect(broker);
  using other = await RawClient.connect(broker);
  const body = "x".repeat(200);
  for (let count = 0; count < 500; count++) busy.send("SEND", { destination: "/queue/busy" }, body);
  await other.confirm("SEND", { destination: "/queue/other" });
  // Its one frame did not wait for the five hundred that came before it.
  expect(broker.status().queues.busy?.messages ?? 0).toBeLessThan(250);
  await until(() => broker.status().queues.busy?.messages === 500);
});

describe("work is done in slices, between which the event loop goes on", () => {
  afterEach(() => vi.restoreAllMocks());

  /** Time flies, so that a slice is a few steps however fast the machine. Returns all values seen between slices. */
  function watch(value: () => number): Set<number> {
    let now = performance.now();
    const spy = vi.spyOn(performance, "now").mockImplementation(() => now++);
    const seen = new Set<number>();
    const look = () => {
      seen.add(value());
      if (spy.getMockImplementation()) setImmediate(look);
    };
    look();
    return seen;
  }

  test("delivering a backlog", async () => {
    await using broker = await start();
    await fill(broker, "/queue/a", ...Array<string>(200).fill("x"));
    using client = await RawClient.connect(broker);
    const seen = watch(() => broker.status().delivered);
    await client.subscribe("/queue/a");
    await client.take(200);
    expect(seen.size).toBeGreaterThan(10);
  });

  test("acknowledging many at once", async () => {
    await using broker = await start();
    await fill(broker, "/queue/a", ...Array<string>(200).fill("x"));
    using client = await RawClient.connect(broker);
    await client.subscribe("/queue/a", { ack: "client", "prefetch-count": "0" });
    const messages = await client.take(200);
    const seen = watch(() => broker.status().queues.a?.messages ?? 0);
    client.ack(messages[199]!);
    await client.settle();
    expect(seen.size).toBeGreaterThan(10);
    expect(broker.status().queues.a?.messages).toBe(0);
  });

  test("taking many messages", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker);
    const seen = watch(() => broker.status().received);
    client.write("SEND\ndestination:/queue/a\n\nx\0".repeat(200));
    await client.settle();
    expect(seen.size).toBeGreaterThan(10);
  });
});

test.each([
  [{ data: "" }, TypeError, "`data`"],
  [{ data: 5 }, TypeError, "`data`"],
  [{ data: "x", port: -1 }, RangeError, "`port`"],
  [{ data: "x", port: 65536 }, RangeError, "`port`"],
  [{ data: "x", port: "1" }, TypeError, "`port`"],
  [{ data: "x", prefetch: 0.5 }, RangeError, "`prefetch`"],
  [{ data: "x", host: "" }, TypeError, "`host`"],
  [{ data: "x", heartBeat: { sendMs: -1, receiveMs: 0 } }, RangeError, "`heartBeat.sendMs`"],
  [{ data: "x", limits: { body: "1" } }, TypeError, "`limits.body`"],
  [{ data: "x", credential: { login: "", passcode: "s3cret" } }, TypeError, "`credential.login`"],
  [{ data: "x", credential: { login: "a", passcode: 1 } }, TypeError, "`credential.passcode`"],
  [{ data: "x", prot: 1 }, TypeError, "Unknown broker option `prot`"],
])("options %j are refused with a %o that says %s", async (options, kind, words) => {
  const starting = startBroker(options as unknown as BrokerOptions);
  await expect(starting).rejects.toThrow(kind);
  await expect(starting).rejects.toThrow(words);
  await expect(starting).rejects.not.toThrow("s3cret");
});
