// Instances that come and go with what there is to do.
import { SimpleQueue } from "@spoolwire/dirq";
import { DqsQueue, Message } from "@spoolwire/message";
import { Scaler } from "@spoolwire/simplevisor";
import { expect, vi } from "vitest";
import { runAgent } from "../../helpers/agents.js";
import { program, startEmbedded } from "../../helpers/embedded.js";
import { patience, service, supervisor, test, type Site } from "./helpers.js";

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

/** How the number of workers has changed: from and to. */
const changes = (site: Site) =>
  Array.from(
    site.read("log").matchAll(/app\/worker: (\d) -> (\d) instances/g),
    ([, from, to]) => `${from}${to}`,
  );

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
  await vi.waitUntil(() => changes(site).length === 2, patience);
  // There is always a little to do: that keeps one of them busy, and no more.
  const trickle = setInterval(add, 300);
  await vi.waitUntil(() => changes(site).length === 4, patience);
  clearInterval(trickle);
  await vi.waitUntil(() => queue.count() === 0, patience);
  expect(changes(site)).toEqual(["12", "23", "32", "21"]);
  for (const stopped of ["2", "3"]) await site.until(`app/worker/${stopped}`, "stopped");
  const { children } = await site.report("app/worker");
  expect(children!.map(({ restarts }) => restarts)).toEqual([0, 0, 0]);
  expect(child.exitCode).toBe(null);
  const done = site.read("done").split("\n").filter(Boolean);
  expect(done.sort()).toEqual(added.sort());
});

test("as many as there must be run, whatever there was before", async ({ site }) => {
  const configure = (instances: string) => {
    const scale = `scale = queue:${site.at("queue")} depth>10`;
    const worker = site.worker("worker", `instances = ${instances}`, scale, "scale-interval = 0.1");
    site.configure(supervisor("app", [worker]));
  };
  configure("1..4");
  const { done } = await site.start();
  await site.until("app/worker/1", "running");
  await site.order({ command: "stop" });
  await done;
  configure("3..4");
  await site.start();
  await site.until("app/worker/3", "running");
  expect((await site.report("app/worker/4")).phase).toBe("stopped");
});

test("receivers come with what waits at the broker, and go when it is taken", async ({ site }) => {
  await using broker = await startEmbedded();
  const { uri, auth, directory } = broker;
  const [a, b] = [new DqsQueue({ path: site.at("a") }), new DqsQueue({ path: site.at("b") })];
  const bodies = Array.from({ length: 200 }, (_, index) => `message ${index}`);
  const header = { destination: "/queue/elastic", persistent: "true" };
  for (const body of bodies) a.addMessage(new Message({ header, body }));
  const sender = ["--incoming-queue", `path=${a.path}`, "--remove", "--reliable"];
  const sent = await runAgent("stompclt", [
    ...sender,
    ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth],
  ]);
  expect(sent).toMatchObject({ status: 0, stderr: "" });
  site.write("auth", auth);
  const receive = [
    ...[
      program("stompclt"),
      "--incoming-broker-uri",
      uri,
      "--incoming-broker-auth",
      `file=${site.at("auth")}`,
    ],
    ...["--subscribe", "destination=/queue/elastic", "--reliable", "--prefetch", "2", "--rate", "30"],
    ...["--outgoing-queue", `path=${b.path}`],
  ];
  const scale = ["instances = 1..3", `scale = queue:${directory}/data/queue/elastic depth>20`];
  site.configure(
    supervisor("app", [service("worker", `run = ${receive.join(" ")}`, "scale-interval = 0.2", ...scale)]),
  );
  await site.start();
  await vi.waitUntil(() => changes(site).length === 4, patience);
  expect(changes(site)).toEqual(["12", "23", "32", "21"]);
  await vi.waitUntil(() => b.count() >= bodies.length, patience);
  const came = Array.from(b, (name) => (b.lock(name), String(b.getMessage(name).body)));
  expect(came.sort()).toEqual(bodies.sort());
});
