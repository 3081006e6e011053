// What --status and --quit do, by a pid file and a process.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describeStatus, quit } from "@spoolwire/program";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { endWithUs, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let directory: string;
let path: string;
beforeEach(() => {
  directory = temporaryDirectory("control");
  path = join(directory, "agent.pid");
});
afterEach(() => {
  vi.unstubAllEnvs();
  removeDirectory(directory);
});

/** A process that runs `code`, and stays until it is killed. */
async function startProcess(code = ""): Promise<{ child: ChildProcess; pid: number }> {
  const script = `${code}; setInterval(() => {}, 1000); console.log("up")`;
  const child = spawn(process.execPath, ["-e", script, path], { stdio: ["ignore", "pipe", "inherit"] });
  endWithUs(child);
  await once(child.stdout, "data");
  return { child, pid: child.pid ?? 0 };
}

/** More than any pid can be. */
const NOBODY = 4194305;

describe("the status", () => {
  const touched = Date.UTC(2025, 10, 3, 11, 39, 5) / 1000;
  const at = (seconds: number, alive: boolean) => ({ now: () => seconds * 1000, isAlive: () => alive });

  test("without a pid file is 3", () => {
    expect(describeStatus(path)).toEqual({
      words: "does not seem to be running (no pid file)",
      status: 3,
    });
  });

  test.each([
    ["42\n", 30, true, "(pid 42) was active on Mon Nov  3 11:39:05 2025", 0],
    ["42\nquit\n", 30, true, "(pid 42) was active on Mon Nov  3 11:39:05 2025", 0],
    ["42\n", 30, false, "(pid 42) does not seem to be running anymore", 1],
    ["42\n", 61, true, "(pid 42) does not seem to be running anymore since Mon Nov  3 11:39:05 2025", 4],
    ["", 30, true, "does not seem to be running yet (empty pid file)", 4],
  ])("of %j after %i s, the process there: %s", (text, age, alive, words, status) => {
    vi.stubEnv("TZ", "UTC");
    writeFileSync(path, text);
    utimesSync(path, touched, touched);
    expect(describeStatus(path, at(touched + age, alive))).toEqual({ words, status });
  });

  test("is by another time if one is given", () => {
    writeFileSync(path, "42\n");
    utimesSync(path, touched, touched);
    expect(describeStatus(path, at(touched + 30, true), 29_500)).toMatchObject({ status: 4 });
    expect(describeStatus(path, at(touched + 300, true), 300_500)).toMatchObject({ status: 0 });
  });
});

describe("quit", { timeout: 30_000 }, () => {
  /** The exit status and what was told. */
  async function told(seconds: number): Promise<[number, string[]]> {
    const lines: string[] = [];
    const status = await quit(path, seconds, (words) => lines.push(words));
    return [status, lines];
  }

  test("without a pid file has nothing to do", async () => {
    expect(await told(1)).toEqual([0, ["does not seem to be running (no pid file)"]]);
  });

  test("removes what a crash has left", async () => {
    writeFileSync(path, `${NOBODY}\n`);
    expect(await told(1)).toEqual([0, [`(pid ${NOBODY}) does not seem to be running anymore`]]);
    expect(existsSync(path)).toBe(false);
  });

  test("waits for an older agent, which leaves its file to us to remove", async () => {
    const { pid } = await startProcess(`
      const { readFileSync, writeFileSync } = require("fs");
      writeFileSync(process.argv[1], process.pid + "\\n");
      setInterval(() => /quit/.test(readFileSync(process.argv[1])) && process.exit(), 50)`);
    expect(await told(20)).toEqual([
      0,
      [`(pid ${pid}) is being told to quit...`, "does not seem to be running anymore"],
    ]);
    expect(existsSync(path)).toBe(false);
  });

  test("ends who does not listen", async () => {
    const { child, pid } = await startProcess();
    writeFileSync(path, `${pid}\n`);
    const ended = once(child, "exit");
    expect(await told(0.1)).toEqual([
      0,
      [
        `(pid ${pid}) is being told to quit...`,
        `(pid ${pid}) is still running, killing it now...`,
        `(pid ${pid}) has been successfully killed`,
      ],
    ]);
    expect(await ended).toEqual([null, "SIGTERM"]);
    expect(existsSync(path)).toBe(false);
  });

  test("leaves a process alone that only has the number of one that is long gone", async () => {
    const { child, pid } = await startProcess();
    writeFileSync(path, `${pid}\n`);
    utimesSync(path, 1, 1);
    const [status, lines] = await told(0.1);
    expect(status).toBe(75);
    expect(lines.at(-1)).toMatch(
      new RegExp(
        `^\\(pid ${pid}\\) does not seem .*, but there is a process with that pid; it is left alone$`,
      ),
    );
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
    expect(readFileSync(path, "utf8")).toBe(`${pid}\nquit\n`);
    // Only its owner makes a file fresh: the next start may take this one over.
    expect(statSync(path).mtimeMs).toBe(1000);
    child.kill("SIGKILL");
  });
});
