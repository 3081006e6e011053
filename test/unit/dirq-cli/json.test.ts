import { join } from "node:path";
import { NormalQueue } from "@spoolwire/dirq";
import { DqsQueue, Message, MessageGenerator } from "@spoolwire/message";
import { beforeEach, describe, expect, test } from "vitest";
import { dirq, eachInDirectory } from "./helpers.js";

const directory = eachInDirectory();
let path: string;
beforeEach(() => (path = join(directory(), "queue")));

const quiet = { status: 0, stdout: "", stderr: "" };

describe("messages as lines of JSON", () => {
  test("come out of a DQN queue as they went in", async () => {
    const lines = [
      new Message({ header: { a: "b" }, body: "é" }),
      new Message({ body: Buffer.of(0, 255) }),
      new Message(),
    ].map((message) => `${message.stringify()}\n`);
    expect(await dirq(["add", path, "--type", "DQN", "--json"], lines.join(""))).toEqual(quiet);
    expect(await dirq(["cat", path, "--json"])).toEqual({ ...quiet, stdout: lines.join("") });
    // Without an option too: there is no other form that has the header.
    expect(await dirq(["pop", path])).toEqual({ ...quiet, stdout: lines[0] });
    expect(await dirq(["add", path, "--header", "a=b"], "text")).toEqual(quiet);
    expect(await dirq(["add", path, "--lines"], "1\n2\n")).toEqual(quiet);
    expect((await dirq(["pop", path, "--body", "-c", "0"])).stdout).toMatch(/text1\n2\n$/);
  });

  test("have no compression in a DQN queue", async () => {
    const { status, stderr } = await dirq(["add", path, "--type", "DQN", "--compression", "zlib"], "x");
    expect(stderr).toMatch(/^dirq add: Unknown option --compression of a normal queue/);
    expect(status).toBe(64);
  });

  test("come out as they went in, whatever is in them", async () => {
    const generator = new MessageGenerator({
      ...{ seed: 7, text: "0-1", bodyLength: "0-500", bodyEntropy: "0-4" },
      ...{ headerCount: "0-4", headerValueLength: "0-20", headerValueEntropy: "0-4" },
    });
    const input = Array.from({ length: 50 }, () => `${generator.message().stringify()}\n`).join("");
    expect(await dirq(["add", path, "--json"], input)).toEqual(quiet);
    expect(await dirq(["cat", path, "--json"])).toEqual({ ...quiet, stdout: input });
    expect(await dirq(["pop", path, "--json", "-c", "50"])).toEqual({ ...quiet, stdout: input });
  });

  test("are compressed in the queue with --compression, and plain outside", async () => {
    const line = `${new Message({ body: "x".repeat(1000) }).stringify()}\n`;
    await dirq(["add", path, "--json", "--compression", "zlib"], line);
    const queue = new DqsQueue({ path });
    const name = queue.first()!;
    queue.lock(name);
    expect(queue.get(name).toString()).toContain('"encoding":"base64+zlib"');
    queue.unlock(name);
    expect(await dirq(["pop", path, "--json"])).toEqual({ ...quiet, stdout: line });
  });

  test("that are none end the run: the line is named, what came before is in the queue", async () => {
    const { status, stderr } = await dirq(["add", path, "--json"], '{"body":"1"}\n\n{"boody":"2"}\n{}\n');
    expect(stderr).toBe(
      "dirq add: warning: 1 elements were added before the error\n" +
        'dirq add: line 3: Unknown key "boody", expected header, body, text or encoding\n',
    );
    expect([status, new DqsQueue({ path }).count()]).toEqual([65, 1]);
  });
});

describe("dirq add", () => {
  test("writes the names of the elements with --names", async () => {
    const { stdout } = await dirq(["add", path, "--lines", "--names"], "1\n2\n");
    expect(stdout).toBe([...new DqsQueue({ path })].map((name) => `${name}\n`).join(""));
  });

  test("takes every durability, and refuses what is none", async () => {
    for (const durability of ["none", "file", "full"]) {
      expect(await dirq(["add", path, "--durability", durability], "x")).toEqual(quiet);
    }
    expect(new DqsQueue({ path }).count()).toBe(3);
    expect(await dirq(["add", path, "--durability", "ful"], "x")).toEqual({
      ...{ status: 64, stdout: "" },
      stderr:
        'dirq add: Expected --durability to be one of none, file, full, got "ful" (see dirq add --help)\n',
    });
  });

  test.each([
    [["--compression", "zip"], /^dirq add: Expected --compression to be .* \(see dirq add --help\)\n$/],
    [["--json", "--lines"], /^dirq add: --json does not go with --lines \(see dirq add --help\)\n$/],
    [["--type", "DQS", "--schema", "a=string"], /^dirq add: --schema does not go with --type DQS/],
  ])("refuses %j in one line", async (options, words) => {
    const { status, stderr } = await dirq(["add", path, ...options], "{}");
    expect(stderr).toMatch(words);
    expect(status).toBe(64);
  });
});

describe("a normal queue with a schema", () => {
  const schema = ["--schema", "text=string", "table=table?", "bytes=binary?"];
  const element = '{"text":"é","table":{"k":"v\\t"},"bytes":"AP8="}\n';

  test("goes in and out as JSON", async () => {
    expect(await dirq(["add", path, "--json", ...schema], element)).toEqual(quiet);
    const queue = new NormalQueue({ path, schema: { text: "string", bytes: "binary?" } });
    const name = queue.first()!;
    queue.lock(name);
    expect(queue.get(name)).toEqual({ text: "é", bytes: Buffer.of(0, 255) });
    queue.unlock(name);
    const out = await dirq(["pop", path, ...schema]);
    expect(JSON.parse(out.stdout)).toEqual(JSON.parse(element));
    expect(queue.count()).toBe(0);
  });

  test.each([
    ['{"table":{}}', "Expected an element with the field `text`"],
    ["[]", "line 1: Expected a JSON object of fields"],
    ['{"text":1}', "Expected the field `text` to be a string without lone surrogates"],
  ])("refuses %s", async (line, words) => {
    const { status, stderr } = await dirq(["add", path, "--json", ...schema], `${line}\n`);
    expect(stderr).toBe(`dirq add: ${words}\n`);
    expect(status).toBe(65);
  });

  test("is not taken for another type", async () => {
    await dirq(["add", path, "--json", ...schema], element);
    const { status, stderr } = await dirq(["add", path, "--type", "simple"], "x");
    expect([status, stderr]).toEqual([
      64,
      `dirq add: Expected ${path} to be a simple queue, got a normal one (see dirq add --help)\n`,
    ]);
  });
});
