import fs, { readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ConsumeEvent, type Fields } from "@spoolwire/dirq";
import { DqnQueue, Message, MessageError, openMessageQueue } from "@spoolwire/message";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { queueContract } from "../../helpers/queue-contract.js";
import { ioError } from "../../helpers/recorded-syncs.js";

queueContract<Fields>(
  "DqnQueue",
  (options, surroundings) => new DqnQueue({ durability: "full", ...options }, surroundings),
  {
    element: (n) => ({
      header: { number: String(n) },
      ...(n % 2 ? { text: `Zürich ${n}` } : { binary: Buffer.of(n, 255) }),
    }),
    scattered: { maxelts: 1 },
    staysAfterFailure: true,
  },
);

let top: string;
let path: string;
let queue: DqnQueue;
beforeEach(() => {
  top = temporaryDirectory("dqn", inMemory);
  path = join(top, "queue");
  queue = new DqnQueue({ path });
});
afterEach(() => removeDirectory(top));

const messages = [
  new Message(),
  new Message({
    header: { destination: "/queue/a", é: "☺", "": "", "a\tb\n\\": "=\r\0" },
    body: "text 😀\n",
  }),
  new Message({ header: { a: "b" }, body: Buffer.of(0, 128, 255) }),
  new Message({ body: Buffer.alloc(0) }),
  new Message({ header: JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string> }),
];

/** An element with these files, as a foreign program might have made it. */
function plant(files: Record<string, string | Uint8Array>): string {
  const name = queue.addMessage(new Message());
  for (const field of readdirSync(join(path, name))) rmSync(join(path, name, field));
  for (const [field, content] of Object.entries(files)) writeFileSync(join(path, name, field), content);
  return name;
}

function errorOf(name: string): MessageError {
  queue.lock(name);
  try {
    queue.getMessage(name);
  } catch (error) {
    expect(error).toBeInstanceOf(MessageError);
    return error as MessageError;
  }
  throw new Error("no error");
}

describe("a DQN queue", () => {
  test("is what openMessageQueue gives, with the options of a normal queue", () => {
    const opened = openMessageQueue({ type: "DQN", path, maxelts: 1, nlink: true, durability: "full" });
    expect(opened).toBeInstanceOf(DqnQueue);
    const names = [1, 2].map(() => opened.addMessage(new Message()));
    expect(names.map((name) => name.slice(0, 8))).toEqual(["00000000", "00000001"]);
    expect(opened.count()).toBe(2);
  });

  test.each<[object, string]>([
    [{ schema: { body: "string" } }, "Unknown option `schema`: that of a DQN queue is fixed"],
    [{ compression: "zlib" }, "Unknown option `compression` of a normal queue"],
    [{ maxHeaderCount: 0 }, "Expected `maxHeaderCount` to be an integer from 1"],
    [{ maxelts: 0 }, "Expected `maxelts` to be an integer >= 1, got 0"],
  ])("refuses %j by name", (options, text) => {
    expect(() => openMessageQueue({ type: "DQN", path, ...options })).toThrow(text);
  });

  test("gives back each message in the order of adding, one by one or many at once", async () => {
    const names = messages.map((message) => queue.addMessage(message));
    names.push(...(await queue.addMessages(messages)));
    expect([...queue]).toStrictEqual(names);
    for (const [index, name] of names.entries()) {
      expect(queue.lock(name)).toBe(true);
      expect(queue.getMessage(name)).toStrictEqual(messages[index % messages.length]);
      expect(queue.remove(name)).toBe(true);
    }
    expect(queue.count()).toBe(0);
  });

  test("has on disk the header, and the body by its kind", () => {
    const text = queue.addMessage(new Message({ header: { b: "2", a: "1" }, body: "Zürich" }));
    expect(readdirSync(join(path, text))).toEqual(["header", "text"]);
    expect(readFileSync(join(path, text, "header"), "utf8")).toBe("a\t1\nb\t2\n");
    expect(readFileSync(join(path, text, "text"), "utf8")).toBe("Zürich");
    const binary = queue.addMessage(new Message({ body: Buffer.of(0xff) }));
    expect(readdirSync(join(path, binary))).toEqual(["binary", "header"]);
    expect(readFileSync(join(path, binary, "binary"))).toEqual(Buffer.of(0xff));
  });

  test("has copies with the same options", () => {
    const limited = new DqnQueue({ path, maxHeaderCount: 1 }).copy();
    expect(limited).toBeInstanceOf(DqnQueue);
    const name = limited.addMessage(new Message({ header: { a: "", b: "" } }));
    limited.lock(name);
    expect(() => limited.getMessage(name)).toThrow("Expected at most 1 header fields, got 2");
  });

  test("gives a message only under a lock", () => {
    const name = queue.addMessage(new Message());
    expect(() => queue.getMessage(name)).toThrow(expect.objectContaining({ code: "DIRQ_NOT_LOCKED" }));
  });

  test.each([
    new Message({ body: "\ud800" }),
    new Message({ header: { a: "\ud800" } }),
    new Message({ header: { a: 1 as unknown as string } }),
    Object.assign(new Message(), { body: undefined }),
  ])("adds nothing of a message that cannot be written", (message) => {
    expect(() => queue.addMessage(message)).toThrow(TypeError);
    expect(queue.count()).toBe(0);
    expect(readdirSync(join(path, "temporary"))).toEqual([]);
  });

  test.each<[string, Record<string, string | Uint8Array>, string]>([
    ["no body", { header: "" }, "Expected one of the fields text and binary, got neither"],
    ["two bodies", { header: "", text: "", binary: "" }, "got both"],
    ["no header", { text: "" }, "/header"],
    ["a header that is no table", { header: "a\n", text: "" }, "Expected a key, a tab and a value in line 1"],
    ["text that is no UTF-8", { header: "", text: Buffer.of(0xff) }, "/text to be UTF-8"],
    ["nothing", {}, "/header"],
  ])("names the element that has %s, and leaves it locked where it is", (_, files, text) => {
    const good = queue.addMessage(new Message({ body: "good" }));
    const name = plant(files);
    const error = errorOf(name);
    expect(error.code).toBe("MESSAGE_BAD_FIELDS");
    expect(error.message).toContain(`${path}/${name} is no message: `);
    expect(error.message).toContain(text);
    expect(error.cause).toBeInstanceOf(Error);
    expect(readdirSync(join(path, name))).toEqual([...Object.keys(files), "locked"].sort());
    queue.lock(good);
    expect(queue.getMessage(good).body).toBe("good");
  });

  test("never follows a link", () => {
    const name = plant({ header: "" });
    symlinkSync("/etc/hostname", join(path, name, "text"));
    expect(errorOf(name).message).toContain("/text to be a regular file");
  });

  test("does not call it a bad message when the file cannot be read", () => {
    const name = queue.addMessage(new Message());
    queue.lock(name);
    const openSync = () => {
      throw ioError();
    };
    const failing = new DqnQueue({ path }, { calls: { ...fs, openSync } });
    expect(() => failing.getMessage(name)).toThrow(expect.objectContaining({ code: "EIO" }));
  });
});

test("consuming messages yields them, and moves aside what is none", async () => {
  for (const message of messages) queue.addMessage(message);
  const bad = plant({ header: "" });
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
  ]);
  expect([...queue.quarantined()].map(({ element }) => element)).toEqual([bad]);
  expect(queue.count()).toBe(0);
});
