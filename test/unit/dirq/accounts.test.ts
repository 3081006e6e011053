// Several accounts on one simple queue: what the rights on files and directories allow.
import { chmodSync, lstatSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue, type QueueOptions } from "@spoolwire/dirq";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { asNobody, isRoot } from "../../helpers/accounts.js";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { filesBelow } from "../../helpers/file-calls.js";

/** Microseconds since the epoch. */
const NOW = 1_700_000_000_123_456;

let top: string;
let path: string;
beforeEach(() => {
  top = temporaryDirectory("accounts");
  path = join(top, "queue");
});
afterEach(() => {
  vi.useRealTimers();
  removeDirectory(top);
});

const open = (options: Partial<QueueOptions> = {}, now = NOW) =>
  new SimpleQueue({ path, ...options }, { clock: () => now });

const file = (name: string) => join(path, name);

test.runIf(isRoot)("another account that may write an element may lock and touch it", () => {
  chmodSync(top, 0o755);
  const queue = open({ umask: 0 }, Date.now() * 1000);
  const name = queue.add("hello");
  utimesSync(file(name), 1, 1);
  asNobody(() => {
    expect(queue.lock(name)).toBe(true);
    expect(queue.get(name).toString()).toBe("hello");
  });
  const age = () => Date.now() - lstatSync(file(name)).mtimeMs;
  expect(age()).toBeLessThan(60_000);
  utimesSync(file(name), 1, 1);
  expect(asNobody(() => queue.touch(name))).toBe(true);
  expect(age()).toBeLessThan(60_000);
  expect(asNobody(() => queue.remove(name))).toBe(true);
  expect(filesBelow(path)).toEqual([]);
});

test.runIf(isRoot)("another account's element that may not be written cannot be locked, and stays", () => {
  chmodSync(top, 0o755);
  const queue = open({ umask: 0 }, Date.now() * 1000);
  const name = queue.add("hello");
  chmodSync(file(name), 0o644);
  asNobody(() => {
    // EPERM where the system protects hard links (fs.protected_hardlinks), else EACCES.
    expect(() => queue.lock(name)).toThrow(/^E(PERM|ACCES):/);
    expect([...queue]).toEqual([name]);
    expect(() => queue.remove(name)).toThrow(expect.objectContaining({ code: "DIRQ_NOT_LOCKED" }));
  });
  expect(filesBelow(path)).toEqual([name]);
  expect(queue.lock(name)).toBe(true);
  // Whoever may write to the directory may take a lock away, and the element with it: so it is with files.
  expect(asNobody(() => queue.unlock(name))).toBe(true);
});

test.runIf(isRoot)("a purge of a directory that may not be written to fails, and harms nothing", async () => {
  chmodSync(top, 0o755);
  const queue = open({ umask: 0 });
  const name = queue.add("hello");
  queue.lock(name);
  chmodSync(join(file(name), ".."), 0o755);
  const late = open({}, NOW + 3_600_000_000);
  await expect(asNobody(() => late.purge())).rejects.toMatchObject({ code: "EACCES" });
  expect(queue.get(name).toString()).toBe("hello");
  expect((await late.purge()).locks).toBe(1);
});

test("a directory without permission is EACCES, for a queue and for each call", () => {
  const queue = open();
  const name = queue.add("");
  const denied = expect.objectContaining({ code: "EACCES" }) as Error;
  chmodSync(top, 0);
  try {
    asNobody(() => {
      expect(() => open()).toThrow(denied);
      expect(() => queue.add("")).toThrow(denied);
      expect(() => queue.addPath("/etc/hostname")).toThrow(denied);
      expect(() => queue.count()).toThrow(denied);
      expect(() => queue.first()).toThrow(denied);
      for (const call of ["lock", "unlock", "touch", "get", "remove"] as const) {
        expect(() => queue[call](name)).toThrow(denied);
      }
    });
  } finally {
    chmodSync(top, 0o700);
  }
  expect([...queue]).toEqual([name]);
});
