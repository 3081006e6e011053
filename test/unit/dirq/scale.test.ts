// Many elements, and many intermediate directories: what a walk and a purge may cost.
import { execFileSync } from "node:child_process";
import fs, { mkdirSync, readdirSync, rmdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { SimpleQueue, type FileCalls } from "@spoolwire/dirq";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { elementName, fill } from "../../bench/fill.js";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { root } from "../../helpers/embedded.js";

/** More names than are read at a time. */
const MANY = 5000;

let path: string;
beforeEach(() => (path = temporaryDirectory("scale", inMemory)));
afterEach(() => {
  vi.restoreAllMocks();
  removeDirectory(path);
});

const makeElements = (count: number) => fill(path, count, count);

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
      first: elementName(0),
      last: elementName(count - 1),
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
  expect(queue.first()).toBe(elementName(0));
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

test("who consumes pauses within a very large directory, and leaves none open", async () => {
  makeElements(MANY);
  const abort = new AbortController();
  let [isOpen, read] = [false, 0];
  const opendirSync = (...args: Parameters<typeof fs.opendirSync>) => {
    const directory = fs.opendirSync(...args);
    const first = directory.readSync();
    isOpen = true;
    return {
      // So many that it would take long to make them.
      readSync: () => {
        if (++read === 50_000) abort.abort();
        const name = read.toString(16).padStart(14, "0");
        return read < 500_000 ? (Object.create(first, { name: { value: name } }) as fs.Dirent) : null;
      },
      closeSync: () => (directory.closeSync(), (isOpen = false)),
    };
  };
  const queue = new SimpleQueue({ path }, { calls: { ...fs, opendirSync } as unknown as FileCalls });
  expect(await queue.consume({ signal: abort.signal }).next()).toEqual({ done: true, value: undefined });
  expect(read).toBeGreaterThanOrEqual(50_000);
  expect(read).toBeLessThan(300_000);
  expect(isOpen).toBe(false);
});

test("what a purge removes from a large directory, and from a queue of many, is met nevertheless", async () => {
  for (let n = 0; n < MANY; n++) mkdirSync(join(path, String(n).padStart(8, "0")));
  makeElements(MANY);
  const { calls, most } = watchfulCalls();
  const late = new SimpleQueue({ path }, { calls, clock: () => (Date.now() + 3_600_000) * 1000 });
  for (const name of late) late.lock(name);
  const longAgo = new Date(0);
  fs.utimesSync(join(path, elementName(0)), longAgo, longAgo);
  expect(await late.purge()).toEqual({ temporary: 0, locks: MANY, directories: MANY });
  expect(readdirSync(path)).toEqual([dirname(elementName(0))]);
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
      if (directory.endsWith(dirname(elementName(0)))) throw vanished;
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
