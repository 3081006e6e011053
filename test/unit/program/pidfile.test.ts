import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { isActive, PidFile, readPidFile, tellToQuit, type Surroundings } from "@spoolwire/program";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endWithUs, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { root } from "../../helpers/embedded.js";
import { onPath } from "../../helpers/requirements.js";

let directory: string;
let path: string;
beforeEach(() => {
  directory = temporaryDirectory("pidfile");
  path = join(directory, "agent.pid");
});
afterEach(() => removeDirectory(directory));

const content = () => readFileSync(path, "utf8");
const touchedAt = (seconds: number) => utimesSync(path, seconds, seconds);
const code = (name: string): unknown => expect.objectContaining({ name: "PidFileError", code: name });

/** A world where it is `seconds`, and the processes `alive` are there. */
const world = (seconds: number, ...alive: number[]): Surroundings => ({
  now: () => seconds * 1000,
  isAlive: (pid) => alive.includes(pid),
});

/** A file that a process left behind, touched at `seconds`. */
function leave(text: string, seconds: number): void {
  writeFileSync(path, text);
  touchedAt(seconds);
}

describe("the format is that of the older agents", () => {
  test("a file is made with the pid, and removed at the end", () => {
    const file = PidFile.claim(path, 42);
    expect(content()).toBe("42\n");
    file.release();
    expect(readPidFile(path)).toBeUndefined();
  });

  test("quit is a second line, and the owner sees it", () => {
    const file = PidFile.claim(path, 42);
    expect(file.check()).toBe("");
    expect(tellToQuit(path, 42)).toBe(true);
    expect(content()).toBe("42\nquit\n");
    expect(file.check()).toBe("quit");
    expect(tellToQuit(path, 42)).toBe(true);
    expect(content()).toBe("42\nquit\n");
  });

  test("an older agent empties the file before it writes: an empty one says nothing", () => {
    const file = PidFile.claim(path, 42);
    writeFileSync(path, "");
    expect(file.check()).toBe("");
    writeFileSync(path, "42\nquit\n");
    expect(file.check()).toBe("quit");
  });

  test.each([
    ["42\n", 42, ""],
    ["42", 42, ""],
    ["42\nquit\n", 42, "quit"],
    ["42 quit", 42, "quit"],
    ["", undefined, ""],
  ])("%j is read", (text, pid, action) => {
    writeFileSync(path, text);
    expect(readPidFile(path)).toMatchObject({ pid, action });
  });

  test.each([
    "x\n",
    "-1\n",
    "0\n",
    "00\nquit\n",
    "42\nQUIT\n",
    "42\nquit\nnow\n",
    " 42\n",
    "#!/bin/sh\necho 1\n",
  ])("%j is no pid file, and stays", (text) => {
    writeFileSync(path, text);
    expect(() => readPidFile(path)).toThrow(code("PIDFILE_BAD_CONTENT"));
    expect(() => PidFile.claim(path, 7)).toThrow(code("PIDFILE_BAD_CONTENT"));
    expect(() => tellToQuit(path, 42)).toThrow(code("PIDFILE_BAD_CONTENT"));
    expect(content()).toBe(text);
  });

  test("telling somebody who is not there does nothing", () => {
    expect(tellToQuit(path, 42)).toBe(false);
    writeFileSync(path, "43\n");
    expect(tellToQuit(path, 42)).toBe(false);
    expect(content()).toBe("43\n");
  });
});

describe("who is active", () => {
  test.each([
    ["alive and touched 60 s ago", "42\n", 940, [42], true],
    ["alive, but not touched for longer: another process has the number", "42\n", 939.9, [42], false],
    ["touched just now, but not alive: it was killed", "42\n", 1000, [], false],
    ["told to quit, and killed before it did", "1234567\nquit\n", 1000, [], false],
    ["told to quit and still there", "42\nquit\n", 1000, [42], true],
    ["just made, the pid is not in it yet", "", 1000, [], true],
    ["made long ago and never written", "", 900, [], false],
    ["touched in the future, by a clock that was set back", "42\n", 2000, [42], true],
  ])("%s", (_, text, touched, alive, expected) => {
    leave(text, touched);
    const state = readPidFile(path);
    expect(state && isActive(state, world(1000, ...alive))).toBe(expected);
    const claim = () => PidFile.claim(path, 7, world(1000, ...alive));
    if (expected) expect(claim).toThrow(code("PIDFILE_RUNNING"));
    else claim();
    expect(content()).toBe(expected ? text : "7\n");
  });

  test("our own number in it is that of a forerunner, as in a container that is started again", () => {
    leave("7\n", 1000);
    PidFile.claim(path, 7, world(1000, 7));
    expect(content()).toBe("7\n");
  });
});

