// What `get` of the simple queue reads, and what it must not.
import { spawnSync } from "node:child_process";
import fs, { closeSync, constants, linkSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue, type DirqError } from "@spoolwire/dirq";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let path: string;
beforeEach(() => (path = temporaryDirectory("get")));
afterEach(() => removeDirectory(path));

const badData = expect.objectContaining({ name: "DirqError", code: "DIRQ_BAD_DATA" }) as DirqError;
const page = 4096;

test.each([0, 1, page - 1, page, page + 1, 16 * page - 1, 16 * page, 16 * page + 1, 100_000])(
  "an element of %d bytes comes back as it was, and is the caller's own",
  (size) => {
    const queue = new SimpleQueue({ path });
    const body = Buffer.alloc(size, "spoolwire");
    const name = queue.add(body);
    queue.lock(name);
    const content = queue.get(name);
    const other = queue.add(Buffer.alloc(size, "x"));
    queue.lock(other);
    queue.get(other);
    expect(content.equals(body)).toBe(true);
  },
);

test("a file of which the disk gives only a part is an error, and no shorter element", () => {
  const failure = Object.assign(new Error("a bad sector"), { code: "EIO" });
  // As Linux does it: the pages before the bad one are read, and only the next read is the error.
  const readSync = (fd: number, buffer: Buffer, offset: number, length: number, position: number) => {
    if (position + offset >= 2 * page) throw failure;
    return fs.readSync(fd, buffer, offset, Math.min(length, 2 * page - position), position);
  };
  const queue = new SimpleQueue({ path }, { calls: { ...fs, readSync } as typeof fs });
  const name = queue.add(Buffer.alloc(3 * page + 7));
  queue.lock(name);
  expect(() => queue.get(name)).toThrow(failure);
});

test("a pipe with something in it keeps it", () => {
  const name = "6553f000/6553f001000000";
  mkdirSync(join(path, "6553f000"));
  spawnSync("mkfifo", [join(path, name)]);
  const fd = openSync(join(path, name), constants.O_RDWR | constants.O_NONBLOCK);
  try {
    writeSync(fd, "not yours");
    linkSync(join(path, name), join(path, `${name}.lck`));
    expect(() => new SimpleQueue({ path }).get(name)).toThrow(badData);
    const left = Buffer.alloc(100);
    expect(left.toString("utf8", 0, readSync(fd, left))).toBe("not yours");
  } finally {
    closeSync(fd);
  }
});
