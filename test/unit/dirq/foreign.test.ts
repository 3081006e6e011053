// What no queue has written: names that are none, and things that are not what their names say.
import { spawnSync } from "node:child_process";
import { linkSync, lstatSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { inspect } from "node:util";
import { inspectQueue, SimpleQueue, type DirqError } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { atEveryCall, filesBelow } from "../../helpers/file-calls.js";

const NAME = "6553f000/6553f001000000";
const LATER = "6553f0ff/6553f0ff000000";

let top: string;
let path: string;
let queue: SimpleQueue;
beforeEach(() => {
  top = temporaryDirectory("foreign");
  path = join(top, "queue");
  queue = new SimpleQueue({ path });
  mkdirSync(join(path, "6553f000"));
  mkdirSync(join(path, "6553f0ff"));
  writeFileSync(join(path, LATER), "later");
});
afterEach(() => removeDirectory(top));

const refusal = (code: string) => expect.objectContaining({ name: "DirqError", code }) as DirqError;
const nothing = { temporary: 0, locks: 0, directories: 0 };

const things: Record<string, (path: string) => unknown> = {
  "a directory": (path) => mkdirSync(path),
  "a symbolic link to a file": (path) => symlinkSync("/etc/passwd", path),
  "a symbolic link to a directory": (path) => symlinkSync("/etc", path),
  "a dangling symbolic link": (path) => symlinkSync("nowhere", path),
  "a fifo": (path) => spawnSync("mkfifo", [path]),
  "a socket": async (path) => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(top, "socket"), resolve));
    linkSync(join(top, "socket"), path);
    server.close(); // which takes the first name away
  },
  ...(canMakeDevices() && {
    "a device": (path: string) => makeDevice(path),
  }),
};

/** A device that never ends to give bytes, as /dev/zero. False: this account may not make any. */
function makeDevice(path: string): boolean {
  return spawnSync("mknod", [path, "c", "1", "5"]).status === 0;
}

function canMakeDevices(): boolean {
  const directory = temporaryDirectory("device");
  try {
    return makeDevice(join(directory, "zero"));
  } finally {
    removeDirectory(directory);
  }
}

describe.each(Object.entries(things))("%s", (_, make) => {
  test("named like an element is passed over, and keeps its directory", async () => {
    await make(join(path, NAME));
    expect(queue.count()).toBe(1);
    expect([...queue]).toEqual([LATER]);
    expect(inspectQueue(path).element(NAME)).toBeUndefined();
    expect(await queue.purge()).toEqual(nothing);
    expect(lstatSync(join(path, NAME)).isFile()).toBe(false);
  });

  test("in the place of a lock keeps the element locked, is never read and never purged", async () => {
    writeFileSync(join(path, NAME), "hello");
    await make(join(path, `${NAME}.lck`));
    expect(queue.lock(NAME)).toBe(false);
    expect(() => queue.get(NAME)).toThrow(refusal("DIRQ_BAD_DATA"));
    expect(await queue.purge()).toEqual(nothing);
    expect([...queue]).toEqual([NAME, LATER]);
  });
});

test.each([
  ["a plain file", (path: string) => writeFileSync(path, "")],
  ["a symbolic link to a directory of elements", (path: string) => symlinkSync("6553f0ff", path)],
])("%s named like an intermediate directory is not entered, and stays", async (_, make) => {
  make(join(path, "6553f0aa"));
  expect(queue.count()).toBe(1);
  expect([...queue]).toEqual([LATER]);
  expect(await queue.purge()).toEqual({ ...nothing, directories: 1 });
  expect(lstatSync(join(path, "6553f0aa")).isDirectory()).toBe(false);
});

test("files and directories with other names are not part of the queue", () => {
  for (const directory of ["6553F000", "6553f00", "6553f0000", "tmp", "6553f000.old"]) {
    mkdirSync(join(path, directory));
    writeFileSync(join(path, directory, "6553f001000000"), "");
  }
  for (const name of ["6553f00100000", "6553f0010000000", "6553F001000000", "6553f001000000.bak", "README"]) {
    writeFileSync(join(path, "6553f000", name), "");
  }
  expect(queue.count()).toBe(1);
  expect([...queue]).toEqual([LATER]);
});

test("an element whose lock has no element is not there, and the lock goes when it is old", async () => {
  writeFileSync(join(path, `${NAME}.lck`), "");
  expect([...queue]).toEqual([LATER]);
  expect(queue.lock(NAME)).toBe(false);
  const inAnHour = new SimpleQueue({ path }, { clock: () => (Date.now() + 3_600_000) * 1000 });
  expect(await inAnHour.purge()).toEqual({ ...nothing, locks: 1, directories: 1 });
});

const badNames: unknown[] = [
  "",
  "/",
  "../../etc/passwd",
  "../6553f000/6553f001000000",
  "/6553f000/6553f001000000",
  "./6553f000/6553f001000000",
  "6553f000/../6553f001000000",
  "6553f000//6553f001000000",
  "6553f000/6553f001000000/",
  "6553f000/6553f001000000\0",
  "6553f000/6553f001000000\n",
  "6553f000/6553f001000000.lck",
  "6553F000/6553F001000000",
  "6553f00/6553f001000000",
  "6553f0000/6553f001000000",
  "6553f000/6553f00100000",
  "6553f000/6553f0010000000",
  "6553f001000000",
  undefined,
  null,
  7,
  7n,
  Symbol("name"),
  [NAME],
  { toString: () => NAME },
];

test.each(badNames.map((name) => [inspect(name), name]))(
  "%s is DIRQ_BAD_NAME before any file call",
  async (_, name) => {
    const reached = await atEveryCall((moment) => {
      const queue = new SimpleQueue({ path }, moment);
      moment.arm(() => {});
      for (const call of ["lock", "unlock", "touch", "get", "getPath", "remove"] as const) {
        expect(() => queue[call](name as string)).toThrow(refusal("DIRQ_BAD_NAME"));
      }
    });
    expect(reached).toEqual([]);
    expect(filesBelow(path)).toEqual([LATER]);
  },
);
