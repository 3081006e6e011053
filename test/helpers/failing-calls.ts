// Operations of a queue of which one file call fails: the same judgement for every type of queue.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { DirQueue, FileCalls, Surroundings } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "./broker.js";
import { atEveryCall } from "./file-calls.js";
import { takeAll } from "./queue-contract.js";

export interface Operation<Queue> {
  /** Make what the operation needs. Returns the name of its element, if it needs one. */
  prepare?(this: void, queue: Queue, top: string): string;
  run(this: void, queue: Queue, name: string, top: string): unknown;
  /** The bodies that are in the queue afterwards. */
  readonly done: string[];
  /** The bodies that may be in the queue after a failure. */
  readonly failed: string[][];
  /** How many of its calls may fail unnoticed, because a purge sets right what they did not. */
  readonly unnoticed?: number;
  readonly calls?: (calls: FileCalls) => FileCalls;
  /** What else must hold after a failure. */
  checkFailed?(this: void, top: string): void;
}

/** What is to be known of a queue type. */
export interface Type<Queue> {
  open(this: void, path: string, surroundings: Surroundings): Queue;
  add(this: void, queue: Queue, body: string): string;
  get(this: void, queue: Queue, name: string): string;
  body(this: void, element: unknown): string;
}

/** The file calls of one who may write to the elements, but is not their owner. */
export const asAnotherAccount = (calls: FileCalls) =>
  new Proxy(calls, {
    get: (calls, name) => {
      if (name !== "lutimesSync") return Reflect.get(calls, name) as unknown;
      return () => {
        throw Object.assign(new Error("not the owner"), { code: "EPERM" });
      };
    },
  });

const identity = (calls: FileCalls) => calls;

/** Let every file call of these operations fail once, with every likely error. */
export function failingCalls<Queue extends DirQueue>(
  { open, add, get, body }: Type<Queue>,
  operations: Record<string, Operation<Queue>>,
): void {
  let top: string;
  beforeEach(() => (top = temporaryDirectory("failures", inMemory)));
  afterEach(() => removeDirectory(top));

  describe.each(Object.entries(operations))(
    "a file call of %s that fails is told, and does no harm:",
    (...args) => {
      const [name, { prepare, run, done, failed, unnoticed = 0, calls = identity, checkFailed }] = args;

      test.each(["EIO", "ENOSPC", "EROFS", "EACCES", "EMFILE"])("%s", async (code) => {
        const path = join(top, "queue");
        let told = 0;
        const reached = await atEveryCall(async (moment) => {
          rmSync(path, { recursive: true, force: true });
          const queue = open(path, { calls: calls(moment.calls) });
          const element = prepare?.(queue, top) ?? "";
          const error = moment.fail(code);
          let thrown: unknown;
          try {
            await run(queue, element, top);
          } catch (reason) {
            thrown = reason;
          }
          moment.disarm();
          // What was added before the failure is taken back, which are more calls than to add it.
          expect(moment.made).toBeLessThan(80);

          // A lock that failed is no lock.
          const isFree = name.startsWith("lock") && queue.lock(element);
          // The object goes on working.
          const more = add(queue, "more");
          expect(queue.lock(more)).toBe(true);
          expect(get(queue, more)).toBe("more");
          expect(queue.remove(more)).toBe(true);
          await queue.purge();

          const late = open(path, { clock: () => (Date.now() + 3_600_000) * 1000 });
          const bodies = (await takeAll(late)).map(body);
          if (thrown === undefined) {
            expect(bodies).toEqual(done);
          } else {
            told++;
            expect(thrown).toBe(error);
            if (name.startsWith("lock")) expect(isFree).toBe(true);
            expect(failed).toContainEqual(bodies);
            checkFailed?.(top);
          }
        });
        expect(reached).not.toEqual([]);
        expect(reached.length - told).toBe(unnoticed);
      });
    },
  );
}
