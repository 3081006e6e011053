// Instances that come and go with what there is to do.
import { SimpleQueue } from "@spoolwire/dirq";
import { Scaler } from "@spoolwire/simplevisor";
import { expect, vi } from "vitest";
import { program } from "../../helpers/embedded.js";
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

test("consumers come with a deep queue and go with a shallow one, and nothing is lost or done twice", async ({
  site,
}) => {
  const queue = new SimpleQueue({ path: site.at("spool") });
  const added: string[] = [];
  const add = () => {
    added.push(`element ${added.length}`);
    queue.add(`${added.at(-1)}\n`);
  };
  for (let n = 0; n < 60; n++) add();
  // Each element takes a while, so that there is something in hand when one of them is told to go.
  const slowly = "sleep 0.05; cat";
  const pop = `${program("dirq")} pop ${queue.path} --count 0 --wait 3600 --shell --exec '${slowly}' >>${site.at("done")}`;
  const scale = ["instances = 1..3", `scale = queue:${queue.path} depth>20`, "scale-interval = 0.2"];
  site.configure(
    supervisor("app", [
      service("worker", "shell = true", `run = exec ${pop}`, "backoff = healthy=0", ...scale),
    ]),
  );
  const { child } = await site.start();
  const counts = () =>
    Array.from(
      site.read("log").matchAll(/app\/worker: (\d) -> (\d) instances/g),
      ([, from, to]) => `${from}${to}`,
    );
  await vi.waitUntil(() => counts().length === 2, patience);
  // There is always a little to do: that keeps one of them busy, and no more.
  const trickle = setInterval(add, 300);
  await vi.waitUntil(() => counts().length === 4, patience);
  clearInterval(trickle);
  await vi.waitUntil(() => queue.count() === 0, patience);
  expect(counts()).toEqual(["12", "23", "32", "21"]);
  for (const stopped of ["2", "3"]) await site.until(`app/worker/${stopped}`, "stopped");
  const { children } = await site.report("app/worker");
  expect(children!.map(({ restarts }) => restarts)).toEqual([0, 0, 0]);
  expect(child.exitCode).toBe(null);
  const done = site.read("done").split("\n").filter(Boolean);
  expect(done.sort()).toEqual(added.sort());
});
