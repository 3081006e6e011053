// What the durable modes of a normal queue bring to the disk, and in which order.
import fs from "node:fs";
import { dirname, join } from "node:path";
import { NormalQueue, type Durability, type Fields, type NormalQueueOptions } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { holdFirstSync, ioError, recording, temporaries } from "../../helpers/recorded-syncs.js";

let top: string;
let path: string;
beforeEach(() => {
  top = temporaryDirectory("durability", inMemory);
  path = join(top, "queue");
});
afterEach(() => removeDirectory(top));

const schema = { body: "string", header: "table?" };
const fields = (body: string): Fields => ({ body, header: { of: body } });

/** A recorded queue, which has done nothing yet. */
function recorded(durability: Durability, options: Partial<NormalQueueOptions> = {}) {
  const { calls, done, open } = recording(top);
  const queue = new NormalQueue({ path, schema, durability, ...options }, { calls });
  const making = done.splice(0);
  return { queue, calls, making, done, open };
}

const publish = "rename tmp to element";
const whole = ["sync body", "sync header", "sync tmp"];

describe("add", () => {
  test.each<[Durability, string[], string[]]>([
    ["none", [], [publish]],
    ["file", [], [...whole, publish]],
    ["full", ["sync above"], [...whole, publish, "sync dir", "sync top"]],
  ])("in mode %s syncs what that mode needs, in order", (durability, first, adding) => {
    const { queue, making, done } = recorded(durability);
    expect(making).toEqual(first);
    queue.add(fields("x"));
    expect(done.splice(0)).toEqual(adding);
    // The name of the intermediate directory is on the disk by now.
    queue.add(fields("y"));
    expect(done).toEqual(adding.filter((step) => step !== "sync top"));
  });

  test("in mode full syncs the name of each new directory", () => {
    const { queue, done } = recorded("full", { maxelts: 1 });
    for (let n = 0; n < 3; n++) queue.add({ body: "x" });
    const each = ["sync body", "sync tmp", publish, "sync dir", "sync top"];
    expect(done).toEqual([...each, ...each, ...each]);
  });

  test("in mode full syncs the name of a directory that somebody else has made", () => {
    new NormalQueue({ path, schema }).add(fields("from a writer that syncs nothing"));
    const { queue, making, done } = recorded("full");
    expect(making).toEqual([]);
    queue.add(fields("x"));
    expect(done).toEqual([...whole, publish, "sync dir", "sync top"]);
  });

  test("is no failure if others take the element and purge its directory before it is synced", async () => {
    const { queue, calls, done } = recorded("full");
    const rename = calls.renameSync;
    calls.renameSync = (from, to) => {
      rename(from, to);
      fs.rmSync(dirname(String(to)), { recursive: true });
    };
    expect(queue.add(fields("x"))).toMatch(/^[0-9a-f]{8}\/[0-9a-f]{14}$/);
    expect(await queue.addMany([fields("y")])).toHaveLength(1);
    expect(queue.count()).toBe(0);
    expect(done.at(-1)).toBe("sync top");
  });

  test.each(["body", "header", "tmp"])(
    "whose %s cannot be synced publishes and leaves nothing",
    (failing) => {
      const error = ioError();
      const { queue, calls, open } = recorded("file");
      calls.fdatasyncSync = calls.fsyncSync = (fd) => {
        if (open.get(fd) === failing) throw error;
      };
      expect(() => queue.add(fields("x"))).toThrow(error);
      expect(open.size).toBe(0);
      expect(queue.count()).toBe(0);
      expect(temporaries(path)).toEqual([]);
    },
  );
});

describe("addMany", () => {
  const elements = Array.from({ length: 150 }, (_, n) => fields(`element ${n}`));

  test.each<Durability>(["none", "file", "full"])("in mode %s adds all in order", async (durability) => {
    // The first group fills several directories.
    const queue = new NormalQueue({ path, schema, durability, maxelts: 20 });
    const names = await queue.addMany(elements);
    expect([...queue]).toEqual(names);
    expect(names.map((name) => (queue.lock(name), queue.get(name)))).toEqual(elements);
    expect(await queue.addMany([])).toEqual([]);
  });

  test.each<[Durability, string[]]>([
    ["none", []],
    ["file", []],
    ["full", ["sync dir", "sync dir", "sync top"]],
  ])("in mode %s syncs whole elements before it publishes any, each directory once", async (mode, last) => {
    const { queue, done } = recorded(mode, { maxelts: 2 });
    await queue.addMany(elements.slice(0, 3));
    const fieldsOf = Array<string[]>(3).fill(["sync body", "sync header"]).flat();
    const synced = mode === "none" ? [] : [...fieldsOf, "sync tmp", "sync tmp", "sync tmp"];
    expect(done).toEqual([...synced, publish, publish, publish, ...last]);
  });

  test("has a bound on its open files, whatever the number of fields", async () => {
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`field${n}`, "string"]));
    const { queue, calls, open } = recorded("full", { schema: many });
    let most = 0;
    calls.fdatasync = (_, callback) => {
      most = Math.max(most, [...open.values()].filter((word) => word.startsWith("field")).length);
      setImmediate(callback, null);
    };
    const element = Object.fromEntries(Object.keys(many).map((name) => [name, "x"]));
    expect(await queue.addMany(Array<Fields>(30).fill(element))).toHaveLength(30);
    // Two groups of six elements.
    expect(most).toBe(240);
    expect(open.size).toBe(0);
  });

  test("that fails in its first group publishes and leaves nothing of the second, written by then", async () => {
    const error = ioError();
    const { queue, calls, done, open } = recorded("full");
    const end = holdFirstSync(calls);
    const adding = queue.addMany(elements);
    await expect.poll(() => temporaries(path).length).toBeGreaterThan(64);
    end(error);
    await expect(adding).rejects.toBe(error);
    expect(done.filter((what) => what === publish)).toEqual([]);
    expect(open.size).toBe(0);
    expect(temporaries(path)).toEqual([]);
  });

  test.each(["body", "header", "tmp"])(
    "whose last %s cannot be synced publishes and leaves nothing of the group",
    async (failing) => {
      const error = ioError();
      const { queue, calls, open } = recorded("full");
      calls.fdatasync = calls.fsync = (fd, callback) => {
        const last = [...open].filter(([, word]) => word === failing).at(-1);
        setImmediate(callback, fd === last?.[0] ? error : null);
      };
      await expect(queue.addMany(elements.slice(0, 3))).rejects.toBe(error);
      expect(open.size).toBe(0);
      expect(queue.count()).toBe(0);
      expect(temporaries(path)).toEqual([]);
    },
  );

  test("adds nothing of a group in which an element has not the fields of the schema", async () => {
    const queue = new NormalQueue({ path, schema, durability: "full" });
    const group = [fields("good"), { text: "bad" }];
    await expect(queue.addMany(group)).rejects.toThrow("Expected an element with the field `body`");
    expect(queue.count()).toBe(0);
    expect(temporaries(path)).toEqual([]);
  });

  test("lets others work while the disk does", async () => {
    const { queue } = recorded("full");
    let ticks = 0;
    const timer = setInterval(() => ticks++, 0);
    await queue.addMany(elements);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
  });
});

test("modes are the queue's own, of what is made in a group too", async () => {
  const queue = new NormalQueue({ path, schema, durability: "full", umask: 0o077 });
  const [name = ""] = await queue.addMany([fields("x")]);
  for (const made of ["00000000", name]) expect(fs.statSync(join(path, made)).mode & 0o777).toBe(0o700);
  expect(fs.statSync(join(path, name, "body")).mode & 0o777).toBe(0o600);
});