describe("the owner", () => {
  test("touches the file at each check", () => {
    let now = 1000;
    const file = PidFile.claim(path, 42, { now: () => now * 1000, isAlive: () => true });
    now = 1234.5;
    file.check();
    expect(statSync(path).mtimeMs).toBe(1234_500);
  });

  test("makes a file that has vanished again", () => {
    const file = PidFile.claim(path, 42);
    rmSync(path);
    expect(file.check()).toBe("");
    expect(content()).toBe("42\n");
  });

  test("that was taken for dead says so, and leaves the file to its new owner", () => {
    const file = PidFile.claim(path, 42);
    touchedAt(900);
    PidFile.claim(path, 43, world(1000, 42, 43));
    expect(() => file.check()).toThrow(code("PIDFILE_TAKEN"));
    file.release();
    expect(content()).toBe("43\n");
  });
});

describe("of several that start, one succeeds", () => {
  test("a rival that takes the same stale file over in the middle of ours wins", () => {
    leave("42\n", 1000);
    let isFirst = true;
    const rival = world(1000, 43);
    const ours: Surroundings = {
      now: rival.now,
      isAlive: (pid) => {
        // Asked about 42, which is dead: before we act on that, the rival has done all of its own.
        if (isFirst) PidFile.claim(path, 43, rival);
        touchedAt(1000);
        isFirst = false;
        return pid === 43;
      },
    };
    expect(() => PidFile.claim(path, 44, ours)).toThrow(code("PIDFILE_RUNNING"));
    expect(content()).toBe("43\n");
  });

  test("a file that is removed and made anew in the middle is not taken for the stale one", () => {
    leave("42\n", 1000);
    let isFirst = true;
    const ours: Surroundings = {
      now: () => 1000_000,
      isAlive: (pid) => {
        if (isFirst) {
          rmSync(path);
          leave("43\n", 1000);
        }
        isFirst = false;
        return pid === 43;
      },
    };
    expect(() => PidFile.claim(path, 44, ours)).toThrow(code("PIDFILE_RUNNING"));
    expect(content()).toBe("43\n");
  });

  test.runIf(onPath("flock"))("a stale file is locked from the second look on", () => {
    leave("42\n", 1000);
    const statuses: (number | null)[] = [];
    const isAlive = () => {
      statuses.push(spawnSync("flock", ["--nonblock", path, "true"]).status);
      return false;
    };
    PidFile.claim(path, 44, { now: () => 1000_000, isAlive });
    expect(statuses).toEqual([0, 1]);
    expect(spawnSync("flock", ["--nonblock", path, "true"]).status).toBe(0);
  });

  test.each([
    ["without a file", undefined],
    ["a file that a crash has left", "4194305\n"], // more than any pid can be
  ])("four processes, %s", { timeout: 60_000 }, async (_, left) => {
    if (left !== undefined) writeFileSync(path, left);
    const rivals = Array.from({ length: 4 }, () => {
      const script = join(root, "test/fixtures/pidfile-claim.mjs");
      const child = spawn(process.execPath, [script, path], { stdio: ["pipe", "pipe", "inherit"] });
      endWithUs(child);
      return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
    });
    for (const { lines } of rivals) expect((await lines.next()).value).toBe("ready");
    for (const { child } of rivals) child.stdin.write("go\n");
    const answers: unknown[] = [];
    for (const { lines } of rivals) answers.push((await lines.next()).value);
    const refused = Array.from({ length: 3 }, () => "PIDFILE_RUNNING");
    expect(answers.slice().sort()).toEqual([...refused, "claimed"]);
    const winner = rivals[answers.indexOf("claimed")]?.child.pid;
    expect(content()).toBe(`${winner}\n`);
    const ends = rivals.map(({ child }) => once(child, "exit"));
    for (const { child } of rivals) child.stdin.end();
    await Promise.all(ends);
  });
});
