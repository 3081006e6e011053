// The agent between queues of all types: messages stay what they are.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Message, openMessageQueue, type MessageQueueOptions } from "@spoolwire/message";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { run } from "../../helpers/programs.js";

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
    run("stompclt", ["--incoming-queue", source, "--remove", "--outgoing-queue", sink]);

  const dqn = `path=${by} type=DQN nlink=1 maxelts=2 umask=077 durability=full`;
  expect(await move(`path=${from}`, dqn)).toMatchObject({ status: 0, stderr: "" });
  expect(open({ path: from }).count()).toBe(0);
  expect(open({ path: by, type: "DQN" }).count()).toBe(3);
  expect(existsSync(join(by, "00000001"))).toBe(true);

  expect(await move(`path=${by} type=DQN nlink=true`, `path=${to}`)).toMatchObject({ status: 0, stderr: "" });
  expect(open({ path: by, type: "DQN" }).count()).toBe(0);
  expect(drain({ path: to })).toStrictEqual(messages);
});

test("stompclt tells of a message with two bodies in a DQN queue, and leaves it", async () => {
  const [from, to] = [join(top, "from"), join(top, "to")];
  const queue = openMessageQueue({ path: from, type: "DQN" });
  const bad = queue.add({ header: {}, text: "", binary: Buffer.of() });
  queue.addMessage(new Message({ body: "good" }));
  const { status, stderr } = await run("stompclt", [
    ...["--incoming-queue", `path=${from} type=DQN`, "--remove", "--outgoing-queue", `path=${to}`],
  ]);
  expect(status).toBe(65);
  expect(stderr).toContain(
    `${from}/${bad} is no message: Expected one of the fields text and binary, got both`,
  );
  expect([...queue]).toEqual([bad]);
  expect(drain({ path: to }).map(({ body }) => body)).toEqual(["good"]);
});
