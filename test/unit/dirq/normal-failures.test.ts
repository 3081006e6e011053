// File calls that fail, at every moment of every operation of a normal queue.
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NormalQueue, type Fields, type NormalQueueOptions } from "@spoolwire/dirq";
import { describe, expect } from "vitest";
import { asAnotherAccount, failingCalls, type Type } from "../../helpers/failing-calls.js";

/** One element has both fields, so that there is a half of it. */
const fields = (body: string) => ({ body, header: { of: body } });

const element = (queue: NormalQueue) => queue.add(fields("body"));

function locked(queue: NormalQueue): string {
  const name = element(queue);
  queue.lock(name);
  return name;
}

function remnants(queue: NormalQueue): string {
  for (const directory of ["temporary", "obsolete"]) {
    const path = join(queue.path, directory, "6553f000000000");
    mkdirSync(path);
    writeFileSync(join(path, "body"), "");
    utimesSync(path, 1, 1);
  }
  const name = locked(queue);
  utimesSync(join(queue.path, name), 1, 1);
  mkdirSync(join(queue.path, "00000001"));
  mkdirSync(join(queue.path, "00000002"));
  return name;
}

const untouched = { done: ["body"], failed: [["body"]] };

const type = (options: Partial<NormalQueueOptions> = {}): Type<NormalQueue> => ({
  open: (path, surroundings) =>
    new NormalQueue(
      { path, schema: { body: "string", header: "table", note: "string?" }, ...options },
      surroundings,
    ),
  add: (queue, body) => queue.add(fields(body)),
  get: (queue, name) => queue.get(name).body as string,
  body: (element) => {
    const { body, header } = element as Fields;
    expect(header).toEqual({ of: body });
    return body as string;
  },
});

const add = { run: (queue: NormalQueue) => queue.add(fields("body")), done: ["body"] };
const addMany = {
  run: (queue: NormalQueue) => queue.addMany(["one", "two"].map(fields)),
  done: ["one", "two"],
};

failingCalls(type(), {
  add: { ...add, failed: [[]] },
  addMany: { ...addMany, failed: [[], ["one"]] },
  lock: { prepare: element, run: (queue, name) => queue.lock(name), ...untouched },
  get: { prepare: locked, run: (queue, name) => queue.get(name), ...untouched },
  touch: { prepare: locked, run: (queue, name) => queue.touch(name), ...untouched },
  "touch by another account": {
    prepare: locked,
    run: (queue, name) => queue.touch(name),
    calls: asAnotherAccount,
    ...untouched,
  },
  unlock: { prepare: locked, run: (queue, name) => queue.unlock(name), ...untouched },
  // What is in obsolete is removed already, though some of it may be left for a purge.
  remove: { prepare: locked, run: (queue, name) => queue.remove(name), done: [], failed: [["body"], []] },
  count: { prepare: element, run: (queue) => queue.count(), ...untouched },
  iteration: { prepare: element, run: (queue) => [...queue], ...untouched },
  purge: { prepare: remnants, run: (queue) => queue.purge(), ...untouched },
});

// After a sync, a close has nothing more to tell: those of 4 fields and 2 directories. And three calls a field only
// hasten the sync.
describe("in mode file", () => {
  failingCalls(type({ durability: "file" }), {
    add: { ...add, failed: [[]] },
    addMany: { ...addMany, failed: [[]], unnoticed: 18 },
  });
});

// And the close of 2 directories more.
describe("in mode full", () => {
  failingCalls(type({ durability: "full" }), {
    add: { ...add, failed: [[]] },
    addMany: { ...addMany, failed: [[]], unnoticed: 20 },
  });
});
