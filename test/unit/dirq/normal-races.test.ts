// Rivals that act at every moment of every operation of a normal queue.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { NormalQueue, type Fields, type NormalQueueOptions, type Surroundings } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { atEveryCall, remainsBelow, type Moment } from "../../helpers/file-calls.js";
import { takeAll } from "../../helpers/queue-contract.js";
import { ahead, consume, outcome, purge } from "../../helpers/rivals.js";

const HOUR = 3600;

let top: string;
let path: string;
beforeEach(() => {
  // Time stands: no purge has to pause, so that all of it happens at its moment.
  vi.useFakeTimers({ toFake: ["Date"] });
  top = temporaryDirectory("races", inMemory);
  path = join(top, "queue");
});
afterEach(() => {
  vi.useRealTimers();
  removeDirectory(top);
});

const file = (...names: string[]) => join(path, ...names);

// Half of an element would not be refused: it must not be there.
const schema = { body: "string", header: "table?", more: "string?" };
const fields = (body: string): Fields => ({ body, header: { of: body }, more: body });

/** The body of an element that must be whole. */
function bodyOf(element: Fields): string {
  expect(element).toEqual(fields(element.body as string));
  return element.body as string;
}

const open = (surroundings: Surroundings = {}, options: Partial<NormalQueueOptions> = {}) =>
  new NormalQueue({ path, schema, ...options }, { clock: ahead(0), ...surroundings });

/** A queue object on an empty queue: the moment's own, and a rival's. */
function fresh(moment: Moment, options: Partial<NormalQueueOptions> = {}) {
  rmSync(path, { recursive: true, force: true });
  return { queue: open({ calls: moment.calls }, options), rival: open({}, options) };
}

/** The ways to add an element. */
const adders: {
  name: string;
  options: Partial<NormalQueueOptions>;
  add(this: void, queue: NormalQueue, body: string): Promise<string | undefined>;
}[] = [
  { name: "add", options: {}, add: async (queue, body) => queue.add(fields(body)) },
  {
    name: "add in mode full",
    options: { durability: "full" },
    add: async (queue, body) => queue.add(fields(body)),
  },
  {
    name: "addMany in mode full",
    options: { durability: "full" },
    add: async (queue, body) => (await queue.addMany([fields(body)]))[0],
  },
];

/** As `fresh`, with an element. */
function withElement(moment: Moment) {
  const { queue, rival } = fresh(moment);
  return { queue, rival, name: rival.add(fields("body")) };
}

/** As `withElement`, and the queue has locked it. */
function withLock(moment: Moment) {
  const all = withElement(moment);
  all.queue.lock(all.name);
  return all;
}

/** A rival to whom every lock and every temporary directory is an hour old. */
const lateRival = () => open({ clock: ahead(HOUR) });

/** The bodies that are left once all that was left behind is old; nothing else is. */
const leftovers = async () => (await takeAll<Fields>(lateRival())).map(bodyOf).sort();

/** Do something to every directory in one of the queue's directories. */
function toEach(directory: string, action: (path: string) => unknown): void {
  for (const name of readdirSync(file(directory))) {
    try {
      action(file(directory, name));
    } catch {
      // As an attack does that fails.
    }
  }
}

