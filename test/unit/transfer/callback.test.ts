// What a user's own code does with messages on their way, without a program around it.
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { DqsQueue, Message } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import {
  Checker,
  compileCallback,
  loadCallback,
  QueueSink,
  QueueSource,
  Transfer,
  type Callback,
  type CallbackPolicy,
  type TransferOptions,
} from "@spoolwire/transfer";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let directory: string;
let a: DqsQueue;
let b: DqsQueue;
let logged: string[];
const log = createLogger("test", 0, (line) => logged.push(line));

beforeEach(() => {
  directory = temporaryDirectory("callback", inMemory);
  a = new DqsQueue({ path: join(directory, "a") });
  b = new DqsQueue({ path: join(directory, "b") });
  logged = [];
});
afterEach(() => removeDirectory(directory));

function fill(...bodies: string[]): void {
  for (const body of bodies) a.addMessage(new Message({ header: { n: body }, body }));
}

/** The messages that have arrived, in order. */
const arrived = () =>
  [...b].map((name) => {
    b.lock(name);
    const { header, body } = b.getMessage(name);
    return { header: { ...header }, body: String(body) };
  });
const bodies = () => arrived().map(({ body }) => body);

function move(callback: Callback, policy?: CallbackPolicy, options: TransferOptions = {}) {
  const checker = new Checker(callback, log, { policy, data: { key: "value" } });
  const source = new QueueSource(a, log, { remove: true });
  const run = new Transfer(source, new QueueSink(b, log), log, { ...options, checker });
  return run.run(new AbortController().signal);
}

describe("a callback", () => {
  test("is started with its data before, and stopped after everything else", async () => {
    fill("1");
    const calls: string[] = [];
    await move({
      start: (data) => void calls.push(`start ${JSON.stringify(data)} ${b.count()}`),
      check: () => void calls.push("check"),
      stop: () => void calls.push(`stop ${a.count()} ${b.count()}`),
    });
    expect(calls).toEqual(['start {"key":"value"} 0', "check", "stop 0 1"]);
  });

  test("changes a message, replaces it, or drops it; numbers and booleans in a header become text", async () => {
    fill("change", "replace", "drop", "leave");
    const report = await move({
      check: (message) => {
        if (message.body === "drop") return "not wanted";
        if (message.body === "replace") return { header: { new: "header" }, body: "replaced" };
        if (message.body === "change") Object.assign(message.header, { persistent: true, priority: 4 });
        return message;
      },
    });
    expect(report).toMatchObject({ received: 4, confirmed: 3, dropped: 1, rejected: 0 });
    expect(arrived()).toEqual([
      { header: { n: "change", persistent: "true", priority: "4" }, body: "change" },
      { header: { new: "header" }, body: "replaced" },
      { header: { n: "leave" }, body: "leave" },
    ]);
    expect(a.count()).toBe(0);
    expect([...a.quarantined()]).toEqual([]);
  });

  test("may take its time: the messages keep their order", async () => {
    fill("1", "2", "3", "4");
    await move({
      check: async (message) => {
        await new Promise((resolve) => setTimeout(resolve, 20 - 5 * Number(message.body)));
        return message.body === "3" ? "odd" : undefined;
      },
    });
    expect(bodies()).toEqual(["1", "2", "4"]);
  });

  test("is not asked about more than `count` messages, dropped ones included", async () => {
    fill("1", "2", "3");
    const report = await move({ check: ({ body }) => (body === "1" ? "dropped" : undefined) }, "stop", {
      count: 2,
    });
    expect(report).toMatchObject({ received: 2, confirmed: 1, dropped: 1 });
    expect(a.count()).toBe(1);
  });

  test("that is asked when the run is stopped delays it no longer than `linger`, and its message is not lost", async () => {
    fill("1");
    const controller = new AbortController();
    const checker = new Checker({ check: () => new Promise(() => controller.abort()) }, log);
    const source = new QueueSource(a, log, { remove: true });
    const run = new Transfer(source, new QueueSink(b, log), log, { checker, linger: 0.05 });
    await expect(run.run(controller.signal)).rejects.toMatchObject({ code: "TRANSFER_PENDING" });
    expect([...a].every((name) => a.lock(name))).toBe(true);
    expect([a.count(), b.count()]).toEqual([1, 0]);
  });

  test("has its idle called while nothing comes", async () => {
    const controller = new AbortController();
    const checker = new Checker({ idle: () => controller.abort() }, log);
    const source = new QueueSource(a, log, { loop: true });
    await new Transfer(source, new QueueSink(b, log), log, { checker }).run(controller.signal);
    expect(controller.signal.aborted).toBe(true);
  });

  test("whose start fails ends the run before anything is touched, and is not stopped", async () => {
    fill("1");
    const start = () => Promise.reject(new Error("no database"));
    const run = move({ start, stop: () => logged.push("stopped") });
    await expect(run).rejects.toMatchObject({
      code: "CALLBACK_FAILED",
      message: "The callback's start failed: no database",
    });
    expect(a.count()).toBe(1);
    expect(logged).toEqual([]);
  });
});

