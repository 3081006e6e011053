// Many elements, and many intermediate directories: what a walk and a purge may cost.
import { execFileSync } from "node:child_process";
import fs, { linkSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue, type FileCalls } from "@spoolwire/dirq";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fastest, makeDirectory } from "../../bench/place.js";
import { removeDirectory } from "../../helpers/broker.js";
import { root } from "../../helpers/embedded.js";

const DIRECTORY = "6553f100";

/** More names than are read at a time. */
const MANY = 5000;

let path: string;
beforeEach(() => (path = makeDirectory(fastest)));
afterEach(() => {
  vi.restoreAllMocks();
  removeDirectory(path);
});

const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0");
const element = (n: number) => DIRECTORY + hex(n, 6);

/** Make elements in one directory, out of order: hard links of one file, which is quick. */
function makeElements(count: number): void {
  mkdirSync(join(path, DIRECTORY));
  const [first, ...others] = Array.from({ length: count }, (_, n) => element((n * 7919) % count));
  writeFileSync(join(path, DIRECTORY, first!), "");
  for (const name of others) linkSync(join(path, DIRECTORY, first!), join(path, DIRECTORY, name));
}

/** The file calls, and the most names that one of them has given at once. */
function watchfulCalls(): { calls: FileCalls; most: () => number } {
  let most = 0;
  const list = (...args: Parameters<typeof readdirSync>) => {
    const names = readdirSync(...args);
    most = Math.max(most, names.length);
    return names;
  };
  return { calls: { ...fs, readdirSync: list } as unknown as FileCalls, most: () => most };
}

const hasProc = fs.existsSync("/proc/self/status");

test.runIf(hasProc)(
  "100,000 elements in one directory are walked in order, in little memory",
  { timeout: 60_000 },
  () => {
    const count = 100_000;
    makeElements(count);
    const walk = join(root, "test/fixtures/dirq-walk.mjs");
    const { grown, ...found } = JSON.parse(
      execFileSync(process.execPath, [walk, path], { encoding: "utf8" }),
    ) as Record<string, unknown>;
    expect(found).toEqual({
      first: `${DIRECTORY}/${element(0)}`,
      last: `${DIRECTORY}/${element(count - 1)}`,
      count,
      met: count,
      isInOrder: true,
      purged: { temporary: 0, locks: 0, directories: 0 },
    });
    // The numbers take 2 MB, and the rest is Node's own; lists of names would be more than 60.
    expect(grown).toBeGreaterThan(0);
    expect(grown).toBeLessThan(30);
  },
);

test("a large directory is never read as a whole", async () => {
  makeElements(MANY);
  const { calls, most } = watchfulCalls();
  const queue = new SimpleQueue({ path }, { calls });
  expect(queue.first()).toBe(`${DIRECTORY}/${element(0)}`);
  expect([...queue]).toHaveLength(MANY);
  expect(queue.count()).toBe(MANY);
  await queue.purge();
  expect(most()).toBeLessThan(10);
});

test("a purge pauses within a large directory", async () => {
  makeElements(MANY);
  let now = Date.now();
  vi.spyOn(Date, "now").mockImplementation(() => (now += 1000));
  let turns = 0;
  let done = false;
  const count = () => {
    turns++;
    if (!done) setImmediate(count);
  };
  setImmediate(count);
  await new SimpleQueue({ path }).purge();
  done = true;
  expect(turns).toBeGreaterThan(MANY);
});

test("what a purge removes from a large directory, and from a queue of many, is met nevertheless", async () => {
  for (let n = 0; n < MANY; n++) mkdirSync(join(path, hex(n, 8)));
  makeElements(MANY);
  const { calls, most } = watchfulCalls();
  const late = new SimpleQueue({ path }, { calls, clock: () => (Date.now() + 3_600_000) * 1000 });
  for (const name of late) late.lock(name);
  const longAgo = new Date(0);
  fs.utimesSync(join(path, DIRECTORY, element(0)), longAgo, longAgo);
  expect(await late.purge()).toEqual({ temporary: 0, locks: MANY, directories: MANY });
  expect(readdirSync(path)).toEqual([DIRECTORY]);
  expect(most()).toBeLessThan(10);
});

test("what vanishes while it is looked at, for its directory tells no types, takes no other with it", () => {
  makeElements(3);
  const vanished = Object.assign(new Error("vanished"), { code: "ENOENT" });
  let isMissing = true;
  // As Node does where it has to look at each entry.
  const calls = {
    ...fs,
    readdirSync: (directory: string, options: { withFileTypes: true }) => {
      if (directory.endsWith(DIRECTORY)) throw vanished;
      return readdirSync(directory, options);
    },
    opendirSync: (...args: Parameters<typeof fs.opendirSync>) => {
      const directory = fs.opendirSync(...args);
      const read = directory.readSync.bind(directory);
      directory.readSync = () => {
        if (!isMissing) return read();
        isMissing = false;
        throw vanished;
      };
      return directory;
    },
  } as unknown as FileCalls;
  expect([...new SimpleQueue({ path }, { calls })]).toHaveLength(3);
  expect(isMissing).toBe(false);
});

test("a large directory that is removed while it is walked ends the walk", () => {
  makeElements(MANY);
  let names = 0;
  const calls = {
    ...fs,
    opendirSync: (...args: Parameters<typeof fs.opendirSync>) => {
      const directory = fs.opendirSync(...args);
      const read = directory.readSync.bind(directory);
      directory.readSync = () => {
        if (++names === 100) {
          for (const name of readdirSync(args[0])) fs.unlinkSync(join(args[0] as string, name));
          rmdirSync(args[0]);
        }
        return read();
      };
      return directory;
    },
  } as unknown as FileCalls;
  expect(new SimpleQueue({ path }, { calls }).count()).toBeLessThan(MANY);
  expect(names).toBeGreaterThan(100);
});
