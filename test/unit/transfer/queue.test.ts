import fs, { existsSync, readFileSync, rmSync, mkdtempSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FileCalls } from "@spoolwire/dirq";
import { DqsQueue, Message } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import { describeReport, QueueSink, QueueSource, Transfer, type Arrival } from "@spoolwire/transfer";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

let directory: string;
let a: DqsQueue;
let b: DqsQueue;
let logged: string[];
const log = createLogger("test", 0, (line) => logged.push(line));
const never = new AbortController().signal;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spoolwire-transfer-"));
  a = new DqsQueue({ path: join(directory, "a") });
  b = new DqsQueue({ path: join(directory, "b") });
  logged = [];
});
afterEach(() => rmSync(directory, { recursive: true }));

const fill = (...bodies: string[]) =>
  bodies.map((body) => a.addMessage(new Message({ header: { n: body }, body })));

function drain(queue: DqsQueue): string[] {
  return [...queue].map((name) => {
    expect(queue.lock(name)).toBe(true);
    return String(queue.getMessage(name).body);
  });
}

const copy = (options: ConstructorParameters<typeof QueueSource>[2] = {}) =>
  new Transfer(new QueueSource(a, log, options), new QueueSink(b, log), log).run(never);

describe("from queue to queue", () => {
  test("a copy keeps the order and leaves the source as it was, unlocked", async () => {
    const names = fill("1", "2", "3");
    expect(await copy()).toMatchObject({ received: 3, confirmed: 3 });
    expect([...a]).toEqual(names);
    expect(drain(a)).toEqual(["1", "2", "3"]);
    expect(drain(b)).toEqual(["1", "2", "3"]);
  });

  test("a move leaves nothing behind", async () => {
    fill("1", "2");
    await copy({ remove: true });
    expect(a.count()).toBe(0);
    expect(drain(b)).toEqual(["1", "2"]);
  });

  test("passes over what somebody else has locked", async () => {
    const [first = ""] = fill("1", "2");
    a.lock(first);
    await copy({ remove: true });
    expect([...a]).toEqual([first]);
    expect(drain(b)).toEqual(["2"]);
  });

  test("takes up the stale locks of a crashed agent, and says so", async () => {
    const [first = ""] = fill("1");
    a.lock(first);
    const old = Date.now() / 1000 - 601;
    utimesSync(join(a.path, first), old, old);
    await copy({ remove: true });
    expect(drain(b)).toEqual(["1"]);
    expect(logged).toEqual([`test: queue ${a.path}: purged 1 stale locks and 0 temporary files\n`]);
  });

  test("a malformed element is moved to the quarantine, whole, and the others go on", async () => {
    fill("1");
    const bad = a.add('{"text":"yes"}');
    const empty = a.add("");
    fill("2");
    expect(await copy({ remove: true })).toMatchObject({ received: 2, confirmed: 2, rejected: 2 });
    expect([...a]).toEqual([]);
    expect(drain(b)).toEqual(["1", "2"]);
    const reasons = [
      `${a.path}/${bad} is no message: Expected \`text\` to be true or false, got "yes"`,
      `${a.path}/${empty} is no message: Expected a JSON object, got nothing (0 bytes)`,
    ];
    const kept = [...a.quarantined()];
    expect(kept).toMatchObject([bad, empty].map((element, index) => ({ element, reason: reasons[index] })));
    expect(kept.map(({ files }) => readFileSync(files[0]!, "utf8"))).toEqual(['{"text":"yes"}', ""]);
    expect(logged).toEqual(
      kept.map(({ name, reason }) => `test: ${reason}; it is in the quarantine as ${name}\n`),
    );
  });

  test("without `remove` a malformed element stays, whole and unlocked, however often it is met", async () => {
    const bad = a.add('{"text":"yes"}');
    fill("1");
    const source = new QueueSource(a, log, { loop: true });
    const transfer = new Transfer(source, new QueueSink(b, log), log, { count: 3 });
    expect(await transfer.run(never)).toMatchObject({ confirmed: 3, rejected: 1 });
    expect(drain(b)).toEqual(["1", "1", "1"]);
    expect(readFileSync(join(a.path, bad), "utf8")).toBe('{"text":"yes"}');
    expect(existsSync(join(a.path, `${bad}.lck`))).toBe(false);
    expect([...a.quarantined()]).toEqual([]);
    expect(logged).toEqual([
      `test: ${a.path}/${bad} is no message: Expected \`text\` to be true or false, got "yes"; it stays where it is\n`,
    ]);
  });

  test("with loop but without `remove` it goes over the whole queue again and again, in order", async () => {
    const names = fill("1", "2");
    const source = new QueueSource(a, log, { loop: true });
    await new Transfer(source, new QueueSink(b, log), log, { count: 5 }).run(never);
    expect(drain(b)).toEqual(["1", "2", "1", "2", "1"]);
    expect([...a]).toEqual(names);
    expect(drain(a)).toEqual(["1", "2"]);
  });

  test("with loop it takes what is added later, and tells of a malformed element once", async () => {
    a.add("{");
    const controller = new AbortController();
    const transfer = new Transfer(
      new QueueSource(a, log, { loop: true, remove: true }),
      new QueueSink(b, log),
      log,
    );
    const done = transfer.run(controller.signal);
    for (const body of ["1", "2", "3"]) {
      fill(body);
      while (a.count() > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    controller.abort();
    expect(await done).toMatchObject({ confirmed: 3, rejected: 1 });
    expect([...a.quarantined()]).toHaveLength(1);
    expect(logged).toHaveLength(1);
  });

  test("a failing sink leaves the source as it was", async () => {
    const names = fill("1", "2");
    rmSync(b.path, { recursive: true });
    await expect(copy({ remove: true })).rejects.toMatchObject({ code: "ENOENT" });
    expect([...a]).toEqual(names);
    expect(drain(a)).toEqual(["1", "2"]);
  });
});

describe("a durable queue as a sink", () => {
  const durable = () => {
    const queue = new DqsQueue({ path: join(directory, "b"), durability: "full" });
    return { queue, sink: new QueueSink(queue, log) };
  };

  test("acknowledges what is on the disk, in groups, and nothing else", async () => {
    fill(...Array.from({ length: 300 }, (_, index) => String(index)));
    const { queue, sink } = durable();
    const groups: number[] = [];
    const addMany = queue.addMany.bind(queue);
    queue.addMany = (elements, onAdded) =>
      addMany(elements, (names) => {
        groups.push(names.length);
        // None of them is acknowledged before the whole group is safe.
        const acknowledged = 300 - a.count();
        expect(acknowledged).toBe(groups.slice(0, -1).reduce((sum, size) => sum + size, 0));
        expect(b.count()).toBeGreaterThanOrEqual(acknowledged + names.length);
        onAdded?.(names);
      });
    const source = new QueueSource(a, log, { remove: true });
    expect(await new Transfer(source, sink, log).run(never)).toMatchObject({ confirmed: 300 });
    expect(groups.length).toBeLessThan(30);
    expect(drain(b)).toEqual(Array.from({ length: 300 }, (_, index) => String(index)));
  });

  test("acknowledges nothing of a group that the disk has refused", async () => {
    const names = fill("1", "2");
    const { queue, sink } = durable();
    const error = Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
    queue.addMany = () => Promise.reject(error);
    const source = new QueueSource(a, log, { remove: true });
    await expect(new Transfer(source, sink, log).run(never)).rejects.toBe(error);
    expect([...a]).toEqual(names);
    expect(drain(a)).toEqual(["1", "2"]);
  });
});

test("a message that a queue cannot hold is put aside, and those that came with it go on", async () => {
  const source = new QueueSource(a, log, { remove: true });
  fill("1", "odd", "2");
  const getMessage = a.getMessage.bind(a);
  a.getMessage = (name) => {
    const message = getMessage(name);
    if (message.body === "odd") message.body = "\ud800";
    return message;
  };
  const run = new Transfer(source, new QueueSink(b, log), log).run(never);
  expect(await run).toMatchObject({ confirmed: 2, rejected: 1 });
  expect(drain(b)).toEqual(["1", "2"]);
  expect([...a.quarantined()]).toHaveLength(1);
});

describe("a queue as a sink, whose disk fails", () => {
  const quick = { initialMs: 1, maxMs: 5, multiplier: 2, attempts: Infinity };
  const fileError = (code: string) => Object.assign(new Error(`${code}: injected`), { code });

  /** Fails the first `times` groups. */
  function failing(times: number, code: string): void {
    const addMessages = b.addMessages.bind(b);
    let count = 0;
    b.addMessages = async (messages, onAdded) => {
      if (++count <= times) throw fileError(code);
      return await addMessages(messages, onAdded);
    };
  }

  test("goes on when there is room again, having acknowledged nothing meanwhile", async () => {
    fill("1", "2", "3");
    failing(5, "ENOSPC");
    const source = new QueueSource(a, log, { remove: true });
    const done = await new Transfer(source, new QueueSink(b, log, quick), log).run(never);
    expect(done).toMatchObject({ received: 3, confirmed: 3 });
    expect(drain(b)).toEqual(["1", "2", "3"]);
    expect(logged).toEqual([
      `test: warning: queue ${b.path}: ENOSPC: injected; trying again until it can be written\n`,
      `test: queue ${b.path} can be written again\n`,
    ]);
  });

  test("gets on with as many at once as there is room for", async () => {
    const bodies = Array.from({ length: 20 }, (_, index) => String(index));
    fill(...bodies);
    const addMessages = b.addMessages.bind(b);
    const groups: number[] = [];
    b.addMessages = async (messages, onAdded) => {
      const group = [...messages];
      if (group.length > 3) throw fileError("ENOSPC");
      groups.push(group.length);
      return await addMessages(group, onAdded);
    };
    const source = new QueueSource(a, log, { remove: true });
    const done = await new Transfer(source, new QueueSink(b, log, quick), log).run(never);
    expect(done).toMatchObject({ received: 20, confirmed: 20 });
    expect(drain(b)).toEqual(bodies);
    expect(groups.length).toBeLessThan(20);
    expect(logged).toEqual([]);
  });

  test("adds nothing twice when a part of what came was safe before it failed", async () => {
    const bodies = Array.from({ length: 300 }, (_, index) => String(index));
    fill(...bodies);
    let written = 0;
    const calls: FileCalls = {
      ...fs,
      writeFileSync: (...args) => {
        if (++written === 200) throw fileError("EIO");
        fs.writeFileSync(...args);
      },
    };
    const durable = new DqsQueue({ path: b.path, durability: "full" }, { calls });
    const source = new QueueSource(a, log, { remove: true });
    const done = await new Transfer(source, new QueueSink(durable, log, quick), log).run(never);
    expect(done).toMatchObject({ received: 300, confirmed: 300 });
    expect(written).toBeGreaterThan(300);
    expect(drain(b)).toEqual(bodies);
    expect(logged).toHaveLength(2);
  });

  test("adds nothing twice, however often the directory could not be synced", async () => {
    const bodies = Array.from({ length: 10 }, (_, index) => String(index));
    fill(...bodies);
    let syncs = 0;
    const calls: FileCalls = {
      ...fs,
      fsync: (_, done) => void setImmediate(done, ++syncs <= 12 ? fileError("EIO") : null),
    };
    const durable = new DqsQueue({ path: b.path, durability: "full" }, { calls });
    const source = new QueueSource(a, log, { remove: true });
    const done = await new Transfer(source, new QueueSink(durable, log, quick), log).run(never);
    expect(done).toMatchObject({ received: 10, confirmed: 10 });
    expect(syncs).toBeGreaterThan(12);
    expect(drain(b)).toEqual(bodies);
    expect(logged).toHaveLength(2);
  });

  test("can be stopped meanwhile: everything is still at the source", async () => {
    const names = fill("1", "2");
    failing(Infinity, "EROFS");
    const controller = new AbortController();
    const source = new QueueSource(a, log, { remove: true, loop: true });
    const sink = new QueueSink(b, log, { ...quick, initialMs: 60_000, maxMs: 60_000 });
    const run = new Transfer(source, sink, log, { linger: 0.05 }).run(controller.signal);
    setTimeout(() => controller.abort(), 50);
    await expect(run).rejects.toMatchObject({ code: "TRANSFER_PENDING" });
    expect([...a]).toEqual(names);
    expect(drain(a)).toEqual(["1", "2"]);
  });

  test("fails for good with what no waiting cures", async () => {
    fill("1");
    failing(1, "EINVAL");
    const source = new QueueSource(a, log, { remove: true });
    const run = new Transfer(source, new QueueSink(b, log, quick), log).run(never);
    await expect(run).rejects.toMatchObject({ code: "EINVAL" });
  });
});

describe("a queue as a source", () => {
  const taken = async (source: QueueSource): Promise<Extract<Arrival, { kind: "message" }>> => {
    const arrival = await source.next(1000);
    if (arrival.kind !== "message") throw new Error(`Expected a message, got ${arrival.kind}`);
    return arrival;
  };

  test("gives back at the end what is neither acknowledged nor released", async () => {
    const [first = ""] = fill("1");
    const source = new QueueSource(a, log);
    await source.start(never);
    await taken(source);
    expect(a.lock(first)).toBe(false);
    await source.stop();
    expect(a.lock(first)).toBe(true);
  });

  test("gives back at the end what it had found, and nobody had asked for yet", async () => {
    const source = new QueueSource(a, log, { loop: true });
    await source.start(never);
    expect(await source.next(0)).toEqual({ kind: "none" });
    const [first = ""] = fill("1");
    await expect.poll(() => existsSync(join(a.path, `${first}.lck`))).toBe(true);
    await source.stop();
    expect(a.lock(first)).toBe(true);
  });

  test("keeps its locks young while messages wait long for their confirmation", async () => {
    const queue = new DqsQueue({ path: a.path, maxlock: 1 });
    const [first = ""] = fill("1");
    const source = new QueueSource(queue, log);
    await source.start(never);
    await taken(source);
    const old = Date.now() / 1000 - 100;
    utimesSync(join(a.path, first), old, old);
    await expect.poll(() => statSync(join(a.path, first)).mtimeMs / 1000).toBeGreaterThan(old + 50);
    await source.stop();
  });

  test("waits without polling: an element is there within milliseconds of being added", async () => {
    const source = new QueueSource(a, log, { loop: true, remove: true });
    await source.start(never);
    const waits: number[] = [];
    for (let round = 0; round < 10; round++) {
      const next = taken(source);
      // Half-way between two looks of one that looks every 100 ms, so that none is quick by luck.
      await new Promise((resolve) => setTimeout(resolve, 150));
      const added = performance.now();
      fill(`${round}`);
      source.ack((await next).ticket);
      waits.push(performance.now() - added);
    }
    await source.stop();
    expect(Math.min(...waits)).toBeLessThan(20);
  });

  test("purges now and then while it waits, so that what a killed agent held is taken up", async () => {
    const [first = ""] = fill("1");
    const source = new QueueSource(a, log, { loop: true, remove: true, purgeInterval: 0.05 });
    await source.start(never);
    a.lock(first);
    expect(await source.next(10)).toEqual({ kind: "none" });
    const old = Date.now() / 1000 - 601;
    utimesSync(join(a.path, first), old, old);
    const arrivals: string[] = [];
    await expect
      .poll(async () => arrivals.push((await source.next(10)).kind) && arrivals, { timeout: 10_000 })
      .toContain("message");
    await source.stop();
    expect(logged).toEqual([`test: queue ${a.path}: purged 1 stale locks and 0 temporary files\n`]);
  });

  test("takes it calmly if somebody else removed a message from under a stale lock", async () => {
    const [first = ""] = fill("1");
    const source = new QueueSource(a, log, { remove: true });
    await source.start(never);
    const { ticket } = await taken(source);
    a.remove(first);
    source.ack(ticket);
    expect(logged).toEqual([
      `test: warning: queue ${a.path}: somebody else took ${first} from under its lock\n`,
    ]);
  });
});

describe("a queue as a source, whose disk fails", () => {
  const backOff = { initialMs: 1, maxMs: 5, multiplier: 2, attempts: Infinity };
  const controller = () => new AbortController();

  /** The queue `a`, of which these calls fail as long as `trouble.code` says so. */
  function failing(...names: (keyof FileCalls)[]) {
    /** `only`: of paths that begin with it. */
    const trouble = { code: "", count: 0, only: a.path };
    const calls = new Proxy<FileCalls>(fs, {
      get: (target, name: keyof FileCalls) => {
        const call = Reflect.get(target, name) as (...args: unknown[]) => unknown;
        return (...args: unknown[]) => {
          if (trouble.code !== "" && names.includes(name) && String(args[0]).startsWith(trouble.only)) {
            trouble.count++;
            throw Object.assign(new Error(`${trouble.code}: injected`), { code: trouble.code });
          }
          return call(...args);
        };
      },
    });
    return { trouble, queue: new DqsQueue({ path: a.path }, { calls }) };
  }

  const run = (queue: DqsQueue, signal: AbortSignal, loop = true) => {
    const source = new QueueSource(queue, log, { loop, remove: true, backOff });
    return new Transfer(source, new QueueSink(b, log), log).run(signal);
  };

  const told = (code: string) => [
    `test: warning: queue ${a.path}: ${code}: injected; trying again until it can be worked on\n`,
    `test: queue ${a.path} can be worked on again\n`,
  ];

  test.each<[string, string, keyof FileCalls]>([
    ["locking", "ENOSPC", "linkSync"],
    ["locking", "EROFS", "linkSync"],
    ["reading", "EIO", "openSync"],
    ["reading", "EMFILE", "openSync"],
    ["listing", "EIO", "readdirSync"],
    ["removing", "EROFS", "unlinkSync"],
  ])("goes on when %s works again after %s", async (_, code, call) => {
    const { queue, trouble } = failing(call);
    const stop = controller();
    const done = run(queue, stop.signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    trouble.code = code;
    fill("1", "2", "3");
    await expect.poll(() => trouble.count, { timeout: 10_000 }).toBeGreaterThan(3);
    trouble.code = "";
    await expect.poll(() => a.count(), { timeout: 10_000 }).toBe(0);
    stop.abort();
    expect(await done).toMatchObject({ received: 3, confirmed: 3, rejected: 0 });
    expect(drain(b).sort()).toEqual(["1", "2", "3"]);
    expect(logged).toEqual(told(code));
  });

  test("tells that it can be worked on again though there is nothing to do", async () => {
    const { queue, trouble } = failing("readdirSync");
    const stop = controller();
    const done = run(queue, stop.signal);
    await new Promise((resolve) => setTimeout(resolve, 20));
    trouble.code = "EIO";
    await expect.poll(() => trouble.count, { timeout: 10_000 }).toBeGreaterThan(3);
    expect(logged).toHaveLength(1);
    trouble.code = "";
    await expect.poll(() => logged).toEqual(told("EIO"));
    stop.abort();
    await done;
  });

  test("at the end tries for the last time to remove what was acknowledged, and tells if it cannot", async () => {
    for (const isCured of [true, false]) {
      const [name = ""] = fill("1");
      const { queue, trouble } = failing("unlinkSync");
      trouble.code = "EROFS";
      const stop = controller();
      const source = new QueueSource(queue, log, {
        loop: true,
        remove: true,
        backOff: { ...backOff, initialMs: 60_000, maxMs: 60_000 },
      });
      const done = new Transfer(source, new QueueSink(b, log), log).run(stop.signal);
      await expect.poll(() => trouble.count).toBe(1);
      if (isCured) trouble.code = "";
      stop.abort();
      if (isCured) await done;
      else await expect(done).rejects.toMatchObject({ code: "EROFS" });
      expect([...a]).toEqual(isCured ? [] : [name]);
    }
  });

  test("takes no more while much that was acknowledged cannot be removed", async () => {
    fill(...Array.from({ length: 300 }, (_, index) => String(index)));
    const { queue, trouble } = failing("unlinkSync");
    trouble.code = "EROFS";
    const stop = controller();
    const source = new QueueSource(queue, log, { loop: true, remove: true, backOff });
    const done = new Transfer(source, new QueueSink(b, log), log, { window: 10 }).run(stop.signal);
    // Each once, and some more than once.
    await expect.poll(() => trouble.count).toBeGreaterThan(150);
    // A hundred are too many, and a window of others was under way by then.
    expect(b.count()).toBeLessThanOrEqual(110);
    trouble.code = "";
    await expect.poll(() => a.count(), { timeout: 10_000 }).toBe(0);
    stop.abort();
    await done;
    expect(b.count()).toBe(300);
  });

  test("at the end removes all that it can, whatever is in between", async () => {
    const [first = ""] = fill("1", "2", "3");
    const { queue, trouble } = failing("unlinkSync");
    trouble.code = "EROFS";
    const stop = controller();
    const patience = { ...backOff, initialMs: 60_000, maxMs: 60_000 };
    const source = new QueueSource(queue, log, { loop: true, remove: true, backOff: patience });
    const done = new Transfer(source, new QueueSink(b, log), log).run(stop.signal);
    await expect.poll(() => b.count()).toBe(3);
    trouble.only = `${a.path}/${first}`;
    stop.abort();
    await expect(done).rejects.toMatchObject({ code: "EROFS" });
    expect([...a]).toEqual([first]);
  });

  test("does not take a purge that lasts longer than the run for a queue that is not there", async () => {
    fill(...Array.from({ length: 500 }, (_, index) => String(index)));
    const source = new QueueSource(a, log, { remove: true });
    vi.spyOn(a, "purge").mockImplementation(async (options) => {
      await new Promise((resolve) => options?.signal?.addEventListener("abort", resolve));
      throw new Error("aborted");
    });
    await new Transfer(source, new QueueSink(b, log), log, { duration: 0.05 }).run(never);
    vi.restoreAllMocks();
  });

  test("without loop it ends with the first failure, and with loop with what no waiting cures", async () => {
    fill("1");
    const { queue, trouble } = failing("linkSync");
    trouble.code = "EIO";
    await expect(run(queue, never, false)).rejects.toMatchObject({ code: "EIO" });
    trouble.code = "EINVAL";
    await expect(run(queue, never)).rejects.toMatchObject({ code: "EINVAL" });
    expect(drain(a)).toEqual(["1"]);
  });
});

test("a source remembers only so many names of what it has passed over", async () => {
  const source = new QueueSource(a, log, { loop: true });
  await source.start(never);
  fill(...Array.from({ length: 10_001 }, (_, index) => String(index)));
  const rejected: string[] = [];
  while (rejected.length < 10_002) {
    const arrival = await source.next(1000);
    if (arrival.kind !== "message") continue;
    rejected.push(arrival.message.header.n ?? "");
    source.reject(arrival.ticket, "no");
  }
  // The oldest is met again, and no other.
  expect(rejected.at(-1)).toBe("0");
  await source.stop();
}, 60_000);

describe("the statistics", () => {
  const report = { confirmed: 0, rejected: 0, dropped: 0, seconds: 2 };
  test.each([
    [0, 0, ["processed no messages"]],
    [1, 10, ["processed only 1 message"]],
    [
      3000,
      600_000,
      [
        "processed 3000 messages in 2.000 seconds (1.500 k msg/sec)",
        "throughput is around 0.300 MB/second",
        "average message size is around 200 bytes",
      ],
    ],
  ])("of %i messages are worded as the original agents do", (received, bytes, lines) => {
    expect(describeReport({ ...report, received, bytes })).toEqual(lines);
  });
});
