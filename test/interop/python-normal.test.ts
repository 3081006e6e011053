// Debian's python3-dirq, the original directory queue in Python, on the same normal queue as ours.
import fs, { mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NormalQueue, type Fields } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { remainsBelow } from "../helpers/file-calls.js";
import { requires } from "../helpers/requirements.js";
import { call } from "../helpers/soak.js";

const schema = { b: "binary", s: "string?", t: "table?" };

let top: string;
let path: string;
let ours: NormalQueue;
beforeEach(() => {
  top = temporaryDirectory("python");
  path = join(top, "queue");
  ours = new NormalQueue({ path, schema });
});
afterEach(() => removeDirectory(top));

const file = (name: string) => join(path, name);

/** Make one call of theirs. Returns what it returned, as text. */
const theirs = (method: string, args: (string | number)[] = [], input?: string) =>
  String(call("dirq-call-normal.py", [path, JSON.stringify(schema), method, ...args], input));

/** An element with its bytes as characters, for JSON and for quick comparisons. */
const plain = (element: Fields): Fields => ({ ...element, b: (element.b as Buffer).toString("latin1") });

const theirAdd = (element: Fields) => theirs("add", [], JSON.stringify(plain(element)));
const theirGet = (name: string) => JSON.parse(theirs("get", [name])) as Fields;

const small = { b: Buffer.from("hello") };

/** Make an element of the queue, or its like, older than it is. */
const age = (name: string, seconds: number) =>
  utimesSync(file(name), Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);

const empty = Buffer.alloc(0);
const awkward = "\\ \\\\ \t \n \r \0 = é € \u2028 \u0085 \ufeff \u{1f600}";
const elements: [string, Fields][] = [
  ["nothing", { b: empty }],
  ["every byte", { b: Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)) }],
  ["an empty string and an empty table", { b: empty, s: "", t: {} }],
  ["a string of all kinds", { b: empty, s: `\ufeff${awkward}${awkward}\r\n` }],
  [
    "a table of all kinds",
    { b: empty, t: { "": "", [awkward]: awkward, "\\": "\\t", "\\n": "\n", key: "" } },
  ],
  // JavaScript sorts these two the other way round.
  ["keys beyond the first 65536 characters", { b: empty, t: { "\u{1f600}": "1", "\uff5e": "2", a: "3" } }],
  ["a megabyte", { b: Buffer.from(Array.from({ length: 1_000_000 }, (_, n) => (n * n) >> 7)) }],
];

