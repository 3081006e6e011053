// File calls that fail, at every moment of every operation of a simple queue.
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue } from "@spoolwire/dirq";
import { expect } from "vitest";
import { asAnotherAccount, failingCalls } from "../../helpers/failing-calls.js";

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

failingCalls(
  {
    open: (path, surroundings) => new SimpleQueue({ path }, surroundings),
    add: (queue, body) => queue.add(body),
    get: (queue, name) => String(queue.get(name)),
    body: String,
  },
  {
    add: { run: (queue) => queue.add("body"), done: ["body"], failed: [[]], unnoticed: 1 },
    addPath: {
      prepare: source,
      run: (queue, _, top) => queue.addPath(sourceIn(top)),
      done: ["body"],
      failed: [[]],
      checkFailed: (top) => expect(readdirSync(top)).toContain("source"),
    },
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
  },
);
