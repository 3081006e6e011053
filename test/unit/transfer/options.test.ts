// What limits and time-outs mean to a run, and which are refused.
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runAgent } from "../../helpers/agents.js";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let top: string;
beforeEach(() => {
  top = temporaryDirectory("limits", inMemory);
  const queue = new DqsQueue({ path: join(top, "a") });
  queue.addMessage(new Message({ header: { destination: "/queue/a" }, body: "1" }));
});
afterEach(() => removeDirectory(top));

const away = "stomp://127.0.0.1:1";
const queue = () => ["--incoming-queue", `path=${top}/a`, "--loop"];

test("a count of 0 is no limit: a broker that is away is tried until the time is over, which is a failure", async () => {
  const args = [
    ...queue(),
    "--outgoing-broker-uri",
    away,
    "--count",
    "0",
    "--reconnect",
    "--duration",
    "0.5",
  ];
  const { status, stderr } = await runAgent("stompclt", args);
  expect(status).toBe(69);
  expect(stderr).toMatch(/warning: .*ECONNREFUSED.*; trying again until it is there\n/);
  expect(stderr).toMatch(/broker stomp:.* was not there when the time of the run was over\n$/);
});

test("a broker that may send nothing ahead is refused", async () => {
  const args = ["--incoming-broker-uri", away, "--subscribe", "destination=/queue/a", "--prefetch", "0"];
  const { status, stderr } = await runAgent("stompclt", [...args, "--outgoing-queue", `path=${top}/b`]);
  expect(status).toBe(64);
  expect(stderr).toContain('Expected --prefetch to be an integer >= 1, got "0"');
});

test("no patience at all moves what is there at once", async () => {
  const args = [...queue(), "--remove", "--outgoing-queue", `path=${top}/b`, "--timeout-inactivity", "0"];
  expect(await runAgent("stompclt", args)).toMatchObject({ status: 0, stderr: "" });
  expect(new DqsQueue({ path: join(top, "b") }).count()).toBe(1);
});
