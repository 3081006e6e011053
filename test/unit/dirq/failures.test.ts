// File calls that fail, at every moment of every operation.
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue, type FileCalls } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { atEveryCall } from "../../helpers/file-calls.js";
import { takeAll } from "../../helpers/queue-contract.js";

let top: string;
let path: string;
beforeEach(() => {
  top = temporaryDirectory("failures");
  path = join(top, "queue");
});
afterEach(() => removeDirectory(top));

interface Operation {
  /** Make what the operation needs. Returns the name of its element, if it needs one. */
  prepare?(this: void, queue: SimpleQueue): string;
  run(this: void, queue: SimpleQueue, name: string): unknown;
  /** The bodies that are in the queue afterwards. */
  readonly done: string[];
  /** The bodies that may be in the queue after a failure. */
  readonly failed: string[][];
  /** How many of its calls may fail unnoticed, because a purge sets right what they did not. */
  readonly unnoticed?: number;
  readonly calls?: (calls: FileCalls) => FileCalls;
}

const element = (queue: SimpleQueue) => queue.add("body");

function locked(queue: SimpleQueue): string {
  const name = queue.add("body");
  queue.lock(name);
  return name;
}

function source(): string {
  rmSync(join(top, "source"), { force: true });
  writeFileSync(join(top, "source"), "body");
  return "";
}

function remnants(queue: SimpleQueue): string {
  const directory = join(path, "00000000");
  mkdirSync(directory);
  for (const name of ["00000000000000.tmp", "00000000000001.lck"]) {
    writeFileSync(join(directory, name), "");
    utimesSync(join(directory, name), 1, 1);
  }
  return locked(queue);
}

/** The file calls of one who may write to the elements, but is not their owner. */
const asAnotherAccount = (calls: FileCalls) =>
  new Proxy(calls, {
    get: (calls, name) => {
      if (name !== "lutimesSync") return Reflect.get(calls, name) as unknown;
      return () => {
        throw Object.assign(new Error("not the owner"), { code: "EPERM" });
      };
    },
  });

const identity = (calls: FileCalls) => calls;

const untouched = { done: ["body"], failed: [["body"]] };

const operations: Record<string, Operation> = {
  add: { run: (queue) => queue.add("body"), done: ["body"], failed: [[]], unnoticed: 1 },
  addPath: {
    prepare: source,
    run: (queue) => queue.addPath(join(top, "source")),
    done: ["body"],
    failed: [[]],
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
};

describe.each(Object.entries(operations))(
  "a file call of %s that fails is told, and does no harm:",
  (...args) => {
    const [name, { prepare, run, done, failed, unnoticed = 0, calls = identity }] = args;

    test.each(["EIO", "ENOSPC", "EROFS", "EACCES", "EMFILE"])("%s", async (code) => {
      let told = 0;
      const reached = await atEveryCall(async (moment) => {
        rmSync(path, { recursive: true, force: true });
        const queue = new SimpleQueue({ path }, { calls: calls(moment.calls) });
        const element = prepare?.(queue) ?? "";
        const error = moment.fail(code);
        let thrown: unknown;
        try {
          await run(queue, element);
        } catch (reason) {
          thrown = reason;
        }
        moment.disarm();
        expect(moment.made).toBeLessThan(30);

        // A lock that failed is no lock.
        const isFree = name.startsWith("lock") && queue.lock(element);
        // The object goes on working.
        const more = queue.add("more");
        expect(queue.lock(more)).toBe(true);
        expect(String(queue.get(more))).toBe("more");
        expect(queue.remove(more)).toBe(true);
        await queue.purge();

        const late = new SimpleQueue({ path }, { clock: () => (Date.now() + 3_600_000) * 1000 });
        const bodies = (await takeAll(late)).map(String);
        if (thrown === undefined) {
          expect(bodies).toEqual(done);
        } else {
          told++;
          expect(thrown).toBe(error);
          if (name.startsWith("lock")) expect(isFree).toBe(true);
          expect(failed).toContainEqual(bodies);
          if (name === "addPath") expect(readdirSync(top)).toContain("source");
        }
      });
      expect(reached).not.toEqual([]);
      expect(reached.length - told).toBe(unnoticed);
    });
  },
);
