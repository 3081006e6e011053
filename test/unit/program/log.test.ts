import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { join } from "node:path";
import { ConfigError, createLogger, FileTarget, ProgramLog, SyslogTarget } from "@spoolwire/program";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { startDatagrams } from "../../helpers/datagrams.js";
import { root } from "../../helpers/embedded.js";
import { requires } from "../../helpers/requirements.js";

let directory: string;
let path: string;
beforeEach(() => {
  directory = temporaryDirectory("log");
  path = join(directory, "prog.log");
});
afterEach(() => removeDirectory(directory));

describe("a logger", () => {
  test("makes one line of each text, and says which is a warning", () => {
    const lines: string[] = [];
    const log = createLogger("prog", 1, (line) => lines.push(line));
    log.error("first\n  second");
    log.warn("careful");
    log.info("done");
    log.debug("for operators");
    log.debug("for developers", 2);
    expect(lines).toEqual([
      "prog: first second\n",
      "prog: warning: careful\n",
      "prog: done\n",
      "prog: # for operators\n",
    ]);
  });

  test("escapes what a terminal would obey, but for tabs", () => {
    const lines: string[] = [];
    createLogger("prog", 0, (line) => lines.push(line)).error("a\tb\r\nc\x1b[2J\x7f\x9bd\0");
    expect(lines).toEqual(["prog: a\tb c\\x1b[2J\\x7f\\x9bd\\x00\n"]);
  });

  test("takes a time that grows with the length of a text, whatever it is", () => {
    const lines: string[] = [];
    const spaces = " ".repeat(200_000);
    const began = performance.now();
    createLogger("prog", 0, (line) => lines.push(line)).error(`a${spaces}b`);
    expect(performance.now() - began).toBeLessThan(2000);
    expect(lines).toEqual([`prog: a${spaces}b\n`]);
  });

  test.each([
    ["error", ["e"]],
    ["warning", ["e", "warning: w"]],
    ["info", ["e", "warning: w", "i"]],
  ] as const)("of level %s leaves the rest out", (level, expected) => {
    const lines: string[] = [];
    const log = new ProgramLog({ write: (_, line) => lines.push(line) });
    log.level = level;
    log.error("e");
    log.warn("w");
    log.info("i");
    log.debug("d");
    expect(lines).toEqual(expected);
  });
});

describe("a log file", () => {
  const now = () => Date.UTC(2025, 10, 23, 11, 39, 0, 7);
  const line = (text: string) => `2025-11-23T11:39:00.007Z prog[${process.pid}]: ${text}\n`;
  const read = (name: string) => readFileSync(join(directory, name), "utf8");

  test("has the time, the program and the pid in each line, and grows at its end", async () => {
    for (const text of ["one", "two"]) {
      const target = new FileTarget(path, "prog", now);
      target.write("info", text);
      await target.close();
    }
    expect(read("prog.log")).toBe(line("one") + line("two"));
  });

  test("that is renamed loses nothing, told or not", () => {
    const target = new FileTarget(path, "prog", now);
    target.write("info", "one");
    renameSync(path, `${path}.1`);
    target.write("info", "two");
    renameSync(path, `${path}.2`);
    target.reopen();
    expect(read("prog.log")).toBe("");
    target.write("info", "three");
    expect([read("prog.log.1"), read("prog.log.2"), read("prog.log")]).toEqual(
      ["one", "two", "three"].map(line),
    );
  });

  test("that is removed, or cut by copytruncate, goes on", () => {
    const target = new FileTarget(path, "prog", now);
    target.write("info", "one");
    rmSync(path);
    target.write("info", "two");
    expect(read("prog.log")).toBe(line("two"));
    truncateSync(path);
    target.write("info", "three");
    expect(read("prog.log")).toBe(line("three"));
  });

  test.each([
    [0, ["prog.log"]],
    [2, ["prog.log", "prog.log.1", "prog.log.2"]],
  ])("that is large gives way to a new one, and %i old ones are kept", async (keep, names) => {
    const logs = join(directory, `rotated-${keep}`);
    mkdirSync(logs);
    const target = new FileTarget(join(logs, "prog.log"), "prog", now, { size: 100, keep });
    const texts = Array.from({ length: 9 }, (_, index) => `line ${index} ${"x".repeat(20)}`);
    for (const text of texts) target.write("info", text);
    await target.close();
    expect(readdirSync(logs).sort()).toEqual(names);
    const kept = names
      .toReversed()
      .flatMap((name) => readFileSync(join(logs, name), "utf8").trimEnd().split("\n"));
    // Whole lines, and none lost between the files that are left.
    expect(kept.map((line) => line.split(": ")[1])).toEqual(texts.slice(-kept.length));
    for (const name of names.slice(1)) expect(statSync(join(logs, name)).size).toBeGreaterThanOrEqual(100);
  });

  test("whose directory is gone stays open, until there is one again", () => {
    const logs = join(directory, "logs");
    mkdirSync(logs);
    const target = new FileTarget(join(logs, "prog.log"), "prog", now);
    renameSync(logs, `${logs}.old`);
    target.write("info", "one");
    mkdirSync(logs);
    target.write("info", "two");
    expect(read("logs.old/prog.log")).toBe(line("one"));
    expect(read("logs/prog.log")).toBe(line("two"));
  });

  test.runIf(existsSync("/dev/full"))("that cannot be written does not stop the program", () => {
    const target = new FileTarget("/dev/full", "prog");
    expect(() => target.write("error", "no space left")).not.toThrow();
  });

  test.each([500, 0])(
    "whose last line has no room is cut there, and goes on with a new one behind %d bytes",
    (kept) => {
      const script = `
      import { truncateSync } from "node:fs";
      import { FileTarget } from "@spoolwire/program";
      const target = new FileTarget("${path}", "prog");
      target.write("info", "x".repeat(2000));
      truncateSync("${path}", ${kept});
      target.write("info", "again");`;
      const node = `'${process.execPath}' --input-type=module -e '${script}'`;
      const { stderr, status } = spawnSync("bash", ["-c", `trap "" XFSZ; ulimit -f 1; ${node}`], {
        cwd: root,
      });
      expect({ stderr: String(stderr), status }).toEqual({ stderr: "", status: 0 });
      expect(read("prog.log").split("\n")).toEqual([
        ...(kept > 0 ? [expect.stringMatching(/: x+$/) as string] : []),
        expect.stringMatching(/^\S+ prog\[\d+\]: warning: 1 lines of this log could not be written$/),
        expect.stringMatching(/^\S+ prog\[\d+\]: again$/),
        "",
      ]);
    },
  );

  test("that cannot be opened is the file's own error", () => {
    expect(() => new FileTarget(join(directory, "no/prog.log"), "prog")).toThrow(/ENOENT.*no\/prog.log/);
  });
});

