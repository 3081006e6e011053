import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NullQueue, type DirqError } from "@spoolwire/dirq";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { queueContract } from "../../helpers/queue-contract.js";

queueContract("NullQueue", ({ path }, surroundings) => new NullQueue({ path }, surroundings), {
  only: [
    "of an empty queue finds nothing",
    "of a queue without any is empty",
    "of an empty queue find nothing",
    "what is no name is DIRQ_BAD_NAME everywhere, before any file call",
  ],
});

let top: string;
beforeEach(() => (top = temporaryDirectory("null")));
afterEach(() => removeDirectory(top));

test("what is added is gone", () => {
  const queue = new NullQueue();
  for (const element of ["hello", Buffer.from("hello"), { body: "hello" }, undefined]) {
    expect(queue.add(element)).toBe("");
  }
  expect([queue.count(), queue.first(), queue.next(), [...queue]]).toEqual([0, undefined, undefined, []]);
});

test("addPath removes the file", () => {
  const file = join(top, "file");
  writeFileSync(file, "hello");
  expect(new NullQueue().addPath(file)).toBe("");
  expect(existsSync(file)).toBe(false);
  expect(() => new NullQueue().addPath(file)).toThrow(expect.objectContaining({ code: "ENOENT" }));
});

test("addPath of a directory is DIRQ_BAD_DATA, and it stays", () => {
  mkdirSync(join(top, "directory"));
  expect(() => new NullQueue().addPath(join(top, "directory"))).toThrow(
    expect.objectContaining({ code: "DIRQ_BAD_DATA" }),
  );
  expect(existsSync(join(top, "directory"))).toBe(true);
});

test("no name is that of an element", () => {
  const queue = new NullQueue();
  for (const name of ["", "5f9c1a40/5f9c1a6d0b2c4e"]) {
    for (const call of ["lock", "unlock", "touch", "get", "remove"] as const) {
      expect(() => queue[call](name)).toThrow(
        expect.objectContaining({ name: "DirqError", code: "DIRQ_BAD_NAME" }) as DirqError,
      );
    }
  }
});

test("it makes nothing on disk, and a path is only what it calls itself", () => {
  const path = join(top, "queue");
  const queue = new NullQueue({ path });
  queue.add("hello");
  expect(existsSync(path)).toBe(false);
  expect([queue.path, queue.copy().path, new NullQueue().path]).toEqual([path, path, ""]);
});

test("all null queues are one", () => {
  expect(new NullQueue({ path: "a" }).id).toBe(new NullQueue().copy().id);
});

test("a purge has nothing to do, but its options and its signal count", async () => {
  const queue = new NullQueue();
  expect(await queue.purge({ maxlock: 5 })).toEqual({ temporary: 0, locks: 0, directories: 0 });
  await expect(queue.purge({ maxlock: -1 })).rejects.toThrow("`maxlock`");
  await expect(queue.purge({ signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "AbortError" });
});
