// File calls that fail, at every moment of every operation of a simple queue.
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue, type QueueOptions } from "@spoolwire/dirq";
import { describe, expect } from "vitest";
import { asAnotherAccount, failingCalls, type Type } from "../../helpers/failing-calls.js";

const element = (queue: SimpleQueue) => queue.add("body");

function locked(queue: SimpleQueue): string {
  const name = queue.add("body");
  queue.lock(name);
  return name;
}

const sourceIn = (top: string) => join(top, "source");

function source(_: SimpleQueue, top: string): string {
  rmSync(sourceIn(top), { force: true });
  writeFileSync(sourceIn(top), "body");
  return "";
}

function remnants(queue: SimpleQueue): string {
  const directory = join(queue.path, "00000000");
  mkdirSync(directory);
  for (const name of ["00000000000000.tmp", "00000000000001.lck"]) {
    writeFileSync(join(directory, name), "");
    utimesSync(join(directory, name), 1, 1);
  }
  return locked(queue);
}

const untouched = { done: ["body"], failed: [["body"]] };

const type = (options: Partial<QueueOptions> = {}): Type<SimpleQueue> => ({
  open: (path, surroundings) => new SimpleQueue({ path, ...options }, surroundings),
  add: (queue, body) => queue.add(body),
  get: (queue, name) => String(queue.get(name)),
  body: String,
});

// The temporary file has a second name by then, which is left to a purge.
const add = { run: (queue: SimpleQueue) => queue.add("body"), done: ["body"], unnoticed: 1 };
const addMany = { run: (queue: SimpleQueue) => queue.addMany(["one", "two"]), done: ["one", "two"] };
const addPath = {
  prepare: source,
  run: (queue: SimpleQueue, _: string, top: string) => queue.addPath(sourceIn(top)),
  done: ["body"],
  failed: [[]],
  checkFailed: (top: string) => expect(readdirSync(top)).toContain("source"),
};

failingCalls(type(), {
  add: { ...add, failed: [[]] },
  addMany: { ...addMany, failed: [[], ["one"]], unnoticed: 2 },
  addPath,
  lock: { prepare: element, run: (queue, name) => queue.lock(name), ...untouched },
  "lock by another account": {
    prepare: element,
    run: (queue, name) => queue.lock(name),
    calls: asAnotherAccount,
    ...untouched,
  },
  get: { prepare: locked, run: (queue, name) => queue.get(name), ...untouched },
  touch: { prepare: locked, run: (queue, name) => queue.touch(name), ...untouched },
  unlock: { prepare: locked, run: (queue, name) => queue.unlock(name), ...untouched },
  // It may be the lock of a removed element that could not be removed.
  remove: { prepare: locked, run: (queue, name) => queue.remove(name), done: [], failed: [["body"], []] },
  count: { prepare: element, run: (queue) => queue.count(), ...untouched },
  iteration: { prepare: element, run: (queue) => [...queue], ...untouched },
  purge: { prepare: remnants, run: (queue) => queue.purge(), ...untouched },
});

// After a sync, a close has nothing more to tell; and three calls a file only hasten the sync.
describe("in mode file", () => {
  failingCalls(type({ durability: "file" }), {
    add: { ...add, failed: [[]] },
    addMany: { ...addMany, failed: [[]], unnoticed: 10 },
  });
});

// And the close of 2 directories more.
describe("in mode full", () => {
  failingCalls(type({ durability: "full" }), {
    add: { ...add, failed: [[]] },
    addMany: { ...addMany, failed: [[]], unnoticed: 12 },
    addPath,
  });
});