describe("a rival that acts just before each file call of", () => {
  describe.each(adders)("$name:", ({ options, add }) => {
    test("a purge that removes the empty directory", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival } = fresh(moment, options);
        queue.add(fields("first"));
        consume(rival);
        mkdirSync(file("00000001"));
        moment.arm(() => purge(rival));
        const name = await add(queue, "body");
        expect([...queue]).toEqual([name]);
        expect(await leftovers()).toEqual(["body"]);
      });
      // The directories were listed once more in one of the rounds.
      expect(reached.length).toBeGreaterThan(11);
    });

    test.each<[string, () => void]>([
      ["a purge that takes the temporary directory for left behind", () => purge(lateRival())],
      // The purge of Python does so to those that are empty, however young.
      ["a purge that removes the temporary directory if it can", () => toEach("temporary", rmdirSync)],
      [
        "somebody who removes temporary and obsolete",
        () => {
          for (const name of ["temporary", "obsolete"]) rmSync(file(name), { recursive: true, force: true });
        },
      ],
    ])("%s: it is made again", async (_, attack) => {
      const reached = await atEveryCall(async (moment) => {
        const { queue } = fresh(moment, options);
        moment.arm(attack);
        const name = await add(queue, "body");
        expect([...queue]).toEqual([name]);
        expect(await leftovers()).toEqual(["body"]);
      });
      expect(reached.length).toBeGreaterThan(11);
    });

    test("an add that takes the same name", async () => {
      const clock = () => 1_700_000_000_000_000;
      const reached = await atEveryCall(async (moment) => {
        fresh(moment);
        const queue = open({ calls: moment.calls, clock }, { ...options, rndhex: 5 });
        const rival = open({ clock }, { rndhex: 5 });
        let theirs = "";
        moment.arm(() => (theirs = rival.add(fields("theirs"))));
        expect(await add(queue, "ours")).not.toBe(theirs);
        expect(await leftovers()).toEqual(moment.reached ? ["ours", "theirs"] : ["ours"]);
      });
      expect(reached.length).toBeGreaterThan(11);
    });

    test("a consumer", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival } = fresh(moment, options);
        const taken: string[] = [];
        moment.arm(() => taken.push(...consume<Fields>(rival).map(bodyOf)));
        await add(queue, "body");
        expect([...taken, ...(await leftovers())]).toEqual(["body"]);
      });
      expect(reached.length).toBeGreaterThan(11);
    });

    test("adds that fill the directory: at most half of the room is overfilled, and the next one is used", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival } = fresh(moment, { ...options, maxelts: 4 });
        const bodies = Array.from({ length: 4 }, (_, n) => `theirs${n}`);
        moment.arm(() => bodies.forEach((body) => rival.add(fields(body))));
        for (let n = 0; n < 4; n++) await add(queue, `ours${n}`);
        expect(readdirSync(file("00000000")).length).toBeLessThanOrEqual(4 + 2);
        if (moment.reached) expect(existsSync(file("00000001"))).toBe(true);
        expect(await leftovers()).toHaveLength(moment.reached ? 8 : 4);
      });
      expect(reached.length).toBeGreaterThan(40);
    });
  });

  describe("lock:", () => {
    test("a lock, so that one of the two has it", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival, name } = withElement(moment);
        let theirs = false;
        moment.arm(() => (theirs = rival.lock(name)));
        expect(queue.lock(name)).toBe(!theirs);
        expect(await leftovers()).toEqual(["body"]);
      });
      expect(reached).toEqual(["mkdirSync", "lstatSync"]);
    });

    test("a consumer that takes the element, so that one of the two has it", async () => {
      const reached = await atEveryCall((moment) => {
        const { queue, rival, name } = withElement(moment);
        const taken: string[] = [];
        moment.arm(() => taken.push(...consume<Fields>(rival).map(bodyOf)));
        if (queue.lock(name)) {
          taken.push(bodyOf(queue.get(name)));
          expect(queue.remove(name)).toBe(true);
        }
        expect(taken).toEqual(["body"]);
        expect(remainsBelow(path)).toEqual([]);
      });
      expect(reached.length).toBeGreaterThan(1);
    });

    test("a remove that moves the element away, and then finds a new lock in it", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, name } = withElement(moment);
        moment.arm(() => renameSync(file(name), file("obsolete/6553f000000000")));
        expect(queue.lock(name)).toBe(moment.reached === undefined);
        expect(await leftovers()).toEqual(moment.reached ? [] : ["body"]);
      });
      expect(reached).toEqual(["mkdirSync", "lstatSync"]);
    });

    test("a purge, though the element itself is older than maxlock", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival, name } = withElement(moment);
        utimesSync(file(name), 1, 1);
        moment.arm(() => purge(rival));
        expect(queue.lock(name)).toBe(true);
        expect(rival.lock(name)).toBe(false);
        expect(bodyOf(queue.get(name))).toBe("body");
        expect(await leftovers()).toEqual(["body"]);
      });
      expect(reached.slice(0, 2)).toEqual(["mkdirSync", "lstatSync"]);
    });
  });

  describe("get:", () => {
    test.each<[string, () => unknown]>([
      ["a purge that takes the lock for stale", () => purge(lateRival())],
      [
        "a purge that takes the lock for stale, and another who consumes",
        () => (purge(lateRival()), consume(open())),
      ],
    ])("%s, so that it has the whole element or none of it", async (_, action) => {
      const outcomes = new Set<string>();
      const reached = await atEveryCall((moment) => {
        const { queue, name } = withLock(moment);
        moment.arm(action);
        const content = outcome(() => queue.get(name));
        outcomes.add(typeof content === "string" ? content : bodyOf(content));
      });
      expect(reached.length).toBeGreaterThan(10);
      expect(outcomes).toEqual(new Set(["body", "DIRQ_NOT_LOCKED"]));
    });
  });

  describe("remove:", () => {
    test("somebody who locks the element where it is being taken apart", async () => {
      for (const times of [1, 3]) {
        const reached = await atEveryCall((moment) => {
          const { queue, name } = withLock(moment);
          let left = times;
          const lockAgain = () => {
            toEach("obsolete", (element) => mkdirSync(join(element, "locked")));
            // Again just before a later call.
            if (--left > 0) moment.arm(lockAgain);
          };
          moment.arm(lockAgain);
          expect(queue.remove(name)).toBe(true);
          expect(remainsBelow(path)).toEqual([]);
        });
        expect(reached).toContain("rmdirSync");
      }
    });

    test("a lock, which is not to be had", async () => {
      const reached = await atEveryCall((moment) => {
        const { queue, rival, name } = withLock(moment);
        moment.arm(() => expect(rival.lock(name)).toBe(false));
        expect(queue.remove(name)).toBe(true);
        expect(remainsBelow(path)).toEqual([]);
      });
      expect(reached.length).toBeGreaterThan(7);
    });

    test("a purge that takes what is obsolete for left behind", async () => {
      const reached = await atEveryCall((moment) => {
        const { queue, name } = withLock(moment);
        moment.arm(() => void lateRival().purge({ maxlock: 0 }));
        expect(queue.remove(name)).toBe(true);
        expect(remainsBelow(path)).toEqual([]);
      });
      expect(reached.length).toBeGreaterThan(7);
    });

    test.each<[string, (rival: NormalQueue, name: string) => unknown]>([
      ["a purge that takes the lock for stale", () => undefined],
      ["such a purge, and another who locks", (rival, name) => rival.lock(name)],
      ["such a purge, and another who consumes", (rival) => consume(rival)],
    ])("%s, so that the element is either removed or free again", async (_, action) => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival, name } = withLock(moment);
        let taken = 0;
        moment.arm(() => {
          purge(lateRival());
          const result = action(rival, name);
          if (Array.isArray(result)) taken = result.length;
        });
        const removed = outcome(() => queue.remove(name)) === true;
        expect((await leftovers()).length + taken + Number(removed)).toBe(1);
      });
      expect(reached.length).toBeGreaterThan(7);
    });
  });

  test("unlock: a purge that takes the lock for stale, so that the element is free again", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue, name } = withLock(moment);
      moment.arm(() => purge(lateRival()));
      expect(outcome(() => queue.unlock(name))).toBe(moment.reached ? "DIRQ_NOT_LOCKED" : true);
      expect(await leftovers()).toEqual(["body"]);
    });
    expect(reached).toEqual(["rmdirSync"]);
  });

  test.each([false, true])(
    "count and iteration: elements and directories that vanish, while others stay; nlink %s",
    async (nlink) => {
      const operations = [(queue: NormalQueue) => queue.count(), (queue: NormalQueue) => [...queue]];
      for (const operation of operations) {
        const reached = await atEveryCall((moment) => {
          const { queue, rival } = fresh(moment, { nlink, maxelts: 1 });
          const names = ["a", "b", "c"].map((body) => rival.add(fields(body)));
          moment.arm(() => {
            consume(rival, names.slice(0, 2));
            purge(rival);
          });
          const found = operation(queue);
          if (typeof found === "number") {
            expect(found).toBeGreaterThan(0);
            expect(found).toBeLessThan(4);
          } else {
            expect(found).toContain(names[2]);
            expect(names).toEqual(expect.arrayContaining(found));
          }
        });
        expect(reached.length).toBeGreaterThan(3);
      }
    },
  );

  describe("purge:", () => {
    const SLOW = "6553f000000000";

    /** Something of every kind: an empty directory, what a crash leaves, an element, a later directory. */
    function prepare(moment: Moment) {
      const { queue, rival } = fresh(moment);
      for (const directory of ["temporary", "obsolete"]) {
        mkdirSync(file(directory, SLOW));
        for (const [field, text] of Object.entries({ body: "slow", header: "of\tslow\n", more: "slow" })) {
          writeFileSync(file(directory, SLOW, field), text);
        }
        utimesSync(file(directory, SLOW), 1, 1);
      }
      const name = rival.add(fields("old"));
      for (const directory of ["00000001", "00000002"]) mkdirSync(file(directory));
      return { queue, rival, name };
    }

    test.each<[string, (rival: NormalQueue) => unknown, string[]]>([
      ["an add", (rival) => rival.add(fields("new")), ["new", "old"]],
      ["a consumer", (rival) => consume(rival), []],
      ["a purge", (rival) => purge(rival), ["old"]],
      ["a purge and an add", (rival) => (purge(rival), rival.add(fields("new"))), ["new", "old"]],
    ])("%s", async (_, action, bodies) => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival } = prepare(moment);
        moment.arm(() => action(rival));
        await queue.purge();
        moment.disarm();
        expect(await leftovers()).toEqual(moment.reached ? bodies : ["old"]);
      });
      expect(reached.length).toBeGreaterThan(15);
    });

    test("the end of a slow add, whose element is there whole or not at all", async () => {
      const outcomes = new Set<string>();
      const reached = await atEveryCall(async (moment) => {
        const { queue } = prepare(moment);
        moment.arm(() => {
          if (existsSync(file("temporary", SLOW)))
            renameSync(file("temporary", SLOW), file("00000002", SLOW));
        });
        await queue.purge();
        moment.disarm();
        const left = await leftovers();
        expect(left).toContain("old");
        outcomes.add(left.join());
      });
      expect(reached.length).toBeGreaterThan(15);
      expect(outcomes).toEqual(new Set(["old", "old,slow"]));
    });

    test("a lock, which is still had afterwards, though the element is old", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival, name } = prepare(moment);
        utimesSync(file(name), 1, 1);
        moment.arm(() => rival.lock(name));
        await queue.purge();
        moment.disarm();
        const content = outcome(() => rival.get(name));
        expect(content).toEqual(moment.reached ? fields("old") : "DIRQ_NOT_LOCKED");
        expect(await leftovers()).toEqual(["old"]);
      });
      expect(reached.length).toBeGreaterThan(15);
    });

    test("a remove", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival, name } = prepare(moment);
        rival.lock(name);
        moment.arm(() => expect(rival.remove(name)).toBe(true));
        await queue.purge();
        moment.disarm();
        expect(await leftovers()).toEqual(moment.reached ? [] : ["old"]);
      });
      expect(reached.length).toBeGreaterThan(15);
    });
  });
});
