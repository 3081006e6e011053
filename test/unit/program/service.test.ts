// The options of a program that runs for long, within this process; with real ones: ../stompclt/daemon.test.ts.
import { existsSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { exactlyOne, runProgram, runService, serviceOptions, serviceRelations } from "@spoolwire/program";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { takes } from "../../helpers/in-process.js";

let directory: string;
let stdout = "";
let stderr = "";
beforeEach(() => {
  directory = temporaryDirectory("service");
  stdout = stderr = "";
  vi.spyOn(process.stdout, "write").mockImplementation(takes((text) => (stdout += text)));
  vi.spyOn(process.stderr, "write").mockImplementation(takes((text) => (stderr += text)));
});
afterEach(() => {
  vi.restoreAllMocks();
  removeDirectory(directory);
});

const spec = {
  name: "prog",
  version: "1.2.3",
  summary: "Does things.",
  options: [{ name: "input", type: "string", help: "what its work needs" }, ...serviceOptions],
  relations: [exactlyOne("input"), ...serviceRelations],
} as const;
const at = (name: string) => join(directory, name);

type Work = Parameters<typeof runService>[2];

/** The exit status of the program; without `work` it must not come to that. */
const run = (argv: readonly string[], work?: (...given: Parameters<Work>) => number) =>
  runProgram(spec, argv, async (invocation) => {
    return await runService(invocation, 1, async (service) => {
      if (!work) throw new Error("Expected no work to be done");
      return work(service);
    });
  });

describe("refused", () => {
  test.each([
    [["--status"], "--status needs --pidfile"],
    [["--quit"], "--quit needs --pidfile"],
    [["--quit", "--status", "--pidfile", "p"], "--status does not go with --quit"],
    [["--input", "x", "--json"], "--json needs --status"],
    [["--pidfile", "p"], "Expected one of --input, got none"],
    [["--log", "tty"], 'Expected --log to be one of stdout, stderr, syslog, file, null, got "tty"'],
    [["--log", "file"], "Expected --log file with --logfile FILE"],
    [["--log", "null", "--logsize", "9"], "Expected --logsize with --logfile FILE"],
    [["--loglevel", "loud"], 'Expected --loglevel to be one of error, warning, info, debug, got "loud"'],
  ])("%j", async (argv, why) => {
    const input = argv.some((word) => word.startsWith("--log")) ? ["--input", "x"] : [];
    expect(await run([...argv, ...input])).toBe(64);
    expect(stderr).toBe(`prog: ${why} (see prog --help)\n`);
  });
});

test("another --log takes the place of --logfile, which a configuration may have", async () => {
  const file = ["--logfile", at("log"), "--logsize", "9"];
  const status = await run(["--input", "x", ...file, "--log", "stderr"], () => {
    throw new Error("broken");
  });
  expect(status).toBe(70);
  expect(stderr).toBe("prog: broken\n");
  expect(existsSync(at("log"))).toBe(false);
});

test("status and quit need nothing of what the work needs", async () => {
  const pidFile = ["--pidfile", at("p")];
  expect(await run(["--status", ...pidFile])).toBe(3);
  expect(await run(["--quit", ...pidFile])).toBe(0);
  expect(stdout).toBe("prog does not seem to be running (no pid file)\n".repeat(2));
});

test.each([
  [[], 30, 0],
  [[], 90, 4],
  [["--timeout-status", "120"], 90, 0],
  [["--timeout-status", "0.5"], 1, 4],
])("status %j of a pid file that was touched %i s ago is %i", async (more, age, expected) => {
  writeFileSync(at("p"), `${process.pid}\n`);
  const touched = Date.now() / 1000 - age;
  utimesSync(at("p"), touched, touched);
  expect(await run(["--status", "--pidfile", at("p"), ...more])).toBe(expected);
});

describe("a configuration file that is broken at the moment", () => {
  const ask = (...argv: string[]) =>
    runProgram({ ...spec, configuration: { root: "prog" } }, argv, async (invocation) => {
      return await runService(invocation, 1, () => Promise.reject(new Error("Expected no work to be done")));
    });
  const told = () => stderr.replaceAll(`${directory}/`, "").split("\n").slice(0, -1);

  test.each([
    ["<input\n", "prog: warning: x.conf:1: Expected <NAME>, <NAME NAME> or </NAME> alone on a line"],
    ["inptu = x\n", "prog: warning: x.conf:1: Unknown option inptu (did you mean input?)"],
    ["loglevel = loud\n", expect.stringMatching(/^prog: warning: x.conf:1: Expected loglevel to be one of /)],
  ])("is no reason not to be stopped: %j", async (text, warning) => {
    writeFileSync(at("x.conf"), text);
    for (const [question, status] of [
      ["--quit", 0],
      ["--status", 3],
    ] as const) {
      stderr = "";
      expect(await ask("--config", at("x.conf"), "--pidfile", at("p"), question)).toBe(status);
      expect(told()).toEqual([warning]);
    }
    // The work, and a check, want all of it to be right.
    expect(await ask("--config", at("x.conf"), "--pidfile", at("p"))).toBe(64);
    expect(await ask("--config", at("x.conf"), "--pidfile", at("p"), "--status", "--check")).toBe(64);
  });

  test("serves as far as it is right", async () => {
    writeFileSync(at("x.conf"), `inptu = x\npidfile = ${at("p")}\n`);
    writeFileSync(at("p"), `${process.pid}\n`);
    expect(await ask("--config", at("x.conf"), "--status")).toBe(0);
    expect(stdout).toContain(`prog (pid ${process.pid}) was active on`);
  });

  test("that is not there is told of, and does not matter if the pid file is known", async () => {
    expect(await ask("--config", at("none.conf"), "--pidfile", at("p"), "--status")).toBe(3);
    expect(told()).toEqual(["prog: warning: ENOENT: no such file or directory, open 'none.conf'"]);
  });

  test("does not say which pid file: that is an error, as is a mistake on the command line", async () => {
    writeFileSync(at("x.conf"), "pidfile =\n");
    expect(await ask("--config", at("x.conf"), "--quit")).toBe(64);
    expect(told()).toEqual([
      "prog: warning: x.conf:1: Expected pidfile to have a value, got none",
      "prog: --quit needs --pidfile (see prog --help)",
    ]);
    expect(await ask("--config", at("x.conf"), "--quit", "--pidfile", at("p"), "--loglevel", "loud")).toBe(
      64,
    );
  });
});

test("a directory that is taken for a file is named", async () => {
  expect(await run(["--status", "--pidfile", directory])).toBe(66);
  expect(stderr).toBe(`prog: EISDIR: illegal operation on a directory, read '${directory}'\n`);
  stderr = "";
  const configured = { ...spec, configuration: { root: "prog" } };
  expect(await runProgram(configured, ["--config", directory, "--check"], async () => 0)).toBe(66);
  expect(stderr).toBe(`prog: EISDIR: illegal operation on a directory, read '${directory}'\n`);
});

test("the pid file is there during the work, and gone after it, whatever its end", async () => {
  const argv = ["--input", "x", "--pidfile", at("p")];
  for (const [end, status] of [
    [() => 7, 7],
    [() => expect.fail("broken"), 70],
  ] as const) {
    let during = "";
    const ended = await run(argv, () => {
      during = readFileSync(at("p"), "utf8");
      return end();
    });
    expect([ended, during, existsSync(at("p"))]).toEqual([status, `${process.pid}\n`, false]);
  }
});

test("a pid file that is none is status 65, and stays", async () => {
  writeFileSync(at("p"), "important\n");
  expect(await run(["--input", "x", "--pidfile", at("p")])).toBe(65);
  expect(stderr).toBe(`prog: Expected ${at("p")} to be a pid file, got "important\\n"\n`);
  expect(readFileSync(at("p"), "utf8")).toBe("important\n");
});

test("what ends the program is the last line of its log", async () => {
  const status = await run(["--input", "x", "--logfile", at("log"), "--loglevel", "error"], () => {
    throw new Error("broken");
  });
  expect(status).toBe(70);
  expect(stderr).toBe("");
  expect(readFileSync(at("log"), "utf8")).toMatch(/^\S+ prog\[\d+\]: broken\n$/);
});
