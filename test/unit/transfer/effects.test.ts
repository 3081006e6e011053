// What single options of sending do, as a broker sees it, whatever it speaks.
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runAgent } from "../../helpers/agents.js";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { fakeBrokers, type FakeBroker, type Manner } from "../../helpers/fake-broker.js";

let directory: string;
let queue: DqsQueue;
let broker: FakeBroker | undefined;
beforeEach(() => {
  directory = temporaryDirectory("effects", inMemory);
  queue = new DqsQueue({ path: join(directory, "queue") });
});
afterEach(async () => {
  removeDirectory(directory);
  const last = broker;
  broker = undefined;
  await last?.stop();
});

const fill = (count: number) => {
  for (let index = 0; index < count; index++)
    queue.addMessage(new Message({ header: { destination: "/queue/x" }, body: `${index}` }));
};

const ok = { status: 0, stderr: "" };

describe.each(Object.entries(fakeBrokers))("with %s", (_, startFake) => {
  /** Send the queue to a broker of that manner. */
  async function send(manner: Manner, ...more: string[]) {
    await broker?.stop();
    broker = await startFake(manner);
    return await runAgent(broker.agent, [
      ...["--incoming-queue", `path=${queue.path}`, "--remove"],
      ...["--outgoing-broker-uri", broker.uri, ...more],
    ]);
  }

  test("--lazy connects for a message only", async () => {
    expect(await send("confirms", "--lazy")).toMatchObject(ok);
    expect(broker?.counts.clients).toBe(0);
    fill(1);
    expect(await send("confirms", "--lazy")).toMatchObject(ok);
    expect(broker?.counts.clients).toBe(1);
    expect(queue.count()).toBe(0);
  });

  test.each([
    ["3", 3],
    ["0", 6],
  ])("--window %s: so many are not confirmed at most, of 6", async (window, expected) => {
    fill(6);
    expect(await send({ confirmsAt: expected }, "--reliable", "--window", window)).toMatchObject(ok);
    expect(broker?.counts.most).toBe(expected);
    expect(queue.count()).toBe(0);
  });

  test("what a broker that stops reading does not take stays in the queue", async () => {
    const message = new Message({ header: { destination: "/queue/x" }, body: "x".repeat(100_000) });
    for (let index = 0; index < 500; index++) queue.addMessage(message);
    const times = ["--duration", "1", "--timeout-linger", "0.1", "--timeout-flush", "0.1"];
    const { status, stderr } = await send("stops reading", ...times);
    // The last may be handed over, or wait for that.
    expect(stderr).toMatch(/(did not take all that was sent within 0\.1 s|1 pending messages)\n$/);
    expect(status).toBeGreaterThan(64);
    expect(queue.count()).toBeGreaterThan(350);
  });

  test("--rate holds messages back", async () => {
    fill(4);
    const started = performance.now();
    expect(await send("confirms", "--rate", "10")).toMatchObject(ok);
    // The first at once.
    expect(performance.now() - started).toBeGreaterThan(250);
    expect(queue.count()).toBe(0);
  });

  test("--timeout-broker is the most that a confirmation takes, and --no-reconnect the end then", async () => {
    fill(1);
    const times = ["--timeout-broker", "0.1", "--timeout-disconnect", "0.1"];
    const { status, stderr } = await send("says nothing", "--reliable", ...times, "--no-reconnect");
    expect(stderr).toMatch(/(No receipt for SEND within|has not answered for) 0\.1 s\n$/);
    expect(status).toBe(69);
    expect(broker?.counts.clients).toBe(1);
    expect(queue.count()).toBe(1);
  });

  test("--timeout-disconnect is the most that saying goodbye takes", async () => {
    fill(1);
    const { status, stderr } = await send(
      "confirms but no goodbye",
      ...["--reliable", "--timeout-disconnect", "0.1"],
    );
    expect(stderr).toMatch(/did not confirm the end of the connection/);
    expect(status).toBe(0);
    expect(queue.count()).toBe(0);
  });

  test("--timeout-linger is the most that confirmations take at the end", async () => {
    fill(2);
    const options = ["--reliable", "--timeout-linger", "0.1", "--timeout-disconnect", "0.1"];
    const { status, stderr } = await send("says nothing", ...options);
    expect(stderr).toMatch(/clt: 2 pending messages\n$/);
    expect(status).toBe(75);
    expect(queue.count()).toBe(2);
  });

  test.each([
    ["1", 1],
    ["2", 2],
  ])("--max-attempts %s: so often the broker is asked", async (most, expected) => {
    fill(1);
    const { status, stderr } = await send("refuses", "--reliable", "--max-attempts", most);
    expect(stderr).toMatch(/(not this one|released|nacked); it stays where it is\n$/);
    expect(status).toBe(65);
    expect(broker?.counts.asked).toBe(expected);
    expect(queue.count()).toBe(1);
  });

  test.each([
    ["quarantine", 65, 1, /it stays where it is/],
    ["skip", 0, 0, /no good/],
    ["stop", 70, 1, /no good/],
  ])("--callback-error %s", async (policy, expected, left, told) => {
    fill(1);
    const code = ["--callback-code", 'throw new Error("no good")', "--callback-error", policy];
    const { status, stderr } = await send("confirms", "--reliable", ...code);
    expect(stderr).toMatch(told);
    expect(status).toBe(expected);
    expect(queue.count()).toBe(left);
  });

  test.each(["--statistics", "-s"])("%s are told at the end", async (option) => {
    fill(3);
    const { status, stderr } = await send("confirms", option);
    expect(stderr).toMatch(
      /processed 3 messages in [\d.]+ seconds .*\n.*throughput is around .*\n.*average message size is around \d+ bytes\n$/,
    );
    expect(status).toBe(0);
  });
});