describe("a check that fails", () => {
  const failing: [string, Callback["check"], string][] = [
    [
      "throws",
      ({ body }) => {
        if (body === "2") throw new Error("no good");
      },
      "no good",
    ],
    [
      "rejects",
      async ({ body }) => {
        if (body === "2") throw new Error("no good");
      },
      "no good",
    ],
    [
      "returns nonsense",
      ({ body }) => (body === "2" ? 5 : undefined),
      "Expected a message, a string or nothing, got 5",
    ],
    [
      "makes a header of an object",
      (m) => {
        if (m.body === "2") m.header.x = {} as string;
      },
      "Expected header x to be a string, got {}",
    ],
    [
      "makes a body of nothing",
      (m) => {
        if (m.body === "2") m.body = null as unknown as string;
      },
      "Expected the body to be a string or a Buffer, got null",
    ],
  ];

  test.each(failing)("since it %s: the message goes to the quarantine, as it was", async (_, check, why) => {
    fill("1", "2", "3");
    expect(await move({ check: check! })).toMatchObject({ received: 3, confirmed: 2, rejected: 1 });
    expect(bodies()).toEqual(["1", "3"]);
    const [kept] = [...a.quarantined()];
    expect(kept).toMatchObject({ reason: `The callback's check failed: ${why}` });
    expect(logged).toEqual([
      `test: ${a.path}/${kept!.element}: ${kept!.reason}; it is in the quarantine as ${kept!.name}\n`,
    ]);
  });

  test.each(failing.slice(0, 2))(
    "since it %s, with skip: the message is dropped, and told of",
    async (_, check) => {
      fill("1", "2", "3");
      expect(await move({ check: check! }, "skip")).toMatchObject({ confirmed: 2, dropped: 1, rejected: 0 });
      expect(bodies()).toEqual(["1", "3"]);
      expect([a.count(), [...a.quarantined()].length]).toEqual([0, 0]);
      expect(logged).toEqual(["test: The callback's check failed: no good; the message is dropped\n"]);
    },
  );

  test.each(failing.slice(0, 2))(
    "since it %s, with stop: the run ends, the message stays",
    async (_, check) => {
      fill("1", "2", "3");
      await expect(move({ check: check! }, "stop")).rejects.toMatchObject({ code: "CALLBACK_FAILED" });
      expect(bodies()).toEqual(["1"]);
      expect([...a].map((name) => a.lock(name))).toEqual([true, true]);
    },
  );
});

describe("code", () => {
  const check = async (code: string, message: Message) => {
    const callback = await compileCallback(code);
    return await callback.check?.(message);
  };

  test("is the body of check, with hdr, bdy and msg", async () => {
    const message = new Message({ header: { "message-id": "1", keep: "me" }, body: "text" });
    const code = `
      hdr.destination = "/queue/" + bdy; // a remark
      delete hdr["message-id"];
      await null;
      if (bdy === "text") msg.body = bdy.toUpperCase()`;
    expect(await check(code, message)).toBeUndefined();
    expect(message).toEqual(
      new Message({ header: { keep: "me", destination: "/queue/text" }, body: "TEXT" }),
    );
    expect(await check('return "because"', message)).toBe("because");
  });

  test("that uses functions of its own, or a module, is the body all the same", async () => {
    const message = new Message({ body: "b,a" });
    await check('msg.body = bdy.split(",").sort(function (x, y) { return x < y ? -1 : 1 }).join()', message);
    expect(message.body).toBe("a,b");
    await check('const { basename } = await import("node:path"); hdr.x = basename("/a/b")', message);
    expect(message.header.x).toBe("b");
  });

  test("that defines one of the functions is all of the callback", async () => {
    const callback = await compileCallback(`
      let count = 0;
      const check = () => \`number \${++count}\`;
      function start(data) { count = Number(data.from) }
      async function stop() {}`);
    expect(Object.keys(callback)).toEqual(["start", "check", "stop"]);
    callback.start?.({ from: "5" });
    expect(callback.check?.(new Message())).toBe("number 6");
  });

  test.each([
    ["hdr.x = ;", "--callback-code: SyntaxError: Unexpected token ';'"],
    [
      '$hdr->{destination} = "/queue/x";',
      "--callback-code is Perl, expected JavaScript: such as hdr.destination",
    ],
    ['return("drop") unless $bdy =~ /x/;', "--callback-code is Perl, expected JavaScript"],
    ["sub check { my($self, $msg) = @_; return($msg); }", "--callback-code is Perl, expected JavaScript"],
    ["if bdy == '':\n    return 'empty'", "--callback-code is Python, expected JavaScript"],
    ["def check(self, msg):\n    return msg", "--callback-code is Python, expected JavaScript"],
    ["const check = 5;", "Expected check in --callback-code to be a function, got number"],
  ])("is refused in one line: %j", async (code, message) => {
    await expect(compileCallback(code)).rejects.toMatchObject({ code: "CONFIG_BAD_OPTION" });
    await expect(compileCallback(code)).rejects.toThrow(message);
  });

  test("of an older agent that is JavaScript too is taken", async () => {
    const message = new Message();
    await check('hdr["destination"] = "/queue/app.data"\nhdr["persistent"] = "true"', message);
    expect({ ...message.header }).toEqual({ destination: "/queue/app.data", persistent: "true" });
  });
});

