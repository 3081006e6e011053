// Debian's python3-dirq, the original directory queue in Python, on the same directory as ours.
import fs, { chmodSync, readdirSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { filesBelow } from "../helpers/file-calls.js";
import { requires } from "../helpers/requirements.js";
import { call } from "../helpers/soak.js";

let top: string;
let path: string;
let ours: SimpleQueue;
beforeEach(() => {
  top = temporaryDirectory("python");
  path = join(top, "queue");
  ours = new SimpleQueue({ path });
});
afterEach(() => removeDirectory(top));

/** Make one call of theirs. Returns what it returned, as bytes. */
const theirs = (method: string, args: (string | number)[] = [], input?: string | Uint8Array) =>
  call("dirq-call.py", [path, method, ...args], input);

/** Make a file of the queue older than it is. */
const age = (name: string, seconds: number) =>
  utimesSync(join(path, name), Date.now() / 1000 - seconds, Date.now() / 1000 - seconds);

const bodies: [string, Buffer][] = [
  ["nothing", Buffer.alloc(0)],
  ["every byte", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
  ["line ends of all kinds", Buffer.from("\r\n\n\r\0\n")],
  ["a megabyte", Buffer.from(Array.from({ length: 1_000_000 }, (_, n) => (n * n) >> 7))],
];

describe.runIf(requires("python3-dirq"))("with the original in Python", () => {
  test.each(bodies)("what it adds is read here byte by byte: %s", (_, body) => {
    const name = String(theirs("add", [], body));
    expect([...ours]).toEqual([name]);
    expect(ours.lock(name)).toBe(true);
    expect(ours.get(name).equals(body)).toBe(true);
    expect(ours.remove(name)).toBe(true);
    expect(String(theirs("count"))).toBe("0");
  });

  test.each(bodies)("what is added here it reads byte by byte: %s", (_, body) => {
    const name = ours.add(body);
    expect(String(theirs("names"))).toBe(name);
    expect(String(theirs("lock", [name]))).toBe("True");
    expect(theirs("get", [name]).equals(body)).toBe(true);
    theirs("remove", [name]);
    expect(filesBelow(path)).toEqual([]);
  });

  test("files that it moved into the queue are elements here, and the other way round", () => {
    for (const file of ["a", "b"]) writeFileSync(join(top, file), file);
    chmodSync(join(top, "a"), 0o640);
    const names = [String(theirs("add_path", [join(top, "a")])), ours.addPath(join(top, "b"))];
    expect(readdirSync(top)).toEqual(["queue"]);
    expect(statSync(join(path, names[0]!)).mode & 0o777).toBe(0o640);
    expect([...ours]).toEqual(names);
    expect(String(theirs("names")).split("\n")).toEqual(names);
  });

  test("both see the same elements in the same order", () => {
    const names = Array.from({ length: 6 }, (_, n) => (n % 2 ? ours.add("") : String(theirs("add"))));
    expect([...ours]).toEqual(names);
    expect(String(theirs("names")).split("\n")).toEqual(names);
    expect(ours.count()).toBe(6);
    expect(String(theirs("count"))).toBe("6");
  });

  test("its lock is respected here, until it unlocks", () => {
    const name = ours.add("body");
    theirs("lock", [name]);
    expect(ours.lock(name)).toBe(false);
    theirs("unlock", [name]);
    expect(ours.lock(name)).toBe(true);
  });

  test("a lock of ours is respected there, until we unlock", () => {
    const name = ours.add("body");
    ours.lock(name);
    expect(String(theirs("lock", [name]))).toBe("False");
    ours.unlock(name);
    expect(String(theirs("lock", [name]))).toBe("True");
  });

  test("a touch of either keeps the lock from the other's purge", async () => {
    const name = ours.add("body");
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
    const name = String(theirs("add"));
    theirs("lock", [name]);
    theirs("_add_data", [], "half of a bo");
    const [temporary] = filesBelow(path).filter((file) => file.endsWith(".tmp"));
    expect(await ours.purge()).toEqual({ temporary: 0, locks: 0, directories: 0 });
    for (const old of [name, temporary!]) age(old, 1000);
    expect(await ours.purge()).toMatchObject({ temporary: 1, locks: 1 });
    expect(filesBelow(path)).toEqual([name]);
    expect(String(theirs("lock", [name]))).toBe("True");
  });

  test("its purge removes what we left behind", () => {
    const refuse = () => {
      throw new Error("killed");
    };
    const name = ours.add("body");
    ours.lock(name);
    // As if it was killed between writing and linking.
    const killed = new SimpleQueue({ path }, { calls: { ...fs, linkSync: refuse, unlinkSync: refuse } });
    expect(() => killed.add("half")).toThrow("killed");
    const files = filesBelow(path);
    expect(files).toHaveLength(3);
    theirs("purge");
    expect(filesBelow(path)).toEqual(files);
    for (const file of files) age(file, 1000);
    theirs("purge");
    expect(filesBelow(path)).toEqual([name]);
    expect(ours.lock(name)).toBe(true);
  });
});
