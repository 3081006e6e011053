// Rivals that act at every moment of every operation.
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue, type Clock } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { atEveryCall, filesBelow, type Moment } from "../../helpers/file-calls.js";
import { takeAll } from "../../helpers/queue-contract.js";
import { ahead, consume as consumeElements, outcome, purge } from "../../helpers/rivals.js";

const HOUR = 3600;

let top: string;
let path: string;
beforeEach(() => {
  // Time stands: no purge has to pause, so that all of it happens at its moment.
  vi.useFakeTimers({ toFake: ["Date"] });
  top = temporaryDirectory("races");
  path = join(top, "queue");
});
afterEach(() => {
  vi.useRealTimers();
  removeDirectory(top);
});

/** A queue object on an empty queue: the moment's own, or a rival's. */
function fresh(moment: Moment, clock: Clock = ahead(0)): { queue: SimpleQueue; rival: SimpleQueue } {
  rmSync(path, { recursive: true, force: true });
  return {
    queue: new SimpleQueue({ path }, { calls: moment.calls, clock }),
    rival: new SimpleQueue({ path }),
  };
}

/** A rival to whom every lock and every temporary file is an hour old. */
const lateRival = () => new SimpleQueue({ path }, { clock: ahead(HOUR) });

/** Make sure that the current directory is not the last one, which no purge removes. */
const makeLaterDirectory = () => mkdirSync(join(path, "ffffffff"));

/** The bodies of what a consumer can have. */
const consume = (queue: SimpleQueue, names?: Iterable<string>) => consumeElements(queue, names).map(String);

/** The bodies that are left once all locks and temporary files are old; nothing else is. */
const leftovers = async () => (await takeAll(lateRival())).map(String);

