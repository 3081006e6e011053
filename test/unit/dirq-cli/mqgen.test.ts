import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Message, openMessageQueue } from "@spoolwire/message";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { program } from "../../helpers/embedded.js";
import { run } from "../../helpers/programs.js";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spoolwire-mqgen-"));
  path = join(directory, "queue");
});
afterEach(() => rmSync(directory, { recursive: true }));

const inQueue = (type: "DQS" | "DQN" = "DQS") => {
  const queue = openMessageQueue({ path, type });
  return [...queue].map((name) => {
    queue.lock(name);
    return queue.getMessage(name);
  });
};

const lines = (output: string) =>
  output
    .split("\n")
    .slice(0, -1)
    .map((line) => Message.deserialize(Buffer.from(line, "latin1")));

describe("mqgen", () => {
  test("makes one empty message unless it is told more", async () => {
    expect(await run("mqgen", [])).toMatchObject({ status: 0, stdout: "{}\n", stderr: "" });
  });

  test("puts messages into a queue, and lines of JSON on standard output: the same for the same seed", async () => {
    const options = ["--count", "250", "-r", "2", "--seed", "42"];
    expect(await run("mqgen", [...options, path])).toMatchObject({ status: 0, stdout: "", stderr: "" });
    const { stdout } = await run("mqgen", options);
    const messages = lines(stdout);
    expect(messages.length).toBe(250);
    expect(inQueue()).toStrictEqual(messages);
    for (const { header, body } of messages) {
      expect(body.length).toBeLessThanOrEqual(1024);
      for (const name of Object.keys(header)) expect(name).toMatch(/^rnd-[0-9a-f]{10,20}$/);
    }
  });

  test("lets each option go before what --randomness stands for", async () => {
    const { stdout } = await run("mqgen", [
      "-c",
      "20",
      "-r",
      "1",
      "--text",
      "1",
      "--body-length",
      "5-9",
      "--body-entropy",
      "4",
      "--header-count",
      "1",
      "--header-name-prefix",
      "name",
      "--header-value-prefix",
      "value",
    ]);
    for (const { header, body } of lines(stdout)) {
      expect({ ...header }).toEqual({ name: "value" });
      expect([...(body as string)].length).toBeGreaterThanOrEqual(5);
      expect([...(body as string)].length).toBeLessThanOrEqual(9);
    }
  });

  test("makes the same messages in a queue of another type", async () => {
    const options = ["--count", "20", "-r", "2", "--seed", "42"];
    expect(await run("mqgen", [...options, "--type", "DQN", path])).toMatchObject({ status: 0, stderr: "" });
    expect(inQueue("DQN")).toStrictEqual(lines((await run("mqgen", options)).stdout));
  });

  test("compresses", async () => {
    const options = ["--compression", "lz4", "--body-length", "1000"];
    const { stdout } = await run("mqgen", options);
    expect(stdout).toContain('"encoding":"base64+lz4"');
    await run("mqgen", [...options, path]);
    expect(inQueue()[0]?.body).toMatchObject({ length: 1000 });
  });

  test("makes none with --count 0", async () => {
    expect(await run("mqgen", ["--count", "0", path])).toMatchObject({ status: 0 });
    expect(readdirSync(path)).toEqual([]);
  });

  test.each<[string[], string]>([
    [["--body-length", "x"], 'Expected --body-length to be N, N-M or N^M, with N <= M <= 536870888, got "x"'],
    [
      ["--header-name-entropy", "7"],
      'Expected --header-name-entropy to be N, N-M or N^M, with N <= M <= 4, got "7"',
    ],
    [
      ["--compression", "bzip2"],
      'Expected --compression to be one of lz4, snappy, zlib, with ! where it is forced, got "bzip2"',
    ],
    [["--type", "DQX", "QUEUE"], 'Expected --type to be one of DQS, DQN, NULL, ZERO, got "DQX"'],
    [["--type", "ZERO", "QUEUE"], "Expected a --type that can be written to, got ZERO"],
    [
      ["--type", "DQN", "--compression", "zlib", "QUEUE"],
      "Unknown option --compression of a normal queue, expected one of path, create, durability, maxlock, maxtemp, rndhex, umask, maxelts, nlink, schema",
    ],
    [["-r", "3"], 'Expected --randomness to be an integer from 0 to 2, got "3"'],
    [["QUEUE", "more"], 'Unexpected argument "more"'],
  ])("refuses %j before it makes anything", async (args, message) => {
    const words = args.map((word) => (word === "QUEUE" ? path : word));
    const done = await run("mqgen", words);
    expect(done).toMatchObject({ status: 64, stdout: "", stderr: `mqgen: ${message} (see mqgen --help)\n` });
    expect(existsSync(path)).toBe(false);
  });

  test("ends without a word when its reader has enough", () => {
    const script = '"$0" -c 1000000 -r 2 | head -n 1 | wc -l; echo "${PIPESTATUS[0]}"';
    const done = spawnSync("bash", ["-c", script, program("mqgen")], { encoding: "utf8" });
    expect([done.stdout.trim(), done.stderr]).toEqual(["1\n141", ""]);
  });
});
