// What the durable modes of a simple queue bring to the disk, and in which order.
import fs from "node:fs";
import { dirname, join } from "node:path";
import { SimpleQueue, type Durability } from "@spoolwire/dirq";
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

const publish = "link tmp to element";

describe("add", () => {
  test.each<[Durability, string[], string[]]>([
    ["none", [], [publish]],
    ["file", [], ["sync tmp", publish]],
    ["full", ["sync above"], ["sync tmp", publish, "sync dir", "sync top"]],
  ])("in mode %s syncs what that mode needs, in order", (durability, making, adding) => {
    const { calls, done } = recording(top);
    const queue = new SimpleQueue({ path, durability }, { calls });
    expect(done.splice(0)).toEqual(making);
    queue.add("x");
    expect(done.splice(0)).toEqual(adding);
    // The name of the intermediate directory is on the disk by now.
    queue.add("y");
    expect(done).toEqual(adding.filter((step) => step !== "sync top"));
  });

  test("in mode full syncs the name of a directory that somebody else has made", () => {
    const clock = () => 1_700_000_000_000_000;
    new SimpleQueue({ path }, { clock }).add("from a writer that syncs nothing");
    const { calls, done } = recording(top);
    new SimpleQueue({ path, durability: "full" }, { calls, clock }).add("x");
    expect(done).toEqual(["sync tmp", publish, "sync dir", "sync top"]);
  });

  test.each<[Durability, string[]]>([
    ["none", ["link source to element"]],
    ["file", ["sync source", "link source to element"]],
    ["full", ["sync source", "link source to element", "sync dir", "sync top"]],
  ])("of a file by its path does the same in mode %s", (durability, steps) => {
    const { calls, done } = recording(top);
    const queue = new SimpleQueue({ path, durability }, { calls });
    done.splice(0);
    fs.writeFileSync(join(top, "source"), "x");
    queue.addPath(join(top, "source"));
    expect(done).toEqual(steps);
  });

  test("in mode full works by way of a symbolic link to the queue", () => {
    fs.mkdirSync(path);
    fs.symlinkSync(path, join(top, "link"));
    const queue = new SimpleQueue({ path: join(top, "link"), durability: "full" });
    const name = queue.add("x");
    expect([...queue]).toEqual([name]);
  });

  test("in mode full syncs each directory that it had to make", () => {
    const { calls, done } = recording(top);
    new SimpleQueue({ path: join(path, "a/b"), durability: "full" }, { calls });
    expect(done).toEqual(["sync dir", "sync top", "sync above"]);
  });

  test("is no failure if others take the element and purge its directory before it is synced", async () => {
    const { calls, done } = recording(top);
    const queue = new SimpleQueue({ path, durability: "full" }, { calls });
    const link = calls.linkSync;
    calls.linkSync = (from, to) => {
      link(from, to);
      fs.rmSync(dirname(String(to)), { recursive: true });
    };
    expect(queue.add("x")).toMatch(/^[0-9a-f]{8}\/[0-9a-f]{14}$/);
    expect(await queue.addMany(["y"])).toHaveLength(1);
    expect(queue.count()).toBe(0);
    expect(done.at(-1)).toBe("sync top");
  });

  test("of a file that cannot be synced is an error, and nothing is published or left", () => {
    const error = ioError();
    const calls = {
      ...fs,
      fdatasyncSync: () => {
        throw error;
      },
    };
    const queue = new SimpleQueue({ path, durability: "file" }, { calls });
    expect(() => queue.add("x")).toThrow(error);
    expect(queue.count()).toBe(0);
    expect(temporaries(path)).toEqual([]);
  });
});

