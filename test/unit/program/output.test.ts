// What becomes of a program whose output nobody takes: a reader that has gone, and a disk that is full.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { runProgram } from "@spoolwire/program";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { call, collector } from "../../helpers/in-process.js";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { root } from "../../helpers/embedded.js";
import { runInShell } from "../../helpers/programs.js";

vi.setConfig({ testTimeout: 60_000 });

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory("output");
  writeFileSync(join(directory, "a.conf"), "incoming-queue = path=from\noutgoing-queue = path=to\n");
  const queue = new DqsQueue({ path: join(directory, "from") });
  for (const body of ["one", "two", "three"]) queue.addMessage(new Message({ body }));
});
afterEach(() => removeDirectory(directory));

const shell = (name: string, words: string, pipe: string) =>
  runInShell(name, words, pipe, { cwd: directory });

const answers = [
  ["stompclt", "--help"],
  ["stompclt", "--version"],
  ["stompclt", "--list"],
  ["stompclt", "--manual"],
  ["stompclt", "--completion bash"],
  ["stompclt", "--config a.conf --print-config"],
  ["stompclt", "--config a.conf --check"],
  ["stompclt", "--config a.conf --dry-run"],
  ["stompclt", "--status --pidfile x"],
  ["stompclt", "--quit --pidfile x"],
  ["dirq", "--help"],
  ["dirq", "purge from"],
  ["mqgen", "--count 3"],
  ["simplevisor", "help"],
] as const;

test.each(answers)("%s %s to a reader that has gone is 141, silently", async (name, args) => {
  expect(await shell(name, args, "| true")).toMatchObject({ status: 141, stdout: "", stderr: "" });
});

describe.runIf(existsSync("/dev/full"))("to a full disk", () => {
  test.each(answers)("%s %s is 74, and one line", async (name, args) => {
    const { status, stderr } = await shell(name, args, ">/dev/full");
    expect({ status, stderr }).toEqual({
      status: 74,
      stderr: expect.stringMatching(/^[\w ]+: ENOSPC: no space left on device, write\n$/) as string,
    });
  });

  test.each(["--config a.conf -s -d 2>/dev/full", "--config a.conf -s --log stdout >/dev/full"])(
    "a log is no reason to stop: %s",
    async (args) => {
      expect(await shell("stompclt", `${args} --remove --pidfile pid`, "")).toMatchObject({
        status: 0,
        stderr: "",
      });
      expect(readdirSync(directory)).not.toContain("pid");
      expect(new DqsQueue({ path: join(directory, "to") }).count()).toBe(3);
    },
  );
});

test("a log whose reader has gone is no reason to stop", async () => {
  const { status, stderr } = await shell("stompclt", "--config a.conf -s -d --log stdout", "| true");
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(new DqsQueue({ path: join(directory, "to") }).count()).toBe(3);
});

test("a dry run ends when its reader has enough", async () => {
  const queue = new DqsQueue({ path: join(directory, "from") });
  // More than a pipe holds.
  for (let count = 0; count < 100; count++)
    queue.addMessage(new Message({ header: { x: "x".repeat(2000) } }));
  const { status, stdout } = await shell("stompclt", "--config a.conf --dry-run", "| head -n 1");
  expect({ status, stdout }).toEqual({ status: 141, stdout: "{} 3 bytes of text\n" });
});

test("a program that runs often in a process listens once to its streams", async () => {
  const [stdout, stderr] = [collector().stream, collector().stream];
  const spec = { name: "prog", version: "1", summary: "Does things.", options: [] } as const;
  for (let runs = 0; runs < 3; runs++) {
    await call((argv, { stdin }) => runProgram(spec, argv, async () => 0, { stdin, stdout, stderr }), []);
  }
  expect([stdout, stderr].map((stream) => stream.listenerCount("error"))).toEqual([1, 1]);
});

test("standard error goes on when its disk, which was full, is not any more", async () => {
  const path = join(directory, "err");
  const script = `
    import { truncateSync } from "node:fs";
    import { runProgram } from "@spoolwire/program";
    const spec = { name: "prog", version: "1", summary: "Does things.", options: [] };
    await runProgram(spec, [], async ({ log }) => {
      for (let count = 0; count < 2; count++) log.info("x".repeat(2000));
      truncateSync("${path}", 0);
      log.info("again");
    });`;
  // Appended to, as a log is: else it would begin with a hole.
  const command = `trap "" XFSZ; ulimit -f 1; '${process.execPath}' --input-type=module -e '${script}' 2>>'${path}'`;
  const { status } = spawnSync("bash", ["-c", command], { cwd: root });
  expect(status).toBe(0);
  expect(readFileSync(path, "utf8")).toBe("prog: again\n");
});

describe("a file that takes only a part of what is written to it", () => {
  // As on a disk that is nearly full: the first write is short, and the next one fails.
  const before = `trap "" XFSZ; ulimit -f 32`;
  const large = "x".repeat(100_000);

  test.each(["", "--body", "--json", "--count 0"])(
    "is an error of dirq pop %s, and the element stays",
    async (more) => {
      const queue = new DqsQueue({ path: join(directory, "large") });
      queue.addMessage(new Message({ body: large }));
      const { status, stderr } = await runInShell("dirq", `pop large ${more}`, ">out", {
        cwd: directory,
        before,
      });
      expect(stderr).toMatch(/^dirq.*: EFBIG: file too large, write\n$/);
      expect(status).toBe(74);
      const [name = ""] = queue;
      expect(queue.lock(name)).toBe(true);
      expect(queue.getMessage(name).body).toBe(large);
    },
  );

  test("is an error of mqgen", async () => {
    const words = "--count 1 --text 1 --body-length 100000";
    const { status, stderr } = await runInShell("mqgen", words, ">out", { cwd: directory, before });
    expect(stderr).toMatch(/^mqgen: EFBIG: file too large, write\n$/);
    expect(status).toBe(74);
  });
});
