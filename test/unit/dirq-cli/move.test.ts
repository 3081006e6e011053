import { existsSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { beforeEach, describe, expect, test } from "vitest";
import { dirq, eachInDirectory } from "./helpers.js";

const directory = eachInDirectory();
let from: DqsQueue;
let to: string;
beforeEach(() => {
  from = new DqsQueue({ path: join(directory(), "from") });
  to = join(directory(), "to");
});

const quiet = { status: 0, stdout: "", stderr: "" };

const contents = (path: string) => {
  const queue = new DqsQueue({ path });
  return [...queue].map((name) => {
    expect(queue.lock(name)).toBe(true);
    const content = queue.get(name).toString("latin1");
    queue.unlock(name);
    return content;
  });
};

describe("dirq mv and cp", () => {
  test("mv moves what is named, bytes as they are", async () => {
    const [name] = [from.add(Buffer.of(0, 255)), from.add("stays")];
    expect(await dirq(["mv", from.path, name, to])).toEqual(quiet);
    expect([contents(from.path), contents(to)]).toEqual([["stays"], ["\0\xff"]]);
  });

  test("cp leaves it where it is, too", async () => {
    const name = from.add("x");
    expect(await dirq(["cp", from.path, name, to])).toEqual(quiet);
    expect([contents(from.path), contents(to)]).toEqual([["x"], ["x"]]);
  });

  test("take the names of other commands", async () => {
    for (let n = 0; n < 300; n++) from.add(`${n}`);
    const { stdout } = await dirq(["ls", from.path]);
    expect(await dirq(["mv", from.path, "-", to], stdout)).toEqual(quiet);
    expect(from.count()).toBe(0);
    expect(contents(to)).toEqual(Array.from({ length: 300 }, (_, n) => `${n}`));
  });

  test("tell what cannot be had, and move the others", async () => {
    const [locked, free] = [from.add("1"), from.add("2")];
    from.lock(locked);
    expect(await dirq(["mv", from.path, locked, free, to])).toEqual({
      ...{ status: 75, stdout: "" },
      stderr: `dirq mv: ${locked} is locked by somebody else\n`,
    });
    expect(contents(to)).toEqual(["2"]);
  });

  test("refuse a queue that is the same, and one that is missing", async () => {
    const name = from.add("x");
    expect(await dirq(["mv", from.path, name, `${from.path}/.`])).toMatchObject({
      status: 64,
      stderr: expect.stringMatching(/^dirq mv: Expected two queues, got one: /) as string,
    });
    expect(await dirq(["mv", from.path])).toMatchObject({ status: 64 });
    expect(contents(from.path)).toEqual(["x"]);
  });

  test("leave everything in place when the other queue cannot take it", async () => {
    const name = from.add("x");
    expect(await dirq(["mv", from.path, name, "/dev/null/queue"])).toMatchObject({ status: 66 });
    expect(contents(from.path)).toEqual(["x"]);
  });
});

describe("dirq convert", () => {
  test("moves all messages, to another compression", async () => {
    const message = new Message({ header: { a: "b" }, body: "x".repeat(1000) });
    for (let n = 0; n < 200; n++) from.addMessage(message);
    expect(await dirq(["convert", from.path, to, "--compression", "zlib"])).toEqual(quiet);
    expect(from.count()).toBe(0);
    const queue = new DqsQueue({ path: to });
    expect(queue.count()).toBe(200);
    const name = queue.first()!;
    queue.lock(name);
    expect(queue.get(name).length).toBeLessThan(500);
    expect(queue.getMessage(name)).toEqual(message);
  });

  test("moves messages to a DQN queue and back", async () => {
    const messages = [new Message({ header: { a: "b" }, body: "é" }), new Message({ body: Buffer.of(255) })];
    for (const message of messages) from.addMessage(message);
    const { path } = from;
    expect(await dirq(["convert", path, to, "--to", "DQN", "--statistics"])).toMatchObject({
      ...{ status: 0, stderr: expect.stringMatching(/^dirq convert: converted 2 messages/) as string },
    });
    expect(existsSync(join(to, "temporary"))).toBe(true);
    const { stdout } = await dirq(["ls", to]);
    expect(await dirq(["mv", to, "-", path], stdout)).toEqual(quiet);
    expect(contents(path)).toEqual(messages.map((message) => message.serialize().toString("latin1")));
    expect(await dirq(["convert", path, to, "--to", "simple"])).toMatchObject({
      status: 64,
      stderr: expect.stringMatching(/to be a simple queue, got a normal one/) as string,
    });
  });

  test("leaves them in the first queue too with --keep", async () => {
    const line = new Message({ body: "x" }).stringify();
    from.add(line);
    from.add(line);
    expect(await dirq(["convert", from.path, to, "--keep"])).toEqual(quiet);
    expect([contents(from.path), contents(to)]).toEqual([
      [line, line],
      [line, line],
    ]);
  });

  test("moves malformed elements aside (65), and leaves what others have locked (75)", async () => {
    for (const content of ["bad", "{}", '{"body":"x"}']) from.add(content);
    expect(await dirq(["convert", from.path, to])).toMatchObject({
      status: 65,
      stderr: expect.stringMatching(/is in the quarantine as .* is no message/) as string,
    });
    expect([from.count(), [...from.quarantined()].length, contents(to).length]).toEqual([0, 1, 2]);
    from.lock(from.add("{}"));
    expect(await dirq(["convert", from.path, to])).toMatchObject({
      status: 75,
      stderr: "dirq convert: 1 messages were locked by others, or came late, and stay\n",
    });
  });
});
