// What every type of directory queue does, sentence by sentence of DirQueue's documentation.
import { existsSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { DirQueue, DirqError, DiskQueueOptions, Surroundings } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe as vitestDescribe, expect, test as vitestTest } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "./broker.js";
import { atEveryCall, remainsBelow } from "./file-calls.js";
import { consume } from "./rivals.js";

/** What a queue type has of its own where the contract leaves room. */
export interface Differences<Element> {
  /** The n-th of any number of different elements, equal to what `get` returns (default: a Buffer). */
  element(n: number): Element;
  /** Options with which elements that are added 10 s apart have a directory each (default: granularity 0). */
  scattered: object;
  /** Whether the last calls of an add come after the element is there, which may so fail (default: false). */
  staysAfterFailure: boolean;
  /** The only sentences that hold: the queue keeps no elements (default: all). */
  only: readonly string[];
}

type Open<Element> = (options: DiskQueueOptions, surroundings?: Surroundings) => DirQueue<Element>;

const NAME = /^[0-9a-f]{8}\/[0-9a-f]{14}$/;

/** What a call threw, which must be a DirqError with this code. */
const refusal = (code: string): Partial<DirqError> =>
  expect.objectContaining({ name: "DirqError", code }) as Partial<DirqError>;

/** The names that `first` and `next` give. */
function walk(queue: DirQueue): string[] {
  const names: string[] = [];
  for (let name = queue.first(); name !== undefined; name = queue.next()) names.push(name);
  return names;
}

/**
 * Clean up as the last one to use a queue and take all that is there; nothing but elements may be left, and
 * then nothing at all. `late` is the queue with a clock for which every lock and temporary file is old.
 * Returns the contents.
 */
export async function takeAll<Element>(late: DirQueue<Element>): Promise<Element[]> {
  await late.purge();
  const contents: Element[] = [];
  for (const name of late) {
    expect(late.lock(name)).toBe(true);
    contents.push(late.get(name));
    expect(late.remove(name)).toBe(true);
  }
  await late.purge();
  expect(remainsBelow(late.path)).toEqual([]);
  return contents;
}

/** Microseconds: a clock that can be set, starting now. */
function settableClock() {
  let offset = 0;
  const clock = () => Date.now() * 1000 + offset;
  return { clock, forward: (seconds: number) => void (offset += seconds * 1_000_000) };
}

