import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { DirqError, type ConsumeEvent } from "@spoolwire/dirq";
import { DqsQueue, Message, MessageError, openMessageQueue, type MessageQueue } from "@spoolwire/message";
import { queueContract } from "../../helpers/queue-contract.js";

queueContract<Uint8Array | string>(
  "DqsQueue",
  (options, surroundings) => new DqsQueue({ durability: "full", ...options }, surroundings),
  { staysAfterFailure: true },
);

let path: string;
let queue: MessageQueue;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "spoolwire-dqs-"));
  queue = openMessageQueue({ path });
  onTestFinished(() => rmSync(path, { recursive: true }));
});

/** Put content into the queue as a foreign program might. */
function plant(content: string | Uint8Array): string {
  const name = queue.addMessage(new Message());
  writeFileSync(join(path, name), content);
  return name;
}

const messages = [
  new Message(),
  new Message({ header: { destination: "/queue/a", é: "☺" }, body: "text 😀\n" }),
  new Message({ header: { a: "b" }, body: Buffer.of(0, 128, 255) }),
  new Message({ body: Buffer.from("bytes that are printable") }),
];

describe("a DQS queue", () => {
  test("is what openMessageQueue gives, with and without its type", () => {
    expect(queue).toBeInstanceOf(DqsQueue);
    expect(openMessageQueue({ path, type: "DQS" })).toBeInstanceOf(DqsQueue);
    expect(queue.path).toBe(path);
  });

  test("refuses another type and an unknown option by name", () => {
    expect(() => openMessageQueue({ path, type: "DQX" as "DQS" })).toThrow(
      new TypeError('Expected `type` to be one of DQS, DQN, NULL, ZERO, got "DQX"'),
    );
    expect(() => openMessageQueue({ path, colour: 1 } as { path: string })).toThrow(/`colour`/);
  });

  test("has on disk exactly the JSON of each message, one file each", () => {
    for (const message of messages) {
      const name = queue.addMessage(message);
      expect(readFileSync(join(path, name))).toStrictEqual(message.serialize());
    }
    expect(queue.count()).toBe(messages.length);
  });

  test("gives back each message in the order of adding", () => {
    const names = messages.map((message) => queue.addMessage(message));
    expect([...queue]).toStrictEqual(names);
    for (const [index, name] of [...queue].entries()) {
      expect(queue.lock(name)).toBe(true);
      expect(queue.getMessage(name)).toStrictEqual(messages[index]);
      expect(queue.remove(name)).toBe(true);
    }
    expect(queue.count()).toBe(0);
  });

  test("gives a message only under a lock", () => {
    const name = queue.addMessage(new Message());
    expect(() => queue.getMessage(name)).toThrow(DirqError);
    expect(() => queue.getMessage(name)).toThrow(expect.objectContaining({ code: "DIRQ_NOT_LOCKED" }));
  });

  test("adds nothing of a message that cannot be written", () => {
    expect(() => queue.addMessage(new Message({ body: "\ud800" }))).toThrow(TypeError);
    expect(queue.count()).toBe(0);
  });

  test.each([
    ["nothing", "", "MESSAGE_BAD_JSON"],
    ["no JSON", "not JSON", "MESSAGE_BAD_JSON"],
    ["JSON that breaks off", '{"body":"abc', "MESSAGE_BAD_JSON"],
    ["no UTF-8", Buffer.of(0x7b, 0xff, 0x7d), "MESSAGE_BAD_JSON"],
    ["no base64", '{"encoding":"base64","body":"?"}', "MESSAGE_BAD_ENCODING"],
  ])("names the file that holds %s, and leaves it locked where it is", (_, content, code) => {
    const good = queue.addMessage(new Message({ body: "good" }));
    const name = plant(content);
    expect(queue.lock(name)).toBe(true);
    let error: unknown;
    try {
      queue.getMessage(name);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(MessageError);
    const { message, cause } = error as Error;
    expect(error).toHaveProperty("code", code);
    expect(message).toContain(`${path}/${name} is no message: `);
    expect(cause).toBeInstanceOf(MessageError);
    expect(readFileSync(join(path, name))).toStrictEqual(Buffer.from(content));
    expect(existsSync(join(path, `${name}.lck`))).toBe(true);
    expect(queue.lock(name)).toBe(false);
    expect(queue.lock(good)).toBe(true);
    expect(queue.getMessage(good).body).toBe("good");
  });

  test("does not call it a bad message when the file cannot be read", () => {
    const name = queue.addMessage(new Message());
    queue.lock(name);
    rmSync(join(path, `${name}.lck`));
    expect(() => queue.getMessage(name)).toThrow(DirqError);
  });
});

test("consuming messages yields them, and moves aside what is none", async () => {
  for (const message of messages) queue.addMessage(message);
  const bad = plant("{");
  const empty = plant("");
  queue.addMessage(new Message({ body: "last" }));
  const events: ConsumeEvent[] = [];
  const bodies: unknown[] = [];
  for await (const element of queue.consumeMessages({ wait: 0, onEvent: (event) => events.push(event) })) {
    bodies.push(element.content.body);
    element.done();
  }
  expect(bodies).toStrictEqual([...messages.map(({ body }) => body), "last"]);
  expect(events).toMatchObject([
    { type: "quarantined", name: bad, reason: expect.stringContaining("is no message") as string },
    { type: "quarantined", name: empty, reason: expect.stringContaining("0 bytes") as string },
  ]);
  expect([...queue.quarantined()].map(({ element }) => element)).toEqual([bad, empty]);
  expect(queue.count()).toBe(0);
});
