// The agent between queues of all types: messages stay what they are.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Message, openMessageQueue, type MessageQueueOptions } from "@spoolwire/message";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runAgent } from "../../helpers/agents.js";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let top: string;
beforeEach(() => (top = temporaryDirectory("queues")));
afterEach(() => removeDirectory(top));

const messages = [
  new Message({ header: { destination: "/queue/x", "a\tb\n": "\\t" }, body: "Zürich\n" }),
  new Message({ header: { destination: "/queue/x" }, body: Buffer.of(0, 255) }),
  new Message(),
];

const open = (options: MessageQueueOptions) => openMessageQueue({ ...options, create: false });

/** All messages of a queue, which are then removed. */
function drain(options: MessageQueueOptions): Message[] {
  const queue = open(options);
  return [...queue].map((name) => {
    queue.lock(name);
    const message = queue.getMessage(name);
    queue.remove(name);
    return message;
  });
}

test("stompclt moves messages into a DQN queue with that type's options, and out of it", async () => {
  const [from, by, to] = ["from", "by", "to"].map((name) => join(top, name)) as [string, string, string];
  await openMessageQueue({ path: from }).addMessages(messages);
  const move = (source: string, sink: string) =>
    runAgent("stompclt", ["--incoming-queue", source, "--remove", "--outgoing-queue", sink]);

  const dqn = `path=${by} type=DQN nlink=1 maxelts=2 umask=077 durability=full`;
  expect(await move(`path=${from}`, dqn)).toMatchObject({ status: 0, stderr: "" });
  expect(open({ path: from }).count()).toBe(0);
  expect(open({ path: by, type: "DQN" }).count()).toBe(3);
  expect(existsSync(join(by, "00000001"))).toBe(true);

  expect(await move(`path=${by} type=DQN nlink=true`, `path=${to}`)).toMatchObject({ status: 0, stderr: "" });
  expect(open({ path: by, type: "DQN" }).count()).toBe(0);
  expect(drain({ path: to })).toStrictEqual(messages);
});

test("stompclt makes a DQS queue with that type's options", async () => {
  const from = join(top, "from");
  openMessageQueue({ path: from }).addMessage(new Message({ body: "x".repeat(1000) }));
  const outgoing = `path=${join(top, "to")} granularity=86400 rndhex=7 umask=077 compression=zlib`;
  const argv = ["--incoming-queue", `path=${from}`, "--outgoing-queue", outgoing];
  expect(await runAgent("stompclt", argv)).toMatchObject({ status: 0, stderr: "" });
  const [directory = "", ...others] = readdirSync(join(top, "to"));
  expect(others).toEqual([]);
  expect(parseInt(directory, 16) % 86400).toBe(0);
  const [name = ""] = readdirSync(join(top, "to", directory));
  expect(name).toMatch(/^[0-9a-f]{13}7$/);
  const path = join(top, "to", directory, name);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(path, "utf8"))).toMatchObject({ encoding: "base64+zlib" });
});

test("stompclt tells of a message with two bodies in a DQN queue, and leaves it", async () => {
  const [from, to] = [join(top, "from"), join(top, "to")];
  const queue = openMessageQueue({ path: from, type: "DQN" });
  const bad = queue.add({ header: {}, text: "", binary: Buffer.of() });
  queue.addMessage(new Message({ body: "good" }));
  const { status, stderr } = await runAgent("stompclt", [
    ...["--incoming-queue", `path=${from} type=DQN`, "--remove", "--outgoing-queue", `path=${to}`],
  ]);
  expect(status).toBe(65);
  expect(stderr).toContain(
    `${from}/${bad} is no message: Expected one of the fields text and binary, got both`,
  );
  expect([...queue]).toEqual([bad]);
  expect(drain({ path: to }).map(({ body }) => body)).toEqual(["good"]);
});
