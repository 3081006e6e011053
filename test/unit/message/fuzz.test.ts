// The fuzz, shortly: `npm run fuzz` is the long run.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runFuzz, type Fuzz } from "../../fuzz/fuzz.js";
import { message } from "../../fuzz/message.js";
import { names } from "../../fuzz/names.js";
import { readAsReference } from "../../fuzz/reference.js";
import { root } from "../../helpers/embedded.js";

test("5000 damaged messages are read as the reference has it, or refused", { timeout: 60_000 }, async () => {
  const { outcomes } = await runFuzz(message, { seed: 1, rounds: 5000 });
  expect(Object.keys(outcomes)).toEqual(["MESSAGE_BAD_ENCODING", "MESSAGE_BAD_JSON", "message"]);
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(200);
});

test(
  "5000 damaged element names are refused before they reach the file system",
  { timeout: 60_000 },
  async () => {
    const { outcomes } = await runFuzz(names, { seed: 1, rounds: 5000 });
    expect(outcomes.DIRQ_BAD_NAME).toBeGreaterThan(4000);
    expect(outcomes.name).toBeGreaterThan(10);
  },
);

describe("the oracle", () => {
  test.each<[string, object | string]>([
    ['{"text":true,"body":"é"}', { header: {}, body: "é" }],
    ['{"body":"é","header":{"a":1.50}}', { header: { a: 1.5 }, body: Buffer.of(0xe9) }],
    ['{"encoding":"base64+utf8","text":true,"body":"Y2Fmw6k="}', { header: {}, body: "café" }],
    ['{"encoding":"base64+lz4","body":"AwAAADBhYmM="}', { header: {}, body: Buffer.from("abc") }],
    ['{"encoding":"base64+snappy","body":"AwhhYmM="}', { header: {}, body: Buffer.from("abc") }],
    ['{"encoding":"base64+zlib","body":"eJxLTEoGAAJNASc="}', { header: {}, body: Buffer.from("abc") }],
    ['{"encoding":"base64+zlib","body":"eJxLTEoGAAJNAScn"}', "a body that does not decode"],
    ['{"encoding":"base64+lz4","body":"BAAAADBhYmM="}', "a body that does not decode"],
    ['{"encoding":"base64","body":"QQ"}', "a body that does not decode"],
    ['{"body":"☺"}', "a body that does not decode"],
    ['{"x":1}', "unknown keys"],
    ["\ufeff{}", "a byte order mark"],
  ])("knows what %s is", (json, expected) => {
    expect(readAsReference(Buffer.from(json))).toEqual(expected);
  });
});

describe("a run", () => {
  const fuzz: Fuzz = {
    name: "sevens",
    summary: "",
    attempt: (random) => {
      const drawn = random(10);
      if (drawn === 7) throw new TypeError("a seven");
      return drawn < 5 ? "low" : "high";
    },
  };

  test("ends at the first round that fails, and says how to repeat it alone", async () => {
    let last = 0;
    let message = "";
    try {
      await runFuzz(fuzz, { seed: 100, rounds: 1000, begin: (round) => (last = round) });
    } catch (error) {
      expect((error as Error).cause).toBeInstanceOf(TypeError);
      ({ message } = error as Error);
    }
    expect(message).toBe(`npm run fuzz -- sevens --seed ${100 + last} --rounds 1: TypeError: a seven`);
    await expect(runFuzz(fuzz, { seed: 100 + last, rounds: 1 })).rejects.toThrow(message);
    expect((await runFuzz(fuzz, { seed: 100, rounds: last })).rounds).toBe(last);
  });

  const run = (...args: string[]): Promise<[number, string, string]> =>
    new Promise((resolve) => {
      const main = join(root, "build/test/fuzz/main.js");
      const child = execFile(process.execPath, [main, ...args], (_, stdout, stderr) =>
        resolve([child.exitCode ?? -1, stdout, stderr]),
      );
    });

  test("ends with a line of counts for each kind, or an object", async () => {
    const [status, stdout, stderr] = await run("--seed", "5", "--rounds", "100", "--json");
    expect([status, stderr]).toEqual([0, ""]);
    const reports = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(reports).toMatchObject([
      { fuzz: "message", seed: 5, rounds: 100 },
      { fuzz: "names", seed: 5, rounds: 100 },
      { fuzz: "config", seed: 5, rounds: 100 },
      { fuzz: "stomp", seed: 5, rounds: 100 },
      { fuzz: "amqp", seed: 5, rounds: 100 },
    ]);
    const [, text] = await run("names", "--rounds", "100");
    expect(text).toMatch(/^names: seed 1, 100 rounds, \d+ DIRQ_BAD_NAME.*, slowest \d+ ms, [\d.]+ s\n$/);
  });

  test("of an unknown kind is the caller's mistake", async () => {
    expect(await run("nomes")).toEqual([
      64,
      "",
      'fuzz: Expected one of message, names, config, stomp, amqp, got "nomes" (see fuzz --help)\n',
    ]);
  });
});
