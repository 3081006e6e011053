import { spawn } from "node:child_process";
import fs, { existsSync, readFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { program } from "../../helpers/embedded.js";
import { dirq, eachInDirectory } from "./helpers.js";

const directory = eachInDirectory();
let queue: DqsQueue;
let log: string;
beforeEach(() => {
  queue = new DqsQueue({ path: join(directory(), "queue") });
  log = join(directory(), "log");
});

const lines = () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : []);
const freeNames = () => [...queue].filter((name) => queue.lock(name));

describe("dirq pop --exec", () => {
  test("hands over the element, its name and the arguments, without a shell", async () => {
    const name = queue.add("hello");
    const script = 'require("fs").writeFileSync(process.argv[1], process.argv[2] + process.env.DIRQ_NAME)';
    const args = ["--", "-e", script, log, "$HOME;"];
    expect(await dirq(["pop", queue.path, "--exec", process.execPath, ...args])).toMatchObject({ status: 0 });
    expect(readFileSync(log, "utf8")).toBe(`$HOME;${name}`);
    expect(queue.count()).toBe(0);
  });

  test("runs a line of the shell with --shell, whose arguments are $1 and on", async () => {
    queue.addMessage(new Message({ body: "one" }));
    queue.addMessage(new Message({ body: "two" }));
    const line = 'cat >> "$1"; echo >> "$1"';
    const args = ["--exec", line, "--shell", "--body", "-c", "0"];
    expect(await dirq(["pop", queue.path, ...args, log])).toMatchObject({ status: 0, stderr: "" });
    expect(lines()).toEqual(["one", "two"]);
  });

  test("keeps an element whose command fails, unlocked, tells why, and goes on", async () => {
    const bad = queue.add("bad");
    queue.add("good");
    const { status, stderr } = await dirq([
      ...["pop", queue.path, "-c", "0", "--shell"],
      ...["--exec", "read -r word; test $word != bad || exit 3"],
    ]);
    expect(stderr).toBe(
      `dirq pop: ${bad} stays: read -r word; test $word != bad || exit 3 ended with status 3\n`,
    );
    expect(status).toBe(75);
    expect(freeNames()).toEqual([bad]);
  });

  test("tries again what failed, as long as it waits for elements", async () => {
    queue.add("x");
    const line = 'if test -e "$1"; then exit 0; else echo > "$1"; exit 1; fi';
    const { status } = await dirq(["pop", queue.path, "--wait", "60", "--shell", "--exec", line, log]);
    expect([status, queue.count()]).toEqual([0, 0]);
  });

  test("moves aside what failed with --quarantine", async () => {
    const name = queue.add("x");
    const { status } = await dirq(["pop", queue.path, "--quarantine", "--exec", "false"]);
    expect([status, queue.count()]).toEqual([65, 0]);
    expect([...queue.quarantined()]).toMatchObject([{ element: name, reason: "false ended with status 1" }]);
  });

  test("runs several at once with --jobs", async () => {
    for (let n = 0; n < 3; n++) queue.add(`${n}`);
    // Each ends only when all three are under way.
    const line = 'echo >> "$1"; until test $(wc -l < "$1") = 3; do sleep 0.05; done';
    const args = ["--jobs", "3", "-c", "3", "--shell", "--exec", line, log];
    expect(await dirq(["pop", queue.path, ...args])).toMatchObject({ status: 0 });
    expect(queue.count()).toBe(0);
  });

  test("says that a command cannot be run, and keeps the element", async () => {
    const name = queue.add("x");
    const { status, stderr } = await dirq(["pop", queue.path, "--exec", "no such command"]);
    expect(stderr).toBe(
      "dirq pop: Expected --exec to be a program that can be run, or a line for the shell with --shell, " +
        'got "no such command" (ENOENT) (see dirq pop --help)\n',
    );
    expect(status).toBe(64);
    expect(freeNames()).toEqual([name]);
  });

  test("does each element at least once under kill -9 at random", { timeout: 60_000 }, async () => {
    const all = Array.from({ length: 100 }, (_, n) => `${n}`);
    for (const element of all) queue.add(element);
    // One write a line, so that a kill cannot leave half of one.
    const line = 'echo "$(cat)" >> "$1"';
    const args = ["pop", queue.path, "-c", "0", "--shell", "--exec", line, log];
    for (let kills = 0; kills < 8; kills++) {
      const before = lines().length;
      const pop = spawn(process.execPath, [program("dirq"), ...args], { stdio: "ignore", detached: true });
      const ended = once(pop, "exit");
      while (pop.exitCode === null && lines().length <= before) await sleep(1);
      await sleep(Math.random() * 20);
      // The group: no command goes on behind our back.
      if (pop.exitCode === null) process.kill(-pop.pid!, "SIGKILL");
      await ended;
      for (const name of queue) queue.unlock(name, true);
    }
    await dirq(args);
    expect(queue.count()).toBe(0);
    expect([...new Set(lines())].sort()).toEqual(all.sort());
  });
});

describe("dirq pop --body", () => {
  afterEach(() => vi.restoreAllMocks());

  test.each([
    ["ENOSPC", 74],
    ["EACCES", 77],
  ])("ends with what an element could not be moved aside by (%s: %d)", async (code, expected) => {
    const bad = queue.add("no message");
    vi.spyOn(fs, "renameSync").mockImplementation(() => {
      throw Object.assign(new Error(`${code}: rename`), { code });
    });
    const { status, stderr } = await dirq(["pop", queue.path, "--body"]);
    expect([status, stderr]).toEqual([expected, `dirq pop: ${bad} stays: ${code}: rename\n`]);
    vi.restoreAllMocks();
    expect(freeNames()).toEqual([bad]);
  });
});
