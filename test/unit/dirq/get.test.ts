// What `get` of the simple queue reads, and what it must not.
import { constants as limits } from "node:buffer";
import { spawnSync } from "node:child_process";
import fs, {
  closeSync,
  constants,
  linkSync,
  mkdirSync,
  openSync,
  readSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { NormalQueue, SimpleQueue, type DirqError } from "@spoolwire/dirq";
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

/** Files of whole pages look so large. */
const grown = (size: number) => (fd: number) => Object.assign(fs.fstatSync(fd), { size });

test("an element that is larger than the memory is moved aside, and the others are not kept waiting", async () => {
  const queue = new SimpleQueue({ path }, { calls: { ...fs, fstatSync: grown(2 ** 50) } as typeof fs });
  const name = queue.add(Buffer.alloc(page));
  queue.add("good");
  queue.lock(name);
  expect(() => queue.get(name)).toThrow(badData);
  expect(() => queue.get(name)).toThrow(
    `Expected ${join(path, name)}.lck to fit into memory, got ${2 ** 50} bytes`,
  );
  queue.unlock(name);
  const seen: string[] = [];
  for await (const element of queue.consume({ wait: 0 })) {
    seen.push(element.content.toString());
    element.done();
  }
  expect(seen).toEqual(["good"]);
  expect([...queue.quarantined()]).toMatchObject([{ element: name }]);
});

test("what is larger than Node reads at a time is read in parts", () => {
  const size = 2 ** 31 + 1;
  const lengths: number[] = [];
  const readSync = (_fd: number, _buffer: Buffer, _offset: number, length: number) => {
    lengths.push(length);
    return lengths.length === 1 ? page : length;
  };
  const queue = new SimpleQueue(
    { path },
    { calls: { ...fs, fstatSync: grown(size), readSync } as unknown as typeof fs },
  );
  const name = queue.add("large");
  queue.lock(name);
  expect(queue.get(name).length).toBe(size);
  expect(lengths.slice(1)).toEqual([2 ** 30, 2 ** 30, 1]);
});

test("a field that is longer than a string can be is bad data", () => {
  const queue = new NormalQueue({ path, schema: { body: "string" } });
  const name = queue.add({ body: "" });
  truncateSync(join(path, name, "body"), limits.MAX_STRING_LENGTH + 1);
  queue.lock(name);
  expect(() => queue.get(name)).toThrow(badData);
  expect(() => queue.get(name)).toThrow(`${join(path, name, "body")} is no string: `);
});
