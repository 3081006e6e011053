import { DirqError } from "@spoolwire/dirq";
import { describe, expect, test } from "vitest";
import { Message, NullMessageQueue, openMessageQueue, ZeroMessageQueue } from "@spoolwire/message";

const name = "00000000/00000000000000";
const nothing = { temporary: 0, locks: 0, directories: 0 };

describe("a NULL queue", () => {
  const queue = openMessageQueue({ type: "NULL" });

  test("is what openMessageQueue gives, whatever other options it is given", () => {
    expect(queue).toBeInstanceOf(NullMessageQueue);
    expect(openMessageQueue({ type: "NULL", path: "/nowhere", compression: "zlib" })).toBeInstanceOf(
      NullMessageQueue,
    );
    expect(queue.path).toBe("NULL");
  });

  test("swallows what is added and stays empty", async () => {
    expect(queue.addMessage(new Message({ body: "x" }))).toBe("");
    expect(queue.add("x")).toBe("");
    expect(queue.count()).toBe(0);
    expect([...queue]).toEqual([]);
    expect([queue.first(), queue.next()]).toEqual([undefined, undefined]);
    expect(await queue.purge()).toEqual(nothing);
  });

  test("has nothing to consume, and nothing in quarantine", async () => {
    expect(await queue.consume({ wait: 0 }).next()).toMatchObject({ done: true });
    expect(await queue.consumeMessages({ wait: 0 }).next()).toMatchObject({ done: true });
    expect([...queue.quarantined()]).toEqual([]);
    expect(queue.requeue("00000000000000")).toBeUndefined();
  });

  test("answers for any element as for one that is gone", () => {
    expect(queue.lock(name)).toBe(false);
    expect(queue.unlock(name, true)).toBe(false);
    expect(queue.touch(name)).toBe(false);
    for (const attempt of [
      () => queue.lock(name, false),
      () => queue.unlock(name),
      () => queue.get(name),
      () => queue.getMessage(name),
      () => queue.remove(name),
      () => queue.quarantine(name, "x"),
    ]) {
      expect(attempt).toThrow(DirqError);
      expect(attempt).toThrow(expect.objectContaining({ code: "DIRQ_NOT_LOCKED" }));
    }
  });
});

describe("a ZERO queue", () => {
  const queue = openMessageQueue({ type: "ZERO" });

  test("is what openMessageQueue gives", () => {
    expect(queue).toBeInstanceOf(ZeroMessageQueue);
    expect(queue.path).toBe("ZERO");
  });

  test("is consumed without end, as often as it is asked", async () => {
    let count = 0;
    for await (const element of queue.consumeMessages({ wait: 0 })) {
      expect(element.content.stringify()).toBe("{}");
      expect(count % 2 === 0 ? element.done() : element.quarantine("x") !== undefined).toBe(true);
      if (++count === 100) break;
    }
    expect([...queue.quarantined()]).toEqual([]);
  });

  test("has empty binary messages without end, under names of their own in order", async () => {
    const names: string[] = [];
    for (const each of queue) {
      expect(queue.lock(each)).toBe(true);
      expect(queue.getMessage(each).stringify()).toBe("{}");
      expect(queue.get(each)).toStrictEqual(Buffer.from("{}"));
      expect(queue.touch(each)).toBe(true);
      expect(names.length % 2 === 0 ? queue.remove(each) : queue.unlock(each)).toBe(true);
      if (names.push(each) === 1000) break;
    }
    expect(new Set(names).size).toBe(1000);
    expect(names.toSorted()).toEqual(names);
    expect(names.every((each) => /^[0-9a-f]{8}\/[0-9a-f]{14}$/.test(each))).toBe(true);
    expect([queue.first(), queue.next(), queue.next()]).toEqual(names.slice(0, 3));
    expect(queue.first()).toBe(names[0]);
    expect(queue.count()).toBe(1);
    expect(await queue.purge()).toEqual(nothing);
  });

  test("gives messages that share nothing", () => {
    queue.getMessage(name).header.a = "b";
    expect(queue.getMessage(name).stringify()).toBe("{}");
  });

  test("cannot be written to", () => {
    expect(() => queue.add("x")).toThrow(new TypeError("A ZERO queue can only be read"));
    expect(() => queue.addMessage(new Message())).toThrow(TypeError);
  });
});
