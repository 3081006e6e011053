import {
  checkAll,
  checkValues,
  ConfigError,
  exactlyOne,
  excludes,
  parseProperties,
  requires,
  runProgram,
  standardOptions,
} from "@spoolwire/program";
import type { OptionEntry } from "@spoolwire/program";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { takes } from "../../helpers/in-process.js";

const entries = [
  { name: "uri", type: "string", value: "URI", help: "where" },
  { name: "config", type: "string", aliases: ["conf", "cfg"], help: "a file" },
  { name: "count", type: "integer", short: "c", default: 7, help: "how many" },
  { name: "port", type: "integer", min: 1, max: 65535, help: "a port" },
  { name: "wait", type: "number", help: "how long" },
  { name: "loop", type: "boolean", help: "again" },
  { name: "queue", type: "properties", help: "a queue" },
  { name: "subscribe", type: "properties", many: true, help: "what" },
] as const satisfies readonly OptionEntry[];

describe("runProgram", () => {
  let stdout = "";
  let stderr = "";
  beforeEach(() => {
    stdout = stderr = "";
    vi.spyOn(process.stdout, "write").mockImplementation(takes((text) => (stdout += text)));
    vi.spyOn(process.stderr, "write").mockImplementation(takes((text) => (stderr += text)));
  });
  afterEach(() => vi.restoreAllMocks());

  const spec = { name: "prog", version: "1.2.3", summary: "Does things.", options: entries };

  /** What main was given, or the exit status and what was written to stderr. */
  async function run(...argv: string[]) {
    let seen: unknown;
    const status = await runProgram({ ...spec, operands: "FILE" }, argv, async ({ options, operands }) => {
      seen = { ...options, operands: [...operands] };
      return undefined;
    });
    return seen ?? { status, stderr };
  }

  test("gives the values by name, with the defaults of those that are absent", async () => {
    expect(await run("--uri", "stomp://a:1", "-c", "3", "--wait=0.5", "--loop", "file")).toMatchObject({
      uri: "stomp://a:1",
      count: 3,
      wait: 0.5,
      loop: true,
      operands: ["file"],
    });
    expect(await run()).toMatchObject({ count: 7, operands: [] });
  });

  test("takes for a string with choices nothing else", async () => {
    const status = await runProgram(
      { ...spec, options: [{ name: "mode", type: "string", choices: ["fast", "slow"], help: "how" }] },
      ["--mode", "sloow"],
      async () => 0,
    );
    expect([status, stderr]).toEqual([
      64,
      'prog: Expected --mode to be one of fast, slow, got "sloow" (see prog --help)\n',
    ]);
  });

  test("takes the words KEY=VALUE that follow an option as one value, and repeats as a list", async () => {
    expect(
      await run(
        "--queue",
        "path=/a b",
        "type=DQS",
        "--subscribe",
        "destination=/q/1",
        "--subscribe=destination=/q/2,id=x",
      ),
    ).toMatchObject({
      queue: { path: "/a b", type: "DQS" },
      subscribe: [{ destination: "/q/1" }, { destination: "/q/2", id: "x" }],
    });
    expect(await run("--queue", "path=/a", "--", "b=c")).toMatchObject({
      queue: { path: "/a" },
      operands: ["b=c"],
    });
  });

  test("lets the last of two win, and --no- take back", async () => {
    expect(await run("--loop", "--no-loop", "--count", "1", "--count", "2")).toMatchObject({
      loop: false,
      count: 2,
    });
  });

  test("knows aliases, counts -d, and takes a value that looks like an option", async () => {
    expect(await run("--conf", "a.conf")).toMatchObject({ config: "a.conf" });
    expect(await run("--cfg=a.conf", "-d", "-d", "--debug")).toMatchObject({ config: "a.conf", debug: 3 });
    expect(await run("--uri", "--loop")).toMatchObject({ uri: "--loop" });
  });

  test.each([
    [["--lop"], "unknown option '--lop' (Did you mean --loop?)"],
    [["--quee=path=a pass=s3cret'x"], "unknown option '--quee' (Did you mean --queue?)"],
    [["--no-queue=path=a pass=s3cret"], "unknown option '--no-queue' (Did you mean --queue?)"],
    [["--loop=pass=s3cret"], "Expected --loop to be without a value, got one"],
    [["--no-loop=1"], "Expected --no-loop to be without a value, got one"],
    [["--debug=2"], "Expected --debug to be without a value, got one"],
    [["--uri"], "option '--uri <URI>' argument missing"],
    [["--uri", ""], "Expected --uri to have a value, got none"],
    [["--count", "-1"], 'Expected --count to be an integer >= 0, got "-1"'],
    [["--count", "1.5"], 'Expected --count to be an integer >= 0, got "1.5"'],
    [["--count", "0x10"], 'Expected --count to be an integer >= 0, got "0x10"'],
    [["--count", ""], 'Expected --count to be an integer >= 0, got ""'],
    [["--port", "65536"], 'Expected --port to be an integer from 1 to 65535, got "65536"'],
    [["--wait", "soon"], 'Expected --wait to be a number >= 0, got "soon"'],
    [["--queue", "/a"], "Expected --queue to be made of KEY=VALUE, got one without KEY="],
    [["--queue", "path=/a path=/b"], "Expected --queue to have each key once, got path twice"],
  ])("refuses %j in one line with status 64", async (argv, message) => {
    expect(await run(...argv)).toEqual({ status: 64, stderr: `prog: ${message} (see prog --help)\n` });
  });

  test("refuses operands where there are none", async () => {
    const status = await runProgram(spec, ["surplus"], async () => 0);
    expect([status, stderr]).toEqual([64, 'prog: Unexpected argument "surplus" (see prog --help)\n']);
  });

  test("shows no value that was not quoted, since it may be a secret", async () => {
    const status = await runProgram(spec, ["--uri", "plain", "pass=s3cret", "name=x"], async () => 0);
    expect([status, stderr]).toEqual([64, 'prog: Unexpected argument "pass=…" (see prog --help)\n']);
  });

  test.each(["--help", "-h", "-?"])("%s shows every option and ends with 0", async (option) => {
    expect(await run(option, "--count", "x")).toEqual({ status: 0, stderr: "" });
    for (const { name, help } of [...entries, ...standardOptions]) {
      expect(stdout).toContain(`--${name}`);
      expect(stdout).toContain(help);
    }
    expect(stdout).toContain("(default 7)");
  });

  test("--help folds what it says beside a long option", async () => {
    const long = { name: "a-name-of-thirty-characters-xx", type: "string", value: "VALUE" } as const;
    const options = [{ ...long, help: "word ".repeat(30).trim() }] as const;
    expect(await runProgram({ ...spec, options, relations: [] }, ["--help"], async () => 0)).toBe(0);
    expect(Math.max(...stdout.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(80);
    expect(stdout.replace(/\s+/g, " ")).toContain(options[0].help);
  });

  test("--list names the options, --version the version", async () => {
    await run("-l");
    expect(stdout.split("\n")).toEqual(expect.arrayContaining(["--uri", "--subscribe", "--debug", ""]));
    stdout = "";
    await run("--version");
    expect(stdout).toBe("prog 1.2.3\n");
  });

  test.each([
    [Object.assign(new Error("boom"), { code: "ENOSPC" }), 74],
    [Object.assign(new Error("boom"), { code: "EACCES" }), 77],
    [Object.assign(new Error("boom"), { code: "ENOENT" }), 66],
    [Object.assign(new Error("boom"), { code: "BROKER_CONNECT" }), 69],
    [Object.assign(new Error("boom"), { code: "BROKER_AUTH" }), 77],
    [Object.assign(new Error("boom"), { code: "BROKER_PROTOCOL" }), 76],
    [Object.assign(new Error("boom"), { code: "MESSAGE_BAD_JSON" }), 65],
    [Object.assign(new Error("boom"), { code: "TRANSFER_PENDING" }), 75],
    [new Error("two\nlines"), 70],
  ])("turns %s into one line and a status", async (error, expected) => {
    const status = await runProgram(spec, [], () => Promise.reject(error));
    expect([status, stderr]).toEqual([expected, `prog: ${error.message.replace("\n", " ")}\n`]);
  });
});

describe("relations between options", () => {
  const check =
    (relation: Parameters<typeof checkValues>[1][number], given: Record<string, string | boolean>) => () =>
      checkValues(
        entries,
        [relation],
        Object.entries(given).map(([name, value]) => ({ name, value })),
      );

  test("requires: one of the others must be given", () => {
    expect(check(requires("loop", "queue", "uri"), { loop: true })).toThrow(
      new ConfigError("--loop needs --queue or --uri"),
    );
    expect(check(requires("loop", "queue", "uri"), { loop: true, uri: "a" })).not.toThrow();
    expect(check(requires("loop", "queue"), { loop: false })).not.toThrow();
  });

  test("excludes: none of the others may be given", () => {
    expect(check(excludes("loop", "queue"), { loop: true, queue: "path=a" })).toThrow(
      new ConfigError("--loop does not go with --queue"),
    );
    expect(check(excludes("loop", "queue"), { loop: true })).not.toThrow();
  });

  test("exactlyOne: neither none nor two", () => {
    expect(check(exactlyOne("uri", "queue"), {})).toThrow(
      new ConfigError("Expected one of --uri and --queue, got none"),
    );
    expect(check(exactlyOne("uri", "queue"), { uri: "a", queue: "b=c" })).toThrow(
      new ConfigError("Expected one of --uri and --queue, got --uri and --queue"),
    );
    expect(check(exactlyOne("uri", "queue"), { uri: "a" })).not.toThrow();
  });
});

describe("parseProperties", () => {
  test.each([
    ["", {}],
    ["a=1", { a: "1" }],
    [" a=1  b=2,c=3 ", { a: "1", b: "2", c: "3" }],
    ["selector=x = 'y z', id=7", { selector: "x = 'y z'", id: "7" }],
    ["routing_key=data.%23 path=/a%20b%2Cc", { routing_key: "data.#", path: "/a b,c" }],
    ["pass=100% p=%zz", { pass: "100%", p: "%zz" }],
    ["name=caf%C3%A9 a.b-c=d=e", { name: "café", "a.b-c": "d=e" }],
    ["__proto__=x", { ["__proto__"]: "x" }],
  ])("reads %j", (text, expected) => {
    expect(Object.entries(parseProperties(text, "it"))).toEqual(Object.entries(expected));
  });

  test("takes a time that grows with the length of a text, whatever it is", () => {
    const value = `a${" ".repeat(100_000)}b`;
    const began = performance.now();
    expect({ ...parseProperties(`queue=${value}`, "it") }).toEqual({ queue: value });
    expect(performance.now() - began).toBeLessThan(2000);
  });

  test("shows no value in an error, since it may be a secret", () => {
    expect(() => parseProperties("name=x s3cret", "it")).not.toThrow();
    expect(() => parseProperties("s3cret", "it")).toThrow(
      new ConfigError("Expected it to be made of KEY=VALUE, got one without KEY="),
    );
    expect(() => parseProperties("pass=s3cret%ff", "it")).toThrow(
      new ConfigError("Expected pass in it to be UTF-8 once its %XX are undone"),
    );
  });
});

describe("checkAll", () => {
  const fails = (text: string) => () => {
    throw new ConfigError(text);
  };

  test("throws at once what several checks find", () => {
    const both = new ConfigError([{ message: "one" }, { message: "two" }]);
    expect(() => checkAll(fails("one"), () => 7, fails("two"))).toThrow(both);
    expect(() => checkAll(() => undefined)).not.toThrow();
  });

  test("lets any other error through", () => {
    const broken = () => {
      throw new TypeError("broken");
    };
    expect(() => checkAll(fails("one"), broken)).toThrow(new TypeError("broken"));
  });
});