describe.runIf(requires("python3-dirq"))("with the original in Python", () => {
  test.each(elements)("what it adds is read here exactly: %s", (_, element) => {
    const name = theirAdd(element);
    expect([...ours]).toEqual([name]);
    expect(ours.lock(name)).toBe(true);
    expect(plain(ours.get(name))).toEqual(plain(element));
    expect(ours.remove(name)).toBe(true);
    expect(theirs("count")).toBe("0");
    expect(remainsBelow(path)).toEqual([]);
  });

  test.each(elements)("what is added here it reads exactly: %s", (_, element) => {
    const name = ours.add(element);
    expect(theirs("names")).toBe(name);
    expect(theirs("lock", [name])).toBe("True");
    expect(theirGet(name)).toEqual(plain(element));
    theirs("remove", [name]);
    expect(remainsBelow(path)).toEqual([]);
  });

  test.each(elements)("both write the same files: %s", (_, element) => {
    const names = [ours.add(element), theirAdd(element)];
    const [one, two] = names.map((name) => {
      const fields = readdirSync(file(name)).sort();
      return fields.map((field) => [field, readFileSync(file(`${name}/${field}`), "latin1")]);
    });
    expect(one).toEqual(two);
  });

  test("both see the same elements in the same order", () => {
    const names = Array.from({ length: 6 }, (_, n) => (n % 2 ? ours.add(small) : theirAdd(small)));
    expect([...ours]).toEqual(names);
    expect(theirs("names").split("\n")).toEqual(names);
    expect(ours.count()).toBe(6);
    expect(theirs("count")).toBe("6");
  });

  test("its lock is respected here, until it unlocks", () => {
    const name = ours.add(small);
    theirs("lock", [name]);
    expect(ours.lock(name)).toBe(false);
    theirs("unlock", [name]);
    expect(ours.lock(name)).toBe(true);
  });

  test("a lock of ours is respected there, until we unlock", () => {
    const name = theirAdd(small);
    ours.lock(name);
    expect(theirs("lock", [name])).toBe("False");
    ours.unlock(name);
    expect(theirs("lock", [name])).toBe("True");
  });

  test("a touch of either keeps the lock from the other's purge", async () => {
    const name = ours.add(small);
    ours.lock(name);
    age(name, 1000);
    theirs("touch", [name]);
    expect((await ours.purge()).locks).toBe(0);
    age(name, 1000);
    ours.touch(name);
    theirs("purge");
    expect(ours.unlock(name)).toBe(true);
  });

  test("our purge removes what it left behind", async () => {
    const name = theirAdd(small);
    theirs("lock", [name]);
    // It has no schema for this one, finds out when the directory is made, and leaves it.
    expect(() => theirs("add", [], '{"b": "", "x": ""}')).toThrow("x");
    const [temporary] = readdirSync(file("temporary"));
    expect(await ours.purge()).toEqual({ temporary: 0, locks: 0, directories: 0 });
    for (const old of [name, `temporary/${temporary}`]) age(old, 1000);
    expect(await ours.purge()).toEqual({ temporary: 1, locks: 1, directories: 0 });
    expect(remainsBelow(path)).toEqual([name, `${name}/b`]);
    expect(theirs("lock", [name])).toBe("True");
  });

  test("its purge removes what we left behind", () => {
    const refuse = () => {
      throw new Error("killed");
    };
    const name = ours.add(small);
    ours.lock(name);
    // As if it was killed between writing and moving.
    const calls = { ...fs, renameSync: refuse, readdirSync: refuse, rmdirSync: refuse };
    const killed = new NormalQueue({ path, schema }, { calls: calls as unknown as typeof fs });
    expect(() => killed.add({ ...small, s: "" })).toThrow("killed");
    const [temporary] = readdirSync(file("temporary"));
    mkdirSync(file("00000001"));
    for (const old of [name, `temporary/${temporary}`]) age(old, 1000);
    theirs("purge");
    expect(remainsBelow(path)).toEqual([name, `${name}/b`]);
    expect(ours.lock(name)).toBe(true);
  });

  test("where it differs in reading a table, ours is as Perl", () => {
    const name = ours.add({ b: empty, t: {} });
    ours.lock(name);
    writeFileSync(file(`${name}/t`), "\na\tb\n");
    expect(theirGet(name).t).toEqual({ a: "b" });
    expect(() => ours.get(name)).toThrow(expect.objectContaining({ code: "DIRQ_BAD_DATA" }));
    writeFileSync(file(`${name}/t`), "\n");
    expect(() => theirGet(name)).toThrow("unexpected hash line");
    expect(ours.get(name).t).toEqual({});
  });

  test.each(["a\\xb\tc\\\\t\\d\\\n", "a\t1\na\t2\n", "a\tb", "a\tb\n\n", "b\t\na\t\n", "\t\n"])(
    "both read the table %j alike",
    (text) => {
      const name = ours.add({ b: empty, t: {} });
      writeFileSync(file(`${name}/t`), text);
      ours.lock(name);
      expect(plain(ours.get(name))).toEqual(theirGet(name));
    },
  );

  test.each(["a\n", "a\tb\tc\n", "a\tb\n\nc\td\n"])("both refuse the table %j", (text) => {
    const name = ours.add({ b: empty, t: {} });
    writeFileSync(file(`${name}/t`), text);
    ours.lock(name);
    expect(() => theirGet(name)).toThrow("unexpected hash line");
    expect(() => ours.get(name)).toThrow(expect.objectContaining({ code: "DIRQ_BAD_DATA" }));
  });
});