describe("addMany", () => {
  const elements = Array.from({ length: 300 }, (_, index) => `element ${index}`);

  test.each<Durability>(["none", "file", "full"])("in mode %s adds all in order", async (durability) => {
    const queue = new SimpleQueue({ path, durability });
    const names = await queue.addMany(elements);
    expect([...queue]).toEqual(names);
    expect(names.map((name) => (queue.lock(name), queue.get(name).toString()))).toEqual(elements);
    expect(await queue.addMany([])).toEqual([]);
  });

  test("in mode full syncs every file before it publishes any, and the directory once", async () => {
    const { calls, done } = recording(top);
    const queue = new SimpleQueue({ path, durability: "full", granularity: 0xffffffff }, { calls });
    done.splice(0);
    await queue.addMany(elements.slice(0, 3));
    expect(done).toEqual([
      "sync tmp",
      "sync tmp",
      "sync tmp",
      publish,
      publish,
      publish,
      "sync dir",
      "sync top",
    ]);
  });

  test("that fails leaves no temporary file open or lying there, and publishes nothing of the group", async () => {
    const error = ioError();
    const { calls, open } = recording(top);
    calls.fdatasync = (fd, callback) => {
      setImmediate(callback, fd === Math.max(...open.keys()) ? error : null);
    };
    const queue = new SimpleQueue({ path, durability: "full" }, { calls });
    await expect(queue.addMany(["a", "b", "c"])).rejects.toBe(error);
    expect(open.size).toBe(0);
    expect(queue.count()).toBe(0);
    expect(temporaries(path)).toEqual([]);
  });

  test("writes a group while the one before is on its way to the disk, and publishes them in order", async () => {
    const { calls, done } = recording(top);
    const end = holdFirstSync(calls);
    const queue = new SimpleQueue({ path, durability: "full" }, { calls });
    const adding = queue.addMany(elements);
    await expect.poll(() => temporaries(path).length).toBe(256);
    // The second group is on the disk, and waits for the first.
    for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
    expect(done.filter((what) => what === publish)).toEqual([]);
    end(null);
    const names = await adding;
    expect(names.map((name) => (queue.lock(name), queue.get(name).toString()))).toEqual(elements);
    expect(names).toEqual([...names].sort());
  });

  test("tells of each group when its names are on the disk", async () => {
    const { calls, done } = recording(top);
    const queue = new SimpleQueue({ path, durability: "full", granularity: 0xffffffff }, { calls });
    const synced: number[] = [];
    const directories = () => done.filter((what) => what === "sync dir").length;
    await queue.addMany(elements, () => synced.push(directories()));
    expect(synced).toEqual([1, 2, 3]);
  });

  test("that cannot bring the names of a group to the disk tells of none from then on", async () => {
    const error = ioError();
    const { calls, open } = recording(top);
    let syncs = 0;
    calls.fsync = (fd, callback) =>
      setImmediate(callback, open.get(fd) === "dir" && ++syncs === 2 ? error : null);
    const queue = new SimpleQueue({ path, durability: "full", granularity: 0xffffffff }, { calls });
    const told: string[] = [];
    const many = Array.from({ length: 10 }, () => elements).flat();
    await expect(queue.addMany(many, (names) => void told.push(...names))).rejects.toBe(error);
    expect(told).toEqual([...queue].slice(0, 128));
    // Two groups more were under way.
    expect(queue.count()).toBeLessThanOrEqual(4 * 128);
    expect(open.size).toBe(0);
    expect(temporaries(path)).toEqual([]);
  });

  test("that fails in its first group publishes and leaves nothing of the second, written by then", async () => {
    const error = ioError();
    const { calls, done, open } = recording(top);
    const end = holdFirstSync(calls);
    const queue = new SimpleQueue({ path, durability: "full" }, { calls });
    const adding = queue.addMany(elements);
    await expect.poll(() => temporaries(path).length).toBe(256);
    end(error);
    await expect(adding).rejects.toBe(error);
    expect(done.filter((what) => what === publish)).toEqual([]);
    expect(open.size).toBe(0);
    expect(temporaries(path)).toEqual([]);
  });

  test.each([
    ["a disk that is full", ioError()],
    ["what is to be added", new Error("no more")],
  ])("that %s ends in its second group has added the first, and leaves nothing else", async (who, error) => {
    const { calls, open } = recording(top);
    const write = calls.writeFileSync;
    let written = 0;
    calls.writeFileSync = (...args) => {
      if (who === "a disk that is full" && ++written > 200) throw error;
      write(...args);
    };
    function* some() {
      yield* elements.slice(0, 200);
      if (who === "what is to be added") throw error;
      yield* elements.slice(200);
    }
    const queue = new SimpleQueue({ path, durability: "full" }, { calls });
    const told: string[] = [];
    await expect(queue.addMany(some(), (names) => void told.push(...names))).rejects.toBe(error);
    expect([...queue]).toEqual(told);
    expect(told).toHaveLength(128);
    expect(open.size).toBe(0);
    expect(temporaries(path)).toEqual([]);
  });

  test("lets others work while the disk does", async () => {
    const queue = new SimpleQueue({ path, durability: "full" });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 0);
    await queue.addMany(elements);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
  });
});
