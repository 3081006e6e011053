import { expect, test } from "vitest";
import { startBroker, type BrokerOptions } from "@spoolwire/broker";
import { RawClient, start, until } from "./helpers.js";

test("a client that sends without end delays another by turns only", async () => {
  await using broker = await start();
  using busy = await RawClient.connect(broker);
  using other = await RawClient.connect(broker);
  const body = "x".repeat(200);
  for (let count = 0; count < 2000; count++) busy.send("SEND", { destination: "/queue/busy" }, body);
  await other.confirm("SEND", { destination: "/queue/other" });
  // Its one frame did not wait for the two thousand that came before it.
  expect(broker.status().queues.busy?.messages ?? 0).toBeLessThan(1500);
  await until(() => broker.status().queues.busy?.messages === 2000);
});

test("a large ACK is done piece by piece, and others go on meanwhile", async () => {
  await using broker = await start();
  using client = await RawClient.connect(broker);
  using other = await RawClient.connect(broker);
  for (let count = 0; count < 600; count++) client.send("SEND", { destination: "/queue/a" }, "x");
  await client.subscribe("/queue/a", { ack: "client", "prefetch-count": "0" });
  const last = (await client.take(600)).at(-1);
  if (last) client.ack(last);
  const left = () => broker.status().queues.a?.messages ?? 0;
  await until(() => left() < 600);
  await other.confirm("SEND", { destination: "/topic/nobody" });
  expect(left()).toBeGreaterThan(0);
  await until(() => left() === 0);
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
