// What single options do, as a broker sees it: one that does what a script says.
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { formatUri } from "@spoolwire/stomp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runAgent } from "../../helpers/agents.js";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { frame, receipt, startStompServer, type Peer, type StompServer } from "../../helpers/stomp-server.js";

let directory: string;
let queue: DqsQueue;
let server: StompServer | undefined;
beforeEach(() => {
  directory = temporaryDirectory("effects", inMemory);
  queue = new DqsQueue({ path: join(directory, "queue") });
});
afterEach(async () => {
  removeDirectory(directory);
  const last = server;
  server = undefined;
  await last?.stop();
});

const fill = (count: number) => {
  for (let index = 0; index < count; index++)
    queue.addMessage(new Message({ header: { destination: "/queue/x" }, body: `${index}` }));
};

/** Run an agent that sends the queue to a broker that does this after CONNECTED. */
async function send(script: (peer: Peer) => Promise<void>, ...more: string[]) {
  server = await startStompServer(async (peer) => {
    await peer.login();
    await script(peer);
  });
  return await runAgent("stompclt", [
    ...["--incoming-queue", `path=${queue.path}`, "--remove"],
    ...["--outgoing-broker-uri", formatUri(server.uri), ...more],
  ]);
}

const confirmAll = async (peer: Peer) => {
  for await (const { headers } of peer.frames()) peer.send(receipt(headers.receipt));
};

describe("--prefetch is said as the broker knows it", () => {
  test.each([
    ["ActiveMQ", ["--prefetch", "7"], { "activemq.prefetchSize": "7" }],
    ["Apollo", ["--prefetch", "7"], { credit: "7" }],
    ["Artemis", ["--prefetch", "7"], { "consumer-window-size": "7" }],
    ["RabbitMQ", ["--prefetch", "7"], { "prefetch-count": "7" }],
    ["RabbitMQ", ["--reliable", "--count", "3"], { "prefetch-count": "3" }],
    ["RabbitMQ", ["--reliable", "--count", "300"], { "prefetch-count": "100" }],
  ])("%s %j", async (type, more, expected) => {
    let subscribed: object = {};
    server = await startStompServer(async (peer) => {
      await peer.login();
      const { headers } = await peer.take("SUBSCRIBE");
      subscribed = headers;
      peer.send(receipt(headers.receipt));
      await confirmAll(peer);
    });
    const outcome = await runAgent("stompclt", [
      ...["--incoming-broker-uri", formatUri(server.uri), "--incoming-broker-type", type],
      ...["--subscribe", "destination=/queue/x", "--duration", "0.05", ...more],
      ...["--outgoing-queue", `path=${join(directory, "to")}`],
    ]);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect(subscribed).toMatchObject({ destination: "/queue/x", id: "0", ...expected });
  });
});

test("--lazy connects for a message only", async () => {
  expect(await send(confirmAll, "--lazy")).toMatchObject({ status: 0, stderr: "" });
  expect(server?.clients).toBe(0);
  await server?.stop();
  fill(1);
  expect(await send(confirmAll, "--lazy")).toMatchObject({ status: 0, stderr: "" });
  expect(server?.clients).toBe(1);
  expect(queue.count()).toBe(0);
});

test("--rate holds messages back", async () => {
  fill(4);
  const started = performance.now();
  expect(await send(confirmAll, "--rate", "10")).toMatchObject({ status: 0, stderr: "" });
  // The first at once.
  expect(performance.now() - started).toBeGreaterThan(250);
  expect(queue.count()).toBe(0);
});

test("--timeout-broker is the most that a confirmation takes, and --no-reconnect the end then", async () => {
  fill(1);
  const silent = async (peer: Peer) => peer.left();
  const options = ["--reliable", "--timeout-broker", "0.1", "--timeout-disconnect", "0.1", "--no-reconnect"];
  const { status, stderr } = await send(silent, ...options);
  expect(stderr).toMatch(/No receipt for SEND within 0\.1 s/);
  expect(status).toBe(69);
  expect(server?.clients).toBe(1);
  expect(queue.count()).toBe(1);
});

test("--timeout-disconnect is the most that saying goodbye takes", async () => {
  fill(1);
  const deaf = async (peer: Peer) => peer.left();
  const { status, stderr } = await send(deaf, "--timeout-disconnect", "0.1");
  expect(stderr).toMatch(/did not confirm the end of the connection/);
  expect(status).toBe(0);
});

test.each([
  ["1", 1],
  ["2", 2],
])("--max-attempts %s: so often the broker is asked", async (most, expected) => {
  fill(1);
  let asked = 0;
  const refuse = async (peer: Peer) => {
    for await (const { command, headers } of peer.frames()) {
      if (command !== "SEND") peer.send(receipt(headers.receipt));
      else {
        asked++;
        peer.socket.end(frame("ERROR", { message: "not this one", "receipt-id": headers.receipt ?? "" }));
      }
    }
  };
  const { status, stderr } = await send(refuse, "--reliable", "--max-attempts", most);
  expect(stderr).toMatch(/not this one; it stays where it is/);
  expect(status).toBe(65);
  expect(asked).toBe(expected);
  expect(queue.count()).toBe(1);
});

test.each([
  ["quarantine", 65, 1, /it stays where it is/],
  ["skip", 0, 0, /no good/],
  ["stop", 70, 1, /no good/],
])("--callback-error %s", async (policy, expected, left, told) => {
  fill(1);
  const code = ["--callback-code", 'throw new Error("no good")', "--callback-error", policy];
  const { status, stderr } = await send(confirmAll, "--reliable", ...code);
  expect(stderr).toMatch(told);
  expect(status).toBe(expected);
  expect(queue.count()).toBe(left);
});

test("--statistics are told at the end", async () => {
  fill(3);
  const { status, stderr } = await send(confirmAll, "--statistics");
  expect(stderr).toMatch(
    /processed 3 messages in [\d.]+ seconds .*\n.*throughput is around .*\n.*average message size is around \d+ bytes\n$/,
  );
  expect(status).toBe(0);
});
