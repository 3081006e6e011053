// Instances that come and go with what there is to do.
import { SimpleQueue } from "@spoolwire/dirq";
import { Scaler } from "@spoolwire/simplevisor";
import { expect, vi } from "vitest";
import { patience, service, supervisor, test } from "./helpers.js";

vi.setConfig({ testTimeout: 60_000 });

const counts = (scaler: Scaler, values: readonly number[]) => values.map((value) => scaler.look(value));

test("one more at each look that finds too much, up to the most", () => {
  expect(counts(new Scaler(1, 3, 100), [0, 101, 101, 101, 101])).toEqual([1, 2, 3, 3, 3]);
});

test("one less after five looks that find half of it or less, down to the least", () => {
  const scaler = new Scaler(1, 3, 100);
  counts(scaler, [101, 101]);
  const calm = Array.from({ length: 11 }, () => 50);
  expect(counts(scaler, calm)).toEqual([3, 3, 3, 3, 2, 2, 2, 2, 2, 1, 1]);
});

test("between the two nothing changes, and what is in between begins the calm anew", () => {
  const scaler = new Scaler(0, 3, 100);
  counts(scaler, [101]);
  expect(counts(scaler, [0, 0, 0, 0, 51, 100, 0, 0, 0, 0, 0])).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
});

test("more consumers for a queue that is deep, fewer when it is empty", async ({ site }) => {
  const queue = new SimpleQueue({ path: site.at("spool") });
  for (let n = 0; n < 10; n++) queue.add("x");
  const run = `run = tail -f ${site.write("data", "")}`;
  const scale = `scale = queue:${site.at("spool")} depth>4`;
  site.configure(
    supervisor("app", [service("worker", run, "instances = 1..3", scale, "scale-interval = 0.1")]),
  );
  await site.start();
  const running = async () =>
    (await site.report("app/worker")).children?.filter(({ phase }) => phase === "running").length;
  await vi.waitUntil(async () => (await running()) === 3, patience);
  for (const name of queue) if (queue.lock(name)) queue.remove(name);
  await vi.waitUntil(async () => (await running()) === 1, patience);
  expect(site.read("log")).toContain("app/worker: 2 -> 3 instances");
  expect((await site.report("app/worker")).restarts).toBe(0);
});
