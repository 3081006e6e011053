import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue, type PurgeOptions, type QueueOptions } from "@spoolwire/dirq";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { filesBelow } from "../../helpers/file-calls.js";

/** Seconds since the epoch. */
const NOW = 1_700_000_000;

let path: string;
beforeEach(() => (path = temporaryDirectory("purge")));
afterEach(() => {
  vi.restoreAllMocks();
  removeDirectory(path);
});

const open = (options: Partial<QueueOptions> = {}) =>
  new SimpleQueue({ path, ...options }, { clock: () => NOW * 1e6 });

/** Make a file of this age, and its directory. */
function make(name: string, age: number): void {
  mkdirSync(join(path, name, ".."), { recursive: true });
  writeFileSync(join(path, name), "");
  utimesSync(join(path, name), NOW - age, NOW - age);
}

test("removes temporary files and locks that are older than their limits, and nothing else", async () => {
  const element = "6553f000/6553f001000000";
  const young = ["6553f000/6553f001000010.tmp", "6553f000/6553f001000020.lck"];
  make(element, 1e6);
  make(young[0]!, 300);
  make(young[1]!, 600);
  make("6553f000/6553f001000030.tmp", 301);
  make("6553f000/6553f001000040.tmp", 1e6);
  make("6553f000/6553f001000050.lck", 601);
  expect(await open().purge()).toEqual({ temporary: 2, locks: 1, directories: 0 });
  expect(filesBelow(path)).toEqual([element, ...young]);
});

test.each<[string, Partial<QueueOptions>, PurgeOptions, string]>([
  ["the queue's limits", { maxtemp: 50, maxlock: 150 }, {}, ""],
  [
    "the limits of the call before the queue's",
    { maxtemp: 0, maxlock: 0 },
    { maxtemp: 50, maxlock: 150 },
    "",
  ],
  ["maxtemp 0 as never", { maxtemp: 0, maxlock: 150 }, {}, "tmp"],
  ["maxlock 0 as never", { maxtemp: 50, maxlock: 0 }, {}, "lck"],
  ["maxtemp 0 of the call as never", { maxtemp: 50, maxlock: 150 }, { maxtemp: 0 }, "tmp"],
  ["maxlock 0 of the call as never", { maxtemp: 50, maxlock: 150 }, { maxlock: 0 }, "lck"],
  ["default limits of 300 and 600 seconds", {}, {}, "lck,tmp"],
])("takes %s", async (_, queue, call, kept) => {
  make("6553f000/6553f001000000.tmp", 100);
  make("6553f000/6553f001000000.lck", 200);
  const report = await open(queue).purge(call);
  const left = filesBelow(path).map((name) => name.slice(-3));
  expect(left.join()).toBe(kept);
  expect(report.temporary + report.locks).toBe(2 - left.length);
});

test.each<[string, object]>([
  ["maxlock", { maxlock: -1 }],
  ["maxlock", { maxlock: Number.NaN }],
  ["maxtemp", { maxtemp: "5" }],
  ["maxlok", { maxlok: 5 }],
])("refuses a bad %s, and removes nothing", async (name, options) => {
  make("6553f000/6553f001000000.lck", 1e6);
  await expect(open().purge(options)).rejects.toThrow(`\`${name}\``);
  expect(filesBelow(path)).toHaveLength(1);
});

test("removes the empty directories, but the last one stays, empty or not", async () => {
  for (const name of ["6553f000", "6553f001", "6553f002"]) mkdirSync(join(path, name));
  expect((await open().purge()).directories).toBe(2);
  expect(readdirSync(path)).toEqual(["6553f002"]);
  make("6553f003/6553f003000000", 0);
  expect((await open().purge()).directories).toBe(1);
  expect(readdirSync(path)).toEqual(["6553f003"]);
});

test("removes a directory that it has just emptied", async () => {
  make("6553f000/6553f001000000.lck", 1e6);
  mkdirSync(join(path, "6553f001"));
  expect(await open().purge()).toEqual({ temporary: 0, locks: 1, directories: 1 });
});

test("leaves foreign names alone, at any age, and the directories that have them", async () => {
  const foreign = [
    "6553f000/README.tmp",
    "6553f000/6553f001000000.tmp.bak",
    "6553f001/6553F001000000.lck",
    "6553f002/6553f0010000.lck",
    "6553f003/.lck",
    "archive/6553f001000000.tmp",
    "6553F000/6553f001000000.tmp",
    "core.tmp",
  ].sort();
  for (const name of foreign) make(name, 1e6);
  mkdirSync(join(path, "6553ffff"));
  expect(await open().purge()).toEqual({ temporary: 0, locks: 0, directories: 0 });
  expect(filesBelow(path)).toEqual(foreign);
});

test("leaves what only looks like a temporary file or a lock", async () => {
  mkdirSync(join(path, "6553f000", "6553f001000000.tmp"), { recursive: true });
  utimesSync(join(path, "6553f000", "6553f001000000.tmp"), 1, 1);
  expect((await open().purge()).temporary).toBe(0);
  expect(existsSync(join(path, "6553f000", "6553f001000000.tmp"))).toBe(true);
});

/** Let every look at the clock find the slice over. */
function makeSlicesShort(): void {
  let now = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => (now += 1000));
}

/** How many turns of the event loop a piece of work leaves to others. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let done = false;
  const count = () => {
    turns++;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  await work;
  done = true;
  return turns;
}

test.each([
  ["many old files", (n: number) => make(`6553f000/6553f00100000${n}.tmp`, 1e6)],
  ["many elements", (n: number) => make(`6553f000/6553f00100000${n}`, 1e6)],
  ["many empty directories", (n: number) => mkdirSync(join(path, `6553f00${n}`))],
])("lets the event loop run between slices: %s", async (_, makeOne) => {
  for (let n = 0; n < 9; n++) makeOne(n);
  makeSlicesShort();
  expect(await turnsDuring(open().purge())).toBeGreaterThan(5);
});

test("stops between two slices when the signal says so, and what is done stays done", async () => {
  for (let n = 0; n < 9; n++) make(`6553f000/6553f00100000${n}.tmp`, 1e6);
  makeSlicesShort();
  const controller = new AbortController();
  const purge = open().purge({ signal: controller.signal });
  setImmediate(() => controller.abort());
  await expect(purge).rejects.toMatchObject({ name: "AbortError" });
  const left = filesBelow(path).length;
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(9);
  expect((await open().purge()).temporary).toBe(left);
});