/** Run the contract on a queue type. `open` opens a queue object, as often as it is called. */
export function queueContract<Element>(
  name: string,
  open: Open<Element>,
  differences: Partial<Differences<Element>> = {},
): void {
  const {
    element = (n: number) => Buffer.from(`element ${n}`) as Element,
    scattered = { granularity: 0 },
    staysAfterFailure = false,
    only,
  } = differences;
  const isKept = (sentence: string) => only === undefined || only.includes(sentence);
  // A group of sentences of which none is kept is none.
  const describe = only === undefined ? vitestDescribe : (_: string, group: () => void) => group();
  const test = (sentence: string, check: () => unknown) => {
    if (isKept(sentence)) vitestTest(sentence, async () => void (await check()));
  };

  vitestDescribe(`${name} keeps the contract of a queue:`, () => {
    let top: string;
    let path: string;
    beforeEach(() => {
      top = temporaryDirectory("contract", inMemory);
      path = join(top, "queue");
    });
    afterEach(() => removeDirectory(top));

    /** A queue object of this test, and the names of `n` elements that it has added. */
    const filled = (n: number, options: Partial<DiskQueueOptions> = {}, surroundings?: Surroundings) => {
      const queue = open({ path, ...options }, surroundings);
      return { queue, names: Array.from({ length: n }, (_, i) => queue.add(element(i))) };
    };
    const addOne = (options?: Partial<DiskQueueOptions>, surroundings?: Surroundings) => {
      const { queue, names } = filled(1, options, surroundings);
      return { queue, name: names[0]! };
    };

    describe("opening", () => {
      test("makes the directory and those above it", () => {
        const deep = join(path, "a", "b");
        expect(open({ path: deep }).path).toBe(deep);
        expect(existsSync(deep)).toBe(true);
      });

      test("leaves the elements of a queue that is there alone", () => {
        const { name } = addOne();
        expect([...open({ path })]).toEqual([name]);
      });
    });

    describe("add", () => {
      test("names elements after the time, in the order of adding", () => {
        const { queue, names } = filled(100);
        for (const name of names) expect(name).toMatch(NAME);
        expect([...queue]).toEqual(names);
        expect([...names].sort()).toEqual(names);
      });

      test("keeps the content exactly", () => {
        const { queue, names } = filled(20);
        for (const [n, name] of names.entries()) {
          queue.lock(name);
          expect(queue.get(name)).toEqual(element(n));
        }
      });

      test("shows an element to others whole or not at all", async () => {
        const reached = await atEveryCall((moment) => {
          removeDirectory(path);
          const writer = open({ path }, moment);
          const reader = open({ path });
          const seen: Element[] = [];
          moment.arm(() => {
            for (const name of reader) {
              if (reader.lock(name)) seen.push(reader.get(name));
            }
          });
          writer.add(element(1));
          for (const content of seen) expect(content).toEqual(element(1));
        });
        expect(reached).not.toEqual([]);
      });

      test("never replaces an element, though two writers make the same names", () => {
        const clock = () => 1_700_000_000_000_000;
        const writers = [0, 1].map(() => open({ path, rndhex: 7 }, { clock }));
        const names = Array.from({ length: 50 }, (_, n) => writers[n % 2]!.add(element(n)));
        expect(new Set(names).size).toBe(50);
        const reader = open({ path });
        for (const [n, name] of names.entries()) {
          reader.lock(name);
          expect(reader.get(name)).toEqual(element(n));
        }
      });

      test("that fails leaves nothing but what a purge removes, and the next one works", async () => {
        const reached = await atEveryCall(async (moment) => {
          removeDirectory(path);
          const { clock, forward } = settableClock();
          const queue = open({ path }, { calls: moment.calls, clock });
          const error = moment.fail("EIO");
          const both = [element(1), element(2)];
          let isAdded = false;
          try {
            queue.add(element(1));
            isAdded = true;
          } catch (thrown) {
            expect(thrown).toBe(error);
            isAdded = staysAfterFailure && queue.count() > 0;
          }
          moment.disarm();
          expect(queue.add(element(2))).toMatch(NAME);
          forward(3600);
          expect(await takeAll(queue)).toEqual(isAdded ? both : both.slice(1));
        });
        expect(reached).not.toEqual([]);
      });
    });

    describe("addMany", () => {
      const elements = (n: number) => Array.from({ length: n }, (_, i) => element(i));

      test("adds all, in order and unchanged, and none if there are none", async () => {
        const queue = open({ path });
        const names = await queue.addMany(elements(100));
        expect([...queue]).toEqual(names);
        for (const [n, name] of names.entries()) {
          queue.lock(name);
          expect(queue.get(name)).toEqual(element(n));
        }
        expect(await queue.addMany([])).toEqual([]);
      });

      test("tells of all that is added, in order, once it is there", async () => {
        const queue = open({ path });
        const told: string[] = [];
        const names = await queue.addMany(elements(100), (added) => {
          told.push(...added);
          expect(queue.count()).toBeGreaterThanOrEqual(told.length);
        });
        expect(told).toEqual(names);
      });

      test("shows each element to others whole or not at all, and one who takes them has each once", async () => {
        const reached = await atEveryCall(async (moment) => {
          removeDirectory(path);
          const { clock, forward } = settableClock();
          const writer = open({ path }, moment);
          const reader = open({ path }, { clock });
          const taken: Element[] = [];
          moment.arm(() => taken.push(...consume(reader)));
          expect(await writer.addMany(elements(3))).toHaveLength(3);
          forward(3600);
          expect([...taken, ...(await takeAll(reader))]).toEqual(elements(3));
        });
        expect(reached).not.toEqual([]);
      });

      test("that fails leaves nothing but whole elements and what a purge removes", async () => {
        const reached = await atEveryCall(async (moment) => {
          removeDirectory(path);
          const { clock, forward } = settableClock();
          const queue = open({ path }, { calls: moment.calls, clock });
          const error = moment.fail("EIO");
          let added = 0;
          let thrown: unknown;
          try {
            await queue.addMany(elements(3), (names) => void (added += names.length));
          } catch (reason) {
            thrown = reason;
          }
          expect(thrown).toBe(added === 3 ? undefined : error);
          moment.disarm();
          queue.add(element(3));
          forward(3600);
          const left = await takeAll(queue);
          const kept = left.length - 1;
          expect(kept).toBeGreaterThanOrEqual(added);
          expect(left).toEqual([...elements(kept), element(3)]);
        });
        expect(reached).not.toEqual([]);
      });
    });

    describe("lock", () => {
      test("is had by one only, until it unlocks", () => {
        const { queue, name } = addOne();
        const rival = open({ path });
        expect(queue.lock(name)).toBe(true);
        expect(rival.lock(name)).toBe(false);
        expect(queue.lock(name)).toBe(false);
        queue.unlock(name);
        expect(rival.lock(name)).toBe(true);
        expect(queue.lock(name)).toBe(false);
      });

      test("of an element that is gone is refused with false", () => {
        const { queue, name } = addOne();
        queue.lock(name);
        queue.remove(name);
        expect(queue.lock(name)).toBe(false);
        expect(remainsBelow(path)).toEqual([]);
      });

      test("that is not to be had is DIRQ_NOT_LOCKED when it is not permissive", () => {
        const { queue, name } = addOne();
        expect(queue.lock(name, false)).toBe(true);
        expect(() => queue.lock(name, false)).toThrow(refusal("DIRQ_NOT_LOCKED"));
        queue.remove(name);
        expect(() => queue.lock(name, false)).toThrow(refusal("DIRQ_NOT_LOCKED"));
      });
    });

    describe("unlock", () => {
      test("gives the element back unchanged", () => {
        const { queue, name } = addOne();
        queue.lock(name);
        expect(queue.unlock(name)).toBe(true);
        queue.lock(name);
        expect(queue.get(name)).toEqual(element(0));
      });

      test("without a lock is DIRQ_NOT_LOCKED, or false when it is permissive", () => {
        const { queue, name } = addOne();
        expect(() => queue.unlock(name)).toThrow(refusal("DIRQ_NOT_LOCKED"));
        expect(queue.unlock(name, true)).toBe(false);
        expect([...queue]).toEqual([name]);
      });
    });

    describe("touch", () => {
      test("makes a lock young again, so that no purge takes it for stale", async () => {
        const { clock, forward } = settableClock();
        const { queue, name } = addOne({}, { clock });
        queue.lock(name);
        forward(500);
        expect(queue.touch(name)).toBe(true);
        forward(500);
        expect((await queue.purge()).locks).toBe(0);
        forward(500);
        expect((await queue.purge()).locks).toBe(1);
      });

      test("of an element that is gone is false", () => {
        const { queue, name } = addOne();
        queue.lock(name);
        queue.remove(name);
        expect(queue.touch(name)).toBe(false);
      });
    });

    describe("get", () => {
      test("without a lock is DIRQ_NOT_LOCKED", () => {
        const { queue, name } = addOne();
        expect(() => queue.get(name)).toThrow(refusal("DIRQ_NOT_LOCKED"));
      });
    });

    describe("remove", () => {
      test("takes a locked element and its lock away", () => {
        const { queue, names } = filled(2);
        queue.lock(names[0]!);
        expect(queue.remove(names[0]!)).toBe(true);
        expect([...queue]).toEqual([names[1]]);
        expect(() => queue.get(names[0]!)).toThrow(refusal("DIRQ_NOT_LOCKED"));
      });

      test("without a lock is DIRQ_NOT_LOCKED, and the element stays", () => {
        const { queue, name } = addOne();
        expect(() => queue.remove(name)).toThrow(refusal("DIRQ_NOT_LOCKED"));
        queue.lock(name);
        expect(queue.get(name)).toEqual(element(0));
      });

      test("is true for one of two, and false or DIRQ_NOT_LOCKED for the other", async () => {
        const outcomes = new Set<unknown>();
        await atEveryCall((moment) => {
          removeDirectory(path);
          const { queue, name } = addOne({}, moment);
          const rival = open({ path });
          queue.lock(name);
          const both: unknown[] = [];
          const remove = (one: DirQueue) => {
            try {
              both.push(one.remove(name));
            } catch (error) {
              expect(error).toEqual(refusal("DIRQ_NOT_LOCKED"));
              both.push("DIRQ_NOT_LOCKED");
            }
            outcomes.add(both.at(-1));
          };
          moment.arm(() => remove(rival));
          remove(queue);
          expect(both.filter((outcome) => outcome === true)).toHaveLength(1);
          expect(remainsBelow(path)).toEqual([]);
        });
        expect([...outcomes]).toEqual(expect.arrayContaining([true, false]));
      });
    });

    describe("count, first, next and iterators", () => {
      test("of an empty queue find nothing", () => {
        const queue = open({ path });
        expect(queue.count()).toBe(0);
        expect(queue.first()).toBeUndefined();
        expect(queue.next()).toBeUndefined();
        expect([...queue]).toEqual([]);
      });

      test("find all elements, locked ones too", () => {
        const { queue, names } = filled(5);
        queue.lock(names[0]!);
        queue.lock(names[3]!);
        expect(queue.count()).toBe(5);
        expect(walk(queue)).toEqual(names);
        expect([...queue]).toEqual(names);
      });

      test("go on from the place of the last `first` or `next`", () => {
        const { queue, names } = filled(3);
        expect(queue.next()).toBeUndefined();
        expect([queue.first(), queue.next()]).toEqual([names[0], names[1]]);
        expect([queue.first(), queue.next(), queue.next()]).toEqual(names);
        expect([queue.next(), queue.next()]).toEqual([undefined, undefined]);
      });

      test("have a place of their own each", () => {
        const { queue, names } = filled(3);
        const [one, two] = [queue[Symbol.iterator](), queue[Symbol.iterator]()];
        expect([one.next().value, one.next().value]).toEqual([names[0], names[1]]);
        expect([queue.first(), two.next().value]).toEqual([names[0], names[0]]);
        expect([one.next().value, one.next().done]).toEqual([names[2], true]);
        expect([two.next().value, queue.next()]).toEqual([names[1], names[1]]);
      });
    });

    describe("purge", () => {
      test("of a healthy queue removes nothing", async () => {
        const { queue, names } = filled(3);
        queue.lock(names[1]!);
        expect(await queue.purge()).toEqual({ temporary: 0, locks: 0, directories: 0 });
        expect([...queue]).toEqual(names);
        expect(queue.unlock(names[1]!)).toBe(true);
      });

      test("unlocks what was locked longer ago than maxlock, and the element can be had again", async () => {
        const { clock, forward } = settableClock();
        const { queue, name } = addOne({}, { clock });
        queue.lock(name);
        forward(590);
        expect((await queue.purge()).locks).toBe(0);
        forward(20);
        expect((await queue.purge()).locks).toBe(1);
        expect(() => queue.get(name)).toThrow(refusal("DIRQ_NOT_LOCKED"));
        expect(queue.lock(name)).toBe(true);
        expect(queue.get(name)).toEqual(element(0));
      });

      test("has its limits from the call, else from the queue, and 0 switches them off", async () => {
        const { clock, forward } = settableClock();
        const { queue, name } = addOne({ maxlock: 50 }, { clock });
        queue.lock(name);
        forward(100);
        expect((await queue.purge({ maxlock: 0 })).locks).toBe(0);
        expect((await queue.purge({ maxlock: 200 })).locks).toBe(0);
        expect((await queue.purge()).locks).toBe(1);
        queue.lock(name);
        forward(10);
        expect((await queue.purge({ maxlock: 5 })).locks).toBe(1);
        const tireless = open({ path, maxlock: 0 }, { clock });
        tireless.lock(name);
        forward(1e6);
        expect((await tireless.purge()).locks).toBe(0);
      });

      test("removes empty directories but the last", async () => {
        const { clock, forward } = settableClock();
        const queue = open({ path, ...scattered }, { clock });
        const names = [0, 1, 2].map((n) => {
          forward(10);
          return queue.add(element(n));
        });
        for (const name of names) {
          queue.lock(name);
          queue.remove(name);
        }
        const before = readdirSync(path).length;
        expect((await queue.purge()).directories).toBe(2);
        expect(readdirSync(path)).toHaveLength(before - 2);
        expect((await queue.purge()).directories).toBe(0);
      });

      test("stops when its signal says so, and keeps the elements", async () => {
        const { queue, names } = filled(3);
        const reason = new Error("enough");
        await expect(queue.purge({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
        expect([...queue]).toEqual(names);
      });
    });

    describe("consume", () => {
      test("of an empty queue finds nothing", async () => {
        expect(await open({ path }).consume({ wait: 0 }).next()).toMatchObject({ done: true });
      });

      test("yields each element once, in order, locked, and settles it as it is told", async () => {
        const { queue, names } = filled(5);
        const seen: [string, Element][] = [];
        for await (const held of queue.consume({ wait: 0 })) {
          expect(open({ path }).lock(held.name)).toBe(false);
          seen.push([held.name, held.content]);
          if (seen.length === 2) held.release();
          else if (seen.length === 3) expect(held.quarantine("why not")).toBeDefined();
          else expect(held.done()).toBe(true);
        }
        expect(seen).toEqual(names.map((name, n) => [name, element(n)]));
        expect([...queue]).toEqual([names[1]]);
        expect(queue.lock(names[1]!)).toBe(true);
        expect([...queue.quarantined()].map((kept) => kept.element)).toEqual([names[2]]);
      });

      test("meets an element that is added later", async () => {
        const queue = open({ path });
        const later = setTimeout(() => void open({ path }).add(element(1)), 50);
        for await (const held of queue.consume()) {
          expect(held.content).toEqual(element(1));
          expect(held.done()).toBe(true);
          break;
        }
        clearTimeout(later);
      });
    });

    describe("the quarantine", () => {
      test("of a queue without any is empty", () => {
        expect([...open({ path }).quarantined()]).toEqual([]);
      });

      test("keeps an element out of the queue with the reason, and gives it back", () => {
        const { queue, name } = addOne();
        expect(() => queue.quarantine(name, "x")).toThrow(refusal("DIRQ_NOT_LOCKED"));
        queue.lock(name);
        const aside = queue.quarantine(name, "it is bad")!;
        expect(queue.count()).toBe(0);
        expect([...open({ path }).quarantined()]).toMatchObject([
          { name: aside, element: name, reason: "it is bad" },
        ]);
        const again = queue.requeue(aside)!;
        expect([...queue]).toEqual([again]);
        expect(queue.lock(again)).toBe(true);
        expect(queue.get(again)).toEqual(element(0));
        expect(queue.requeue(aside)).toBeUndefined();
      });

      test("takes what must not come into the queue: nobody can have it at any moment", async () => {
        const reached = await atEveryCall((moment) => {
          removeDirectory(path);
          const queue = open({ path }, moment);
          const rival = open({ path });
          moment.arm(() => expect([...rival].filter((name) => rival.lock(name))).toEqual([]));
          const aside = queue.addQuarantined(element(0), "not wanted");
          moment.disarm();
          expect([...rival]).toEqual([]);
          expect([...rival.quarantined()]).toMatchObject([{ name: aside, reason: "not wanted" }]);
          const again = rival.requeue(aside)!;
          rival.lock(again);
          expect(rival.get(again)).toEqual(element(0));
        });
        expect(reached).not.toEqual([]);
      });

      test("leaves nothing in the queue if that fails", async () => {
        const reached = await atEveryCall((moment) => {
          removeDirectory(path);
          const queue = open({ path }, moment);
          moment.fail("EIO");
          try {
            queue.addQuarantined(element(0), "not wanted");
            expect([...queue.quarantined()]).toHaveLength(1);
          } catch {
            // As it should be; the error is looked at elsewhere.
          }
          moment.disarm();
          expect([...open({ path })]).toEqual([]);
        });
        expect(reached).not.toEqual([]);
      });
    });

    test("what is no name is DIRQ_BAD_NAME everywhere, before any file call", async () => {
      const reached = await atEveryCall((moment) => {
        const queue = open({ path }, moment);
        moment.arm(() => {
          throw new Error("a file call");
        });
        for (const call of ["lock", "unlock", "touch", "get", "remove"] as const) {
          expect(() => queue[call]("../../etc/passwd")).toThrow(refusal("DIRQ_BAD_NAME"));
        }
      });
      expect(reached).toEqual([]);
    });

    test("a file failure is Node's own error, unwrapped", async () => {
      const reached = await atEveryCall((moment) => {
        removeDirectory(path);
        const { queue, name } = addOne({}, moment);
        const error = moment.fail("EIO");
        try {
          queue.lock(name);
          expect(moment.reached).toBeUndefined();
        } catch (thrown) {
          expect(thrown).toBe(error);
        }
      });
      expect(reached).not.toEqual([]);
    });

    test("a copy is on the same queue, with a place of its own", () => {
      const { queue, names } = filled(2);
      expect(queue.first()).toBe(names[0]);
      const copy = queue.copy();
      expect(copy).toBeInstanceOf(queue.constructor);
      expect([copy.path, copy.id]).toEqual([path, queue.id]);
      expect([copy.next(), queue.next()]).toEqual([undefined, names[1]]);
      expect([...copy]).toEqual(names);
      copy.lock(copy.add(element(2)));
      expect(queue.count()).toBe(3);
    });

    test("the id is the directory's, by whatever path", () => {
      const queue = open({ path });
      symlinkSync(path, join(top, "link"));
      expect(queue.id).toMatch(/^\d+:\d+$/);
      expect(open({ path: join(top, "link") }).id).toBe(queue.id);
      expect(open({ path: join(top, "other") }).id).not.toBe(queue.id);
    });

    test("two queue objects on one directory see each other's elements and locks", () => {
      const [one, two] = [open({ path }), open({ path })];
      const name = one.add(element(1));
      expect([...two]).toEqual([name]);
      expect(two.lock(name)).toBe(true);
      expect(one.lock(name)).toBe(false);
      expect(two.remove(name)).toBe(true);
      expect(one.count()).toBe(0);
    });
  });
}
