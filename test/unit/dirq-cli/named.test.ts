import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { NormalQueue, SimpleQueue } from "@spoolwire/dirq";
import { Message } from "@spoolwire/message";
import { beforeEach, describe, expect, test } from "vitest";
import { dirq, eachInDirectory } from "./helpers.js";

const directory = eachInDirectory();
let path: string;
let queue: SimpleQueue;
beforeEach(() => {
  path = join(directory(), "queue");
  queue = new SimpleQueue({ path });
});

const MISSING = "00000000/00000000000000";
const lines = (text: string) => text.split("\n").slice(0, -1);
const quiet = { status: 0, stdout: "", stderr: "" };

describe("dirq ls", () => {
  test("writes the names in order, locked ones included", async () => {
    const names = [queue.add("1"), queue.add("2")];
    queue.lock(names[0]!);
    expect(await dirq(["ls", path])).toEqual({ status: 0, stdout: `${names.join("\n")}\n`, stderr: "" });
  });

  test("tells size, time and lock with --json, and in words with --long", async () => {
    const [first, second] = [queue.add("four"), queue.add("")];
    queue.lock(second);
    const objects = lines((await dirq(["ls", path, "--json"])).stdout).map(
      (line) => JSON.parse(line) as Record<string, unknown>,
    );
    expect(objects).toMatchObject([
      { name: first, size: 4, locked: false },
      { name: second, size: 0, locked: true },
    ]);
    const added = Date.parse(objects[0]!.added as string);
    expect(Math.abs(added - Date.now())).toBeLessThan(60_000);
    expect(objects[1]).toHaveProperty("lockedSince");
    const long = lines((await dirq(["ls", path, "--long"])).stdout);
    expect(long[0]).toMatch(new RegExp(`^${first} +4 +\\d+s$`));
    expect(long[1]).toMatch(new RegExp(`^${second} +0 +\\d+s locked \\d+s$`));
  });

  test("writes nothing for an empty queue, and says what is not there", async () => {
    expect(await dirq(["ls", path])).toEqual(quiet);
    expect(await dirq(["ls", `${path}/none`])).toMatchObject({
      status: 66,
      stderr: expect.stringMatching(/^dirq ls: ENOENT: .*\n$/) as string,
    });
  });

  test("lists a normal queue too", async () => {
    const normal = new NormalQueue({ path: join(directory(), "normal"), schema: { body: "string" } });
    const name = normal.add({ body: "four" });
    normal.lock(name);
    const { stdout } = await dirq(["ls", normal.path, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({ name, size: 4, locked: true });
  });
});

describe("dirq get and cat", () => {
  test("get writes the elements that are named, and leaves them unlocked", async () => {
    const [, second] = [queue.add("1"), queue.add("2")];
    expect(await dirq(["get", path, second])).toEqual({ ...quiet, stdout: "2" });
    expect([...queue].every((name) => queue.lock(name))).toBe(true);
  });

  test("take names from standard input with -", async () => {
    const names = [queue.add("1"), queue.add("2")];
    expect(await dirq(["get", path, "-"], `${names.join("\n")}\n`)).toEqual({ ...quiet, stdout: "12" });
  });

  test("tell what is locked (75) or not there (1), and write the others", async () => {
    const [locked, free] = [queue.add("1"), queue.add("2")];
    queue.lock(locked);
    expect(await dirq(["get", path, MISSING, free])).toEqual({
      status: 1,
      stdout: "2",
      stderr: `dirq get: ${MISSING} is not there\n`,
    });
    expect(await dirq(["get", path, locked, MISSING, free])).toMatchObject({ status: 75, stdout: "2" });
    expect(await dirq(["cat", path])).toEqual({
      status: 75,
      stdout: "2",
      stderr: "dirq cat: 1 elements were locked by others, and left out\n",
    });
  });

  test("get reads what is locked with --locked, and leaves the lock", async () => {
    const name = queue.add("1");
    queue.lock(name);
    expect(await dirq(["get", path, "--locked", name])).toEqual({ ...quiet, stdout: "1" });
    expect(queue.unlock(name, true)).toBe(true);
  });

  test("write messages as bodies, or as lines of JSON; a malformed one stays (65)", async () => {
    const message = new Message({ header: { a: "b" }, body: "é\n" });
    queue.add(message.stringify({ compression: "zlib!" }));
    const bad = queue.add("bad");
    const { status, stdout, stderr } = await dirq(["cat", path, "--json"]);
    expect(stdout).toBe(`${message.stringify()}\n`);
    expect(stderr).toMatch(new RegExp(`^dirq cat: .*${bad} is no message: .*; it stays where it is\n$`));
    expect([status, queue.count()]).toEqual([65, 2]);
    expect((await dirq(["cat", path, "--body"])).stdout).toBe("é\n");
  });

  test("an empty queue is status 1, a bad name one line", async () => {
    expect(await dirq(["cat", path])).toEqual({ ...quiet, status: 1 });
    expect(await dirq(["get", path, "../x"])).toMatchObject({
      status: 65,
      stderr: expect.stringMatching(/^dirq get: Expected an element name as in .*, got '..\/x'\n$/) as string,
    });
    expect(await dirq(["get", path])).toMatchObject({ status: 64 });
  });
});

describe("dirq lock, touch, unlock, rm", () => {
  test("lock the first element that can be had, and work on it", async () => {
    const [first, second] = [queue.add("1"), queue.add("2")];
    queue.lock(first);
    expect(await dirq(["lock", path])).toEqual({ ...quiet, stdout: `${second}\n` });
    expect(await dirq(["lock", path])).toEqual({ ...quiet, status: 1 });
    expect(await dirq(["touch", path, second])).toEqual(quiet);
    expect(await dirq(["rm", path, "--locked", second])).toEqual(quiet);
    expect([...queue]).toEqual([first]);
  });

  test("lock what is named, and tell what cannot be", async () => {
    const [first, second] = [queue.add("1"), queue.add("2")];
    queue.lock(first);
    expect(await dirq(["lock", path, first, second])).toEqual({
      status: 75,
      stdout: `${second}\n`,
      stderr: `dirq lock: ${first} is locked by somebody else\n`,
    });
    expect(queue.lock(second)).toBe(false);
  });

  test("unlock gives back, whoever has the lock", async () => {
    const name = queue.add("1");
    queue.lock(name);
    expect(await dirq(["unlock", path, name])).toEqual(quiet);
    expect(await dirq(["unlock", path, name])).toMatchObject({
      status: 1,
      stderr: `dirq unlock: ${name} is not locked\n`,
    });
    expect(queue.lock(name)).toBe(true);
  });

  test("rm removes what nobody has locked", async () => {
    const [first, second] = [queue.add("1"), queue.add("2")];
    queue.lock(first);
    expect(await dirq(["rm", path, "-"], `${first}\n${second}\n${MISSING}\n`)).toMatchObject({ status: 75 });
    expect([...queue]).toEqual([first]);
  });

  test("rm --locked refuses what is not locked", async () => {
    const name = queue.add("1");
    expect(await dirq(["rm", path, "--locked", name])).toMatchObject({ status: 65 });
    expect(queue.count()).toBe(1);
  });
});

describe("dirq count and stat", () => {
  test("count writes a number, for several queues with their paths", async () => {
    queue.add("1");
    const other = join(directory(), "other");
    mkdirSync(other);
    expect(await dirq(["count", path])).toEqual({ ...quiet, stdout: "1\n" });
    expect(await dirq(["count", path, other])).toEqual({ ...quiet, stdout: `1 ${path}\n0 ${other}\n` });
  });

  test("stat tells how a queue stands, as a table or as JSON", async () => {
    const [first] = [queue.add("1"), queue.add("22")];
    queue.lock(first);
    expect(JSON.parse((await dirq(["stat", path, "--json", "--bytes"])).stdout)).toMatchObject({
      ...{ queue: path, type: "simple", elements: 2, locked: 1, temporary: 0, quarantined: 0, bytes: 3 },
      oldest: expect.any(Number) as number,
    });
    const [heading, row] = lines((await dirq(["stat", path])).stdout);
    expect(heading).toMatch(/^queue +type +elements +locked/);
    expect(row?.split(/ +/).slice(0, 4)).toEqual([path, "simple", "2", "1"]);
  });
});