describe("a rival that acts just before each file call of", () => {
  test("add: a purge that removes the empty directory", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue, rival } = fresh(moment);
      makeLaterDirectory();
      moment.arm(() => purge(rival));
      const name = queue.add("body");
      expect([...queue]).toEqual([name]);
      expect(await leftovers()).toEqual(["body"]);
    });
    // Its directory was made twice in one of the rounds.
    expect(reached.length).toBeGreaterThan(6);
  });

  test("add: a purge that takes the temporary file for left behind", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue } = fresh(moment);
      makeLaterDirectory();
      moment.arm(() => purge(lateRival()));
      let added: string[] = [];
      try {
        queue.add("body");
        added = ["body"];
      } catch (error) {
        expect(error).toMatchObject({ code: "ENOENT" });
      }
      expect(await leftovers()).toEqual(added);
    });
    expect(reached.length).toBeGreaterThan(6);
  });

  test("add: an add that takes the same name", async () => {
    const clock = () => 1_700_000_000_000_000;
    const reached = await atEveryCall(async (moment) => {
      fresh(moment);
      const queue = new SimpleQueue({ path, rndhex: 5 }, { calls: moment.calls, clock });
      const rival = new SimpleQueue({ path, rndhex: 5 }, { clock });
      let theirs = "";
      moment.arm(() => (theirs = rival.add("theirs")));
      expect(queue.add("ours")).not.toBe(theirs);
      expect((await leftovers()).sort()).toEqual(moment.reached ? ["ours", "theirs"] : ["ours"]);
    });
    expect(reached.length).toBeGreaterThan(6);
  });

  test("add: a consumer", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue, rival } = fresh(moment);
      const taken: string[] = [];
      moment.arm(() => taken.push(...consume(rival)));
      queue.add("body");
      expect([...taken, ...(await leftovers())]).toEqual(["body"]);
    });
    expect(reached.length).toBeGreaterThan(6);
  });

  test("addPath: a purge that removes the empty directory", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue, rival } = fresh(moment);
      makeLaterDirectory();
      writeFileSync(join(top, "source"), "body");
      // An old file is an old element, but nothing that a purge removes.
      utimesSync(join(top, "source"), 1, 1);
      moment.arm(() => {
        purge(rival);
        purge(lateRival());
      });
      queue.addPath(join(top, "source"));
      expect(await leftovers()).toEqual(["body"]);
      expect(readdirSync(top)).toEqual(["queue"]);
    });
    expect(reached.length).toBeGreaterThan(2);
  });

  test("addPath: somebody who takes the file away", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue } = fresh(moment);
      writeFileSync(join(top, "source"), "body");
      moment.arm(() => rmSync(join(top, "source")));
      let added: string[] = [];
      try {
        queue.addPath(join(top, "source"));
        added = ["body"];
      } catch (error) {
        expect(error).toMatchObject({ code: "ENOENT" });
      }
      expect(await leftovers()).toEqual(added);
    });
    expect(reached.length).toBeGreaterThan(2);
  });

  test("lock: a lock, so that one of the two has it", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue, rival } = fresh(moment);
      const name = rival.add("body");
      let theirs = false;
      moment.arm(() => (theirs = rival.lock(name)));
      const ours = queue.lock(name);
      expect(ours).toBe(!theirs);
      expect(await leftovers()).toEqual(["body"]);
    });
    expect(reached.length).toBeGreaterThan(1);
  });

  test("lock: a consumer that takes the element, so that one of the two has it", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue, rival } = fresh(moment);
      const name = rival.add("body");
      const taken: string[] = [];
      moment.arm(() => taken.push(...consume(rival)));
      if (queue.lock(name)) {
        taken.push(queue.get(name).toString());
        expect(queue.remove(name)).toBe(true);
      }
      expect(taken).toEqual(["body"]);
      expect(filesBelow(path)).toEqual([]);
    });
    expect(reached.length).toBeGreaterThan(1);
  });

  test("lock: somebody who removes the element without a lock: what is locked can still be read", async () => {
    const reached = await atEveryCall((moment) => {
      const { queue, rival } = fresh(moment);
      const name = rival.add("body");
      moment.arm(() => rmSync(join(path, name)));
      const isLocked = queue.lock(name);
      moment.disarm();
      expect(isLocked).toBe(moment.reached !== "linkSync");
      if (isLocked) {
        expect(queue.get(name).toString()).toBe("body");
        expect(queue.remove(name)).toBe(moment.reached === undefined);
      }
      expect(filesBelow(path)).toEqual([]);
    });
    expect(reached).toEqual(["linkSync", "lutimesSync"]);
  });

  test("lock: a purge, though the element itself is older than maxlock", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue, rival } = fresh(moment);
      const name = rival.add("body");
      utimesSync(join(path, name), 1, 1);
      moment.arm(() => purge(rival));
      if (queue.lock(name)) {
        expect(rival.lock(name)).toBe(false);
        expect(queue.get(name).toString()).toBe("body");
      } else {
        expect(rival.lock(name)).toBe(true);
      }
      expect(await leftovers()).toEqual(["body"]);
    });
    expect(reached.length).toBeGreaterThan(1);
  });

  test("get: a purge that takes the lock for stale", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue, rival } = fresh(moment);
      const name = rival.add("body");
      queue.lock(name);
      moment.arm(() => purge(lateRival()));
      const content = outcome(() => queue.get(name));
      expect(String(content)).toMatch(/^(body|DIRQ_NOT_LOCKED)$/);
      expect(await leftovers()).toEqual(["body"]);
    });
    expect(reached.length).toBeGreaterThan(1);
  });

  describe("remove: a purge that takes the lock for stale,", () => {
    test("so that the element is either removed or free again", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival } = fresh(moment);
        const name = rival.add("body");
        queue.lock(name);
        moment.arm(() => purge(lateRival()));
        expect(await removedOrLeft(queue, name)).toBe(true);
      });
      expect(reached.length).toBeGreaterThan(1);
    });

    test("and another who locks, so that the element is either removed or free again", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival } = fresh(moment);
        const name = rival.add("body");
        queue.lock(name);
        moment.arm(() => {
          purge(lateRival());
          rival.lock(name);
        });
        expect(await removedOrLeft(queue, name)).toBe(true);
      });
      expect(reached.length).toBeGreaterThan(1);
    });

    test("and another who consumes, so that one of the two has removed it", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival } = fresh(moment);
        const name = rival.add("body");
        queue.lock(name);
        const taken: string[] = [];
        moment.arm(() => {
          purge(lateRival());
          taken.push(...consume(rival));
        });
        expect(outcome(() => queue.remove(name)) === true).toBe(taken.length === 0);
        expect(await leftovers()).toEqual([]);
      });
      expect(reached.length).toBeGreaterThan(1);
    });

    /** Whether the element is there exactly if `remove` did not say that it removed it. */
    async function removedOrLeft(queue: SimpleQueue, name: string): Promise<boolean> {
      const removed = outcome(() => queue.remove(name)) === true;
      return (await leftovers()).length === (removed ? 0 : 1);
    }
  });

  test("unlock: a purge that takes the lock for stale, so that the element is free again", async () => {
    const reached = await atEveryCall(async (moment) => {
      const { queue, rival } = fresh(moment);
      const name = rival.add("body");
      queue.lock(name);
      moment.arm(() => purge(lateRival()));
      expect(outcome(() => queue.unlock(name))).toBe(moment.reached ? "DIRQ_NOT_LOCKED" : true);
      expect(await leftovers()).toEqual(["body"]);
    });
    expect(reached).not.toEqual([]);
  });

  test("count and iteration: elements and directories that vanish, while others stay", async () => {
    const operations = {
      count: (queue: SimpleQueue) => queue.count(),
      iterate: (queue: SimpleQueue) => [...queue],
      walk: (queue: SimpleQueue) => {
        const names: string[] = [];
        for (let name = queue.first(); name !== undefined; name = queue.next()) names.push(name);
        return names;
      },
    };
    for (const operation of Object.values(operations)) {
      const reached = await atEveryCall((moment) => {
        const { queue } = fresh(moment);
        const names = [0, 60, 120].map((s) => new SimpleQueue({ path }, { clock: ahead(s) }).add("body"));
        moment.arm(() => {
          const rival = new SimpleQueue({ path });
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
          expect(new Set(found).size).toBe(found.length);
        }
      });
      expect(reached.length).toBeGreaterThan(3);
    }
  });

  describe("purge:", () => {
    /** Something of every kind: an empty directory, what a crash leaves, an element, a later directory. */
    function prepare(moment: Moment) {
      const { queue, rival } = fresh(moment);
      for (const directory of ["00000000", "00000001"]) mkdirSync(join(path, directory));
      for (const remnant of ["00000000000000.tmp", "00000000000001.lck"]) {
        writeFileSync(join(path, "00000001", remnant), "");
        utimesSync(join(path, "00000001", remnant), 1, 1);
      }
      const name = rival.add("old");
      makeLaterDirectory();
      return { queue, rival, name };
    }

    test.each<[string, (rival: SimpleQueue) => unknown, string[]]>([
      ["an add", (rival) => rival.add("new"), ["old", "new"]],
      ["a consumer", (rival) => consume(rival), []],
      ["a purge", (rival) => purge(rival), ["old"]],
      ["a purge and an add", (rival) => (purge(rival), rival.add("new")), ["old", "new"]],
    ])("%s", async (_, action, bodies) => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival } = prepare(moment);
        moment.arm(() => action(rival));
        await queue.purge();
        moment.disarm();
        expect(await leftovers()).toEqual(moment.reached ? bodies : ["old"]);
      });
      expect(reached.length).toBeGreaterThan(8);
    });

    test("a lock, which is still had afterwards", async () => {
      const reached = await atEveryCall(async (moment) => {
        const { queue, rival, name } = prepare(moment);
        moment.arm(() => rival.lock(name));
        await queue.purge();
        moment.disarm();
        expect(outcome(() => String(rival.get(name)))).toBe(moment.reached ? "old" : "DIRQ_NOT_LOCKED");
        expect(await leftovers()).toEqual(["old"]);
      });
      expect(reached.length).toBeGreaterThan(8);
    });
  });
});
