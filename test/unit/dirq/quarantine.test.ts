import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  inspectQueue,
  NormalQueue,
  NullQueue,
  SimpleQueue,
  type DirQueue,
  type Surroundings,
} from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { atEveryCall, remainsBelow } from "../../helpers/file-calls.js";

let path: string;
beforeEach(() => (path = temporaryDirectory("quarantine")));
afterEach(() => removeDirectory(path));

const types = {
  simple: (surroundings?: Surroundings) => {
    const queue = new SimpleQueue({ path }, surroundings);
    return {
      queue,
      add: (text: string) => queue.add(text),
      read: (name: string) => queue.get(name).toString(),
    };
  },
  normal: (surroundings?: Surroundings) => {
    const queue = new NormalQueue({ path, schema: { body: "string" } }, surroundings);
    return {
      queue,
      add: (body: string) => queue.add({ body }),
      read: (name: string) => queue.get(name).body as string,
    };
  },
};

/** The elements that can be read. */
function contents({ queue, read }: ReturnType<(typeof types)["simple" | "normal"]>): string[] {
  return [...queue].flatMap((name) => {
    if (!queue.lock(name)) return [];
    const content = read(name);
    queue.unlock(name);
    return content;
  });
}

describe.each(Object.entries(types))("the quarantine of a %s queue", (type, open) => {
  test("keeps an element with the reason, out of the queue, and gives it back", async () => {
    const { queue, add, read } = open();
    const name = add("bad");
    const other = add("good");
    queue.lock(name);
    const aside = queue.quarantine(name, "it is bad")!;
    expect([...queue]).toEqual([other]);
    expect(queue.count()).toBe(1);
    const [kept, ...others] = [...queue.quarantined()];
    expect(others).toEqual([]);
    expect(await inspectQueue(path).survey()).toMatchObject({ quarantined: 1 });
    expect(kept).toMatchObject({ name: aside, element: name, reason: "it is bad" });
    expect(Math.abs(kept!.time.getTime() - Date.now())).toBeLessThan(60_000);
    expect(kept!.files.map((file) => readFileSync(file, "utf8"))).toEqual(["bad"]);
    expect(kept!.files[0]).toMatch(
      new RegExp(`^${path}/quarantine/${aside}/element${type === "simple" ? "" : "/body"}$`),
    );
    // No purge takes it away.
    await queue.purge({ maxtemp: 1, maxlock: 1 });
    expect([...queue.quarantined()]).toHaveLength(1);

    const again = queue.requeue(aside)!;
    expect([...queue]).toEqual([other, again]);
    expect(queue.lock(again)).toBe(true);
    expect(read(again)).toBe("bad");
    expect([...queue.quarantined()]).toEqual([]);
    expect(queue.requeue(aside)).toBeUndefined();
    expect(readdirSync(`${path}/quarantine`)).toEqual([]);
  });

  test("takes a locked element only, and no name that is none", () => {
    const { queue, add } = open();
    const name = add("a");
    expect(() => queue.quarantine(name, "x")).toThrow(expect.objectContaining({ code: "DIRQ_NOT_LOCKED" }));
    expect(existsSync(join(path, "quarantine"))).toBe(false);
    for (const bad of ["../../etc", "", "0123456789abcde", "0123456789abcd\n"]) {
      expect(() => queue.requeue(bad)).toThrow(expect.objectContaining({ code: "DIRQ_BAD_NAME" }));
    }
  });

  test("says so when somebody else took the element from under its lock", () => {
    const { queue, add } = open();
    const name = add("a");
    queue.lock(name);
    renameSync(join(path, name), join(path, "taken"));
    if (type === "simple") expect(queue.quarantine(name, "x")).toBeUndefined();
    else
      expect(() => queue.quarantine(name, "x")).toThrow(expect.objectContaining({ code: "DIRQ_NOT_LOCKED" }));
    expect([...queue.quarantined()]).toEqual([]);
    expect(existsSync(join(path, "quarantine")) ? readdirSync(join(path, "quarantine")) : []).toEqual([]);
  });

  test.each([
    "",
    '{"element":"5f9c1a40/5f9c1a6d0b2c4e","reason":"x","time":1e300}',
    '{"element":"\\u001b[31m","reason":"x","time":1}',
    '{"element":"5f9c1a40/5f9c1a6d0b2c4e","time":1}',
  ])("tells of an element whose reason cannot be read: %j", (text) => {
    const { queue, add } = open();
    const name = add("a");
    queue.lock(name);
    const aside = queue.quarantine(name, "x")!;
    writeFileSync(join(path, "quarantine", aside, "reason.json"), text);
    const [kept] = [...queue.quarantined()];
    expect(kept).toMatchObject({ name: aside, element: "unknown" });
    expect(Math.abs(kept!.time.getTime() - Date.now())).toBeLessThan(60_000);
    expect(kept!.reason).toMatch(/reason\.json/);
    expect(queue.requeue(aside)).toBeDefined();
  });

  test("loses a reason without an element to a purge, when it is old", async () => {
    const { queue } = open();
    const room = join(path, "quarantine", "5f9c1a6d0b2c4e");
    mkdirSync(room, { recursive: true });
    writeFileSync(join(room, "reason.json"), "{}");
    expect(await queue.purge()).toMatchObject({ temporary: 0 });
    expect([...queue.quarantined()]).toEqual([]);
    expect(await inspectQueue(path).survey()).toMatchObject({ quarantined: 0 });
    utimesSync(room, 1, 1);
    expect(await queue.purge()).toMatchObject({ temporary: 1 });
    expect(existsSync(room)).toBe(false);
  });

  test.each(["EIO", "ENOSPC", "EROFS", "EACCES", "EMFILE"])(
    "loses nothing when any file call fails with %s, moving or putting back",
    async (code) => {
      const reached = await atEveryCall((moment) => {
        removeDirectory(path);
        const both = open({ calls: moment.calls });
        const { queue, add } = both;
        const name = add("a");
        queue.lock(name);
        moment.fail(code);
        let aside: string | undefined;
        try {
          aside = queue.quarantine(name, "x");
          if (aside !== undefined) queue.requeue(aside);
        } catch (error) {
          expect(error).toMatchObject({ code });
        }
        moment.disarm();
        expect(moment.made).toBeLessThan(40);
        queue.unlock(name, true);
        for (const kept of queue.quarantined()) queue.requeue(kept.name);
        expect(contents(both)).toEqual(["a"]);
      });
      expect(reached.length).toBeGreaterThan(5);
    },
  );

  test("fails only if the element is where it was", async () => {
    await atEveryCall((moment) => {
      removeDirectory(path);
      const { queue, add } = open({ calls: moment.calls });
      const name = add("a");
      queue.lock(name);
      moment.fail("EIO");
      let aside: string | undefined;
      let isBack = false;
      try {
        aside = queue.quarantine(name, "x")!;
        isBack = queue.requeue(aside) !== undefined;
      } catch (error) {
        expect(error).toMatchObject({ code: "EIO" });
      }
      moment.disarm();
      expect([...queue.quarantined()]).toHaveLength(aside === undefined || isBack ? 0 : 1);
      expect(queue.count()).toBe(aside === undefined || isBack ? 1 : 0);
      // Locked still, if it was not moved.
      if (aside === undefined) expect(queue.remove(name)).toBe(true);
    });
  });

  test("keeps the element in one place at any moment of the move", async () => {
    await atEveryCall((moment) => {
      removeDirectory(path);
      const both = open({ calls: moment.calls });
      const name = both.add("a");
      both.queue.lock(name);
      let seen = 0;
      moment.arm(() => {
        const place = [...both.queue.quarantined()].length;
        const files = remainsBelow(path).filter((file) => file.endsWith(name) || file.endsWith("/element"));
        seen = place + files.filter((file) => !file.startsWith("quarantine")).length;
      });
      both.queue.quarantine(name, "x");
      if (moment.reached !== undefined && type === "simple") expect(seen).toBe(1);
    });
  });
});

test("a null queue has none", () => {
  const queue: DirQueue = new NullQueue();
  expect([...queue.quarantined()]).toEqual([]);
  const badName = expect.objectContaining({ code: "DIRQ_BAD_NAME" }) as Error;
  expect(() => queue.quarantine("00000000/00000000000000", "x")).toThrow(badName);
  expect(() => queue.requeue("00000000000000")).toThrow(badName);
});
