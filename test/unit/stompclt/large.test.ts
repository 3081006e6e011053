// Large messages, and messages that are too large.
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { run } from "../../helpers/programs.js";
import { makeData, start, type TestBroker } from "../broker/helpers.js";

let directory: string;
let incoming: DqsQueue;
let outgoing: DqsQueue;
beforeEach(() => {
  directory = temporaryDirectory("large", inMemory);
  incoming = new DqsQueue({ path: join(directory, "a") });
  outgoing = new DqsQueue({ path: join(directory, "b") });
});
afterEach(() => removeDirectory(directory));

const header = { destination: "/queue/x" };
const add = (body: string | Buffer) => incoming.addMessage(new Message({ header, body }));

const send = ({ address }: TestBroker, ...more: string[]) =>
  run("stompclt", [
    ...["--incoming-queue", `path=${incoming.path}`, "--remove", "--reliable"],
    ...["--outgoing-broker-uri", address, ...more],
  ]);
const receive = ({ address }: TestBroker, ...more: string[]) =>
  run("stompclt", [
    ...["--incoming-broker-uri", address, "--subscribe", "destination=/queue/x", "--reliable"],
    ...["--outgoing-queue", `path=${outgoing.path}`, ...more],
  ]);

/** The bodies that have arrived. */
function take(): (string | Buffer)[] {
  return [...outgoing].map((name) => {
    outgoing.lock(name);
    return outgoing.getMessage(name).body;
  });
}

test("50 MB pass", { timeout: 120_000 }, async () => {
  await using broker = await start({ data: join(directory, "data") });
  const body = Buffer.alloc(50e6, "Zürich \xff");
  add(body);
  expect(await send(broker)).toMatchObject({ status: 0, stderr: "" });
  expect(await receive(broker, "--count", "1")).toMatchObject({ status: 0, stderr: "" });
  const [arrived] = take();
  expect(body.equals(arrived as Buffer)).toBe(true);
});

test("a message that is too large to send is left alone", async () => {
  await using broker = await start();
  const large = add("é".repeat(501));
  add("é".repeat(500));
  const { status, stderr } = await send(broker, "--max-body-size", "1000");
  expect(stderr).toBe(
    `stompclt: ${incoming.path}/${large}: Expected a body of at most 1000 bytes (--max-body-size), got 1002; it stays where it is\n`,
  );
  expect(status).toBe(65);
  expect([...incoming]).toEqual([large]);
  expect(broker.status().queues.x?.messages).toBe(1);
});

test("a message that is too large to receive stays with the broker, and the others come", async () => {
  using data = makeData();
  await using broker = await start({ data: data.path });
  for (const body of ["1", "x".repeat(1001), "2", Buffer.alloc(5e6), "3"]) add(body);
  expect(await send(broker)).toMatchObject({ status: 0 });
  const limits = ["--max-body-size", "1000", "--timeout-inactivity", "1"];
  const { status, stderr } = await receive(broker, ...limits);
  expect(take()).toEqual(["1", "2", "3"]);
  expect(stderr).toMatch(
    /message-id \S+: Expected a body of at most 1000 bytes \(--max-body-size\), got 1001;/,
  );
  expect(stderr).toMatch(/got 5000000; it stays there/);
  expect(status).toBe(65);
  expect(broker.status().queues.x?.messages).toBe(2);
});