describe("a module", () => {
  const write = (name: string, text: string) => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };

  test.each([
    [
      "exports.mjs",
      'export const check = () => "dropped"; export function stop() {}; export const other = 1;',
    ],
    ["default.mjs", 'export default { check: () => "dropped", stop() {} };'],
    ["common.cjs", 'exports.check = () => "dropped"; exports.stop = () => {};'],
  ])("is taken with what it exports: %s", async (name, text) => {
    const callback = await loadCallback(write(name, text));
    expect(Object.keys(callback)).toEqual(["check", "stop"]);
    expect(callback.check?.(new Message())).toBe("dropped");
  });

  test.each([
    [
      "old.pm",
      "package Callback;\nsub check { 1 }\n1;",
      "is Perl, expected JavaScript: a module that exports",
    ],
    ["old.py", "def check(msg): return msg", "is Python, expected JavaScript"],
    ["old", "#!/usr/bin/perl\nuse strict;\n", "is Perl, expected JavaScript"],
    ["perl.js", "sub check { my($m) = @_; }", "is Perl, expected JavaScript"],
    ["typed.ts", "export const check = () => undefined;", "got TypeScript, which has to be compiled first"],
    ["notes.txt", "hello", "to be a JavaScript module (.mjs, .js or .cjs)"],
    ["none.mjs", "export const x = 1;", "to have a function start, check, idle, stop, got none of them"],
    ["broken.mjs", "export const = 1;", "SyntaxError: "],
    ["throws.mjs", 'throw new Error("not today");', "Error: not today"],
  ])("is refused in one line: %s", async (name, text, message) => {
    const path = write(name, text);
    await expect(loadCallback(path)).rejects.toMatchObject({ code: "CONFIG_BAD_OPTION" });
    await expect(loadCallback(path)).rejects.toThrow(message);
  });

  test.each(["fresh.mjs", "fresh.cjs"])("is loaded as it is now: %s", async (name) => {
    const exported = name.endsWith(".mjs") ? "export const check" : "exports.check";
    const seen = [];
    for (const text of ["one", "another", "another"]) {
      const callback = await loadCallback(write(name, `${exported} = () => ${JSON.stringify(text)};`));
      seen.push(callback.check?.(new Message()));
    }
    expect(seen).toEqual(["one", "another", "another"]);
  });

  test("may import our packages, wherever it is", async () => {
    const text =
      'import { Message } from "@spoolwire/message"; export const check = () => new Message({ body: "x" });';
    const callback = await loadCallback(write("imports.mjs", text));
    expect(await callback.check?.(new Message())).toEqual(new Message({ body: "x" }));
    // As after SIGHUP.
    const again = await loadCallback(join(directory, "imports.mjs"));
    expect(await again.check?.(new Message())).toEqual(new Message({ body: "x" }));
    for (const [name, missing] of [
      ["ours.mjs", "@spoolwire/nothing"],
      ["theirs.mjs", "no-such-package"],
    ] as const) {
      const path = write(name, `import ${JSON.stringify(missing)}; export const check = () => undefined;`);
      await expect(loadCallback(path)).rejects.toThrow(
        `Cannot find package '${missing}' imported from ${path}`,
      );
    }
  });

  test("that is not there is told, and where it was looked for", async () => {
    const path = join(directory, "none.mjs");
    await expect(loadCallback(path)).rejects.toThrow(`--callback-path ${path}: ENOENT: `);
  });
});