describe.runIf(requires("logger-and-systemd"))("the system log", { timeout: 30_000 }, () => {
  test("gets each line with its priority, our name and our pid", async () => {
    const socket = join(directory, "log");
    const server = await startDatagrams(socket);
    const target = new SyslogTarget("prog", socket);
    target.write("error", "broken: é");
    target.write("warning", "warning: odd");
    target.write("info", `long ${"x".repeat(5000)}`);
    target.write("debug", "# <3>detail");
    await target.close();
    await server.expect(/detail/);
    const seen = server.received.map(({ text }) => text.replace(/\w{3} [ \d]\d [\d:]{8} /, "TIME "));
    expect(seen).toEqual([
      `<27>TIME prog[${process.pid}]: broken: é`,
      `<28>TIME prog[${process.pid}]: warning: odd`,
      `<30>TIME prog[${process.pid}]: long ${"x".repeat(5000)}`,
      `<31>TIME prog[${process.pid}]: # <3>detail`,
    ]);
    await server.stop();
  });

  test("is found again when it was restarted", async () => {
    const socket = join(directory, "log");
    const first = await startDatagrams(socket);
    const target = new SyslogTarget("prog", socket);
    target.write("info", "one");
    await first.expect(/one/);
    await first.stop();
    target.write("info", "lost");
    rmSync(socket);
    const second = await startDatagrams(socket);
    await vi.waitUntil(
      () => {
        target.write("info", "again");
        return second.received.length > 0;
      },
      { timeout: 20_000, interval: 100 },
    );
    await target.close();
    expect(second.received[0]?.text).toMatch(/again$/);
    await second.stop();
  });

  test("that is held up does not fill the memory: what is too much is lost", async () => {
    const server = await startDatagrams(join(directory, "log"));
    const target = new SyslogTarget("prog", join(directory, "log"));
    server.hold();
    for (let n = 0; n < 1000; n++) target.write("info", `${n} ${"x".repeat(8000)}`);
    server.goOn();
    await vi.waitUntil(
      () => {
        target.write("info", "again");
        return server.received.at(-1)?.text.endsWith("again");
      },
      { timeout: 20_000, interval: 100 },
    );
    await target.close();
    const numbers = server.received
      .map(({ text }) => / (\d+) x/.exec(text)?.[1])
      .filter((n) => n !== undefined);
    expect(numbers.length).toBeGreaterThan(100);
    expect(numbers.length).toBeLessThan(500);
    expect(numbers).toEqual(numbers.map((_, n) => `${n}`));
    await server.stop();
  });

  test("that is not there, or does not listen, is refused at the start", async () => {
    const socket = join(directory, "log");
    expect(() => new SyslogTarget("prog", socket)).toThrow(ConfigError);
    await (await startDatagrams(socket)).stop();
    expect(existsSync(socket)).toBe(true);
    expect(() => new SyslogTarget("prog", socket)).toThrow(/got: logger: socket .*: Connection refused/);
  });
});
