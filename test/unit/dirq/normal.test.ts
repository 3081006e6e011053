import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  durabilities,
  NormalQueue,
  type DirqError,
  type Fields,
  type NormalQueueOptions,
} from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { asNobody, isRoot } from "../../helpers/accounts.js";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { atEveryCall, filesBelow, remainsBelow } from "../../helpers/file-calls.js";
import { queueContract } from "../../helpers/queue-contract.js";

const schema = { body: "binary", header: "table?", note: "string?" };

const kinds: Partial<NormalQueueOptions>[] = [
  ...durabilities.map((durability) => ({ durability })),
  { nlink: true },
];
for (const kind of kinds) {
  queueContract<Fields>(
    `NormalQueue with ${JSON.stringify(kind)}`,
    (options, surroundings) => new NormalQueue({ schema, ...kind, ...options }, surroundings),
    {
      element: (n) => ({
        body: Buffer.from(`element ${n}`),
        header: { number: String(n), "a\tb": "\n\\" },
        ...(n % 2 && { note: `Zürich ${n}` }),
      }),
      scattered: { maxelts: 1 },
      staysAfterFailure: kind.durability === "full",
    },
  );
}

/** 2023-11-14 22:13:20.123456 UTC, in microseconds; its seconds are 6553f100 in hexadecimal. */
const NOW = 1_700_000_000_123_456;

let top: string;
let path: string;
beforeEach(() => {
  top = temporaryDirectory("normal");
  path = join(top, "queue");
});
afterEach(() => removeDirectory(top));

const open = (options: Partial<NormalQueueOptions> = {}, now = NOW) =>
  new NormalQueue({ path, rndhex: 10, schema, ...options }, { clock: () => now });

const body = (text = "") => ({ body: Buffer.from(text) });
const file = (name: string) => join(path, name);
const mode = (name: string) => (statSync(name).mode & 0o7777).toString(8);
const refusal = (code: string) => expect.objectContaining({ name: "DirqError", code }) as DirqError;

describe("on disk", () => {
  test("an empty queue has the directories temporary and obsolete", () => {
    open();
    expect(readdirSync(path)).toEqual(["obsolete", "temporary"]);
  });

  test("an element is a directory with a file for each field", () => {
    const name = open().add({
      body: Buffer.from([0, 255]),
      header: { b: "2", a: "1\t\n\\" },
      note: "Zürich €",
    });
    // The microsecond before it named the temporary directory.
    expect(name).toBe("00000000/6553f1001e241a");
    expect(remainsBelow(path)).toEqual([name, `${name}/body`, `${name}/header`, `${name}/note`]);
    expect(readFileSync(file(`${name}/body`))).toEqual(Buffer.from([0, 255]));
    expect(readFileSync(file(`${name}/header`), "utf8")).toBe("a\t1\\t\\n\\\\\nb\t2\n");
    expect(readFileSync(file(`${name}/note`))).toEqual(Buffer.from("Zürich €"));
  });

  test("an element is made in temporary, then moved", async () => {
    const states: string[][] = [];
    const reached = await atEveryCall((moment) => {
      removeDirectory(path);
      const queue = new NormalQueue({ path, rndhex: 10, schema }, { calls: moment.calls, clock: () => NOW });
      moment.arm(() => states.push(remainsBelow(path)));
      queue.add({ body: Buffer.from("hello"), note: "note" });
    });
    const made = "temporary/6553f1001e240a";
    const [first, second] = [`${made}/body`, `${made}/note`];
    const written = ["openSync", "writeFileSync", "closeSync"];
    expect(reached).toEqual([
      "mkdirSync",
      ...written,
      ...written,
      "lstatSync",
      "readdirSync",
      "mkdirSync",
      "renameSync",
    ]);
    expect(states).toEqual([
      [],
      [made],
      [made, first],
      [made, first],
      [made, first],
      ...Array.from({ length: 6 }, () => [made, first, second]),
    ]);
  });

  test("the next add makes no call but those for its own files", async () => {
    const reached = await atEveryCall((moment) => {
      const queue = new NormalQueue({ path, schema }, moment);
      queue.add(body());
      moment.arm(() => undefined);
      queue.add(body());
    });
    expect(reached).toEqual(["mkdirSync", "openSync", "writeFileSync", "closeSync", "renameSync"]);
  });

  test("with no optional field in the schema, an element is taken apart without a look at what it has", async () => {
    const fixed = { schema: { body: "binary" } };
    const reached = await atEveryCall((moment) => {
      const queue = new NormalQueue({ path, ...fixed }, moment);
      const name = queue.add(body());
      queue.lock(name);
      moment.arm(() => undefined);
      queue.remove(name);
    });
    expect(reached).toEqual(["lstatSync", "renameSync", "unlinkSync", "rmdirSync", "rmdirSync"]);
    const name = open().add({ ...body(), note: "more" });
    const queue = open(fixed);
    queue.lock(name);
    expect(queue.remove(name)).toBe(true);
    expect(remainsBelow(path)).toEqual([]);
  });

  test("a lock is a directory in the element", () => {
    const name = open().add(body());
    open().lock(name);
    expect(remainsBelow(path)).toEqual([name, `${name}/body`, `${name}/locked`]);
    open().unlock(name);
    expect(remainsBelow(path)).toEqual([name, `${name}/body`]);
  });

  test("an element is moved to obsolete, then taken apart", async () => {
    const states: string[][] = [];
    const reached = await atEveryCall((moment) => {
      removeDirectory(path);
      const queue = new NormalQueue({ path, rndhex: 10, schema }, { calls: moment.calls, clock: () => NOW });
      const name = queue.add(body());
      queue.lock(name);
      moment.arm(() => states.push(remainsBelow(path)));
      queue.remove(name);
    });
    const [before, after] = ["00000000/6553f1001e241a", "obsolete/6553f1001e242a"];
    expect(reached).toEqual([
      "lstatSync",
      "renameSync",
      "readdirSync",
      "unlinkSync",
      "rmdirSync",
      "rmdirSync",
    ]);
    const all = (element: string) => [element, `${element}/body`, `${element}/locked`];
    expect(states).toEqual([
      ...[all(before), all(before), all(after), all(after)],
      ...[[after, `${after}/locked`], [after]],
    ]);
  });

  describe("modes", () => {
    let before: number;
    beforeEach(() => (before = process.umask(0o022)));
    afterEach(() => process.umask(before));

    test.each([
      { umask: undefined, directory: "755", field: "644" },
      { umask: 0, directory: "777", field: "666" },
      { umask: 0o027, directory: "750", field: "640" },
      { umask: 0o077, directory: "700", field: "600" },
    ])("are $directory and $field with umask $umask", ({ umask, directory, field }) => {
      const queue = open(umask === undefined ? {} : { umask });
      const name = queue.add(body());
      queue.lock(name);
      for (const made of ["", "temporary", "obsolete", "00000000", name, `${name}/locked`]) {
        expect(mode(file(made))).toBe(directory);
      }
      expect(mode(file(`${name}/body`))).toBe(field);
      expect(process.umask()).toBe(0o022);
    });
  });
});

describe("intermediate directories", () => {
  const directoryOf = (name: string) => name.split("/")[0];

  test.each([1, 2, 3, 7, 40])("hold maxelts elements, if nobody else adds: %d", (maxelts) => {
    for (const nlink of [false, true]) {
      removeDirectory(path);
      const queue = open({ maxelts, nlink });
      const names = Array.from({ length: 3 * maxelts }, () => directoryOf(queue.add(body())));
      expect(names).toEqual(
        ["00000000", "00000001", "00000002"].flatMap((name) => Array<string>(maxelts).fill(name)),
      );
    }
  });

  test("are filled up by the next object, and the next process", () => {
    open({ maxelts: 3 }).add(body());
    expect(directoryOf(open({ maxelts: 3 }).add(body()))).toBe("00000000");
    expect(directoryOf(open({ maxelts: 3 }).add(body()))).toBe("00000000");
    expect(directoryOf(open({ maxelts: 3 }).add(body()))).toBe("00000001");
  });

  test("are numbered in hexadecimal, on from the last one", () => {
    open();
    mkdirSync(file("0000000f"));
    mkdirSync(file("0000000f/6553f100000000"));
    expect(directoryOf(open({ maxelts: 1 }).add(body()))).toBe("00000010");
  });

  test("after the last number, the directory of that number takes all", () => {
    open();
    mkdirSync(file("ffffffff"));
    const queue = open({ maxelts: 1 });
    expect([1, 2, 3].map(() => directoryOf(queue.add(body())))).toEqual(Array(3).fill("ffffffff"));
  });

  test("that rivals fill are noticed: no more than half of the room is taken on trust", () => {
    const [queue, rival] = [open({ maxelts: 64 }), open({ maxelts: 64 })];
    queue.add(body());
    for (let n = 0; n < 63; n++) rival.add(body());
    for (let n = 0; n < 64; n++) queue.add(body());
    expect(readdirSync(file("00000000")).length).toBeLessThan(64 + 32);
    expect(queue.count()).toBe(128);
  });

  test("that rivals have moved on from are noticed within a second", () => {
    let now = NOW;
    const queue = new NormalQueue({ path, schema }, { clock: () => now });
    queue.add(body());
    mkdirSync(file("00000005"));
    expect(directoryOf(queue.add(body()))).toBe("00000000");
    now += 1_000_000;
    expect(directoryOf(queue.add(body()))).toBe("00000005");
  });

  test("that a purge removed are not missed", async () => {
    const queue = open();
    const name = queue.add(body());
    queue.lock(name);
    queue.remove(name);
    mkdirSync(file("00000005"));
    expect((await open().purge()).directories).toBe(1);
    expect(directoryOf(queue.add(body()))).toBe("00000005");
  });
});

describe("add", () => {
  test("never replaces an element, and fills in an empty directory of that name", () => {
    open();
    mkdirSync(file("00000000/6553f1001e241a"), { recursive: true });
    const queue = open();
    expect(queue.add(body("1"))).toBe("00000000/6553f1001e241a");
    expect(open().add(body("2"))).toBe("00000000/6553f1001e242a");
    expect(queue.count()).toBe(2);
  });

  test("makes temporary and obsolete again if somebody removed them", () => {
    const queue = open();
    for (const directory of ["temporary", "obsolete"]) rmSync(file(directory), { recursive: true });
    const name = queue.add(body());
    queue.lock(name);
    expect(queue.remove(name)).toBe(true);
    expect(remainsBelow(path)).toEqual([]);
  });

  test("without a queue is ENOENT, and makes none", () => {
    const queue = open();
    removeDirectory(path);
    expect(() => queue.add(body())).toThrow(expect.objectContaining({ code: "ENOENT" }));
    expect(existsSync(path)).toBe(false);
  });

  test("needs a schema, as get does, and all else does without", async () => {
    const name = open().add(body());
    const queue = new NormalQueue({ path });
    expect(() => queue.add(body())).toThrow("Expected `schema` among the options, for add and get");
    expect([...queue]).toEqual([name]);
    queue.lock(name);
    expect(() => queue.get(name)).toThrow(TypeError);
    expect(queue.count()).toBe(1);
    expect(queue.remove(name)).toBe(true);
    await queue.purge();
    expect(remainsBelow(path)).toEqual([]);
  });
});

describe("remove", () => {
  test("takes fields that are in no schema of ours", () => {
    const name = open().add(body());
    writeFileSync(file(`${name}/Other1`), "");
    open().lock(name);
    expect(open().remove(name)).toBe(true);
    expect(remainsBelow(path)).toEqual([]);
  });

  test("leaves in obsolete what is no field", async () => {
    const name = open().add(body());
    writeFileSync(file(`${name}/foreign.txt`), "");
    mkdirSync(file(`${name}/directory`));
    open().lock(name);
    expect(open().remove(name)).toBe(true);
    const [obsolete] = readdirSync(file("obsolete"));
    const left = [obsolete, `${obsolete}/directory`, `${obsolete}/foreign.txt`].map(
      (name) => `obsolete/${name}`,
    );
    expect(remainsBelow(path)).toEqual(left);
    utimesSync(file(left[0]!), 1, 1);
    expect(await open().purge()).toEqual({ temporary: 0, locks: 0, directories: 0 });
    expect(remainsBelow(path)).toEqual(left);
  });

  test.each<[string, (name: string) => void]>([
    ["a directory in the place of a field", (name) => mkdirSync(file(`${name}/note`))],
    ["something in the lock", (name) => writeFileSync(file(`${name}/locked/x`), "")],
  ])("soon gives up on %s", async (_, make) => {
    const reached = await atEveryCall((moment) => {
      const queue = new NormalQueue({ path, schema }, moment);
      const name = queue.add(body());
      queue.lock(name);
      make(name);
      moment.arm(() => undefined);
      expect(queue.remove(name)).toBe(true);
      expect(queue.count()).toBe(0);
    });
    expect(reached.length).toBeLessThan(20);
  });

  test("does not follow links", () => {
    const name = open().add(body());
    writeFileSync(join(top, "outside"), "");
    symlinkSync(join(top, "outside"), file(`${name}/link`));
    open().lock(name);
    expect(open().remove(name)).toBe(true);
    expect(filesBelow(top)).toEqual(["outside"]);
    expect(remainsBelow(path)).toEqual([]);
  });
});

describe("purge", () => {
  const seconds = NOW / 1e6;
  /** Make a file or a directory (its name ends with a slash) in the queue, as old as this. */
  const make = (name: string, age: number) => {
    mkdirSync(file(name.endsWith("/") ? name : join(name, "..")), { recursive: true });
    if (!name.endsWith("/")) writeFileSync(file(name), "");
    utimesSync(
      file(join(name.replace(/\/$/, ""), name.endsWith("/") ? "." : "..")),
      seconds - age,
      seconds - age,
    );
  };

  test("removes what is older than maxtemp from temporary and obsolete", async () => {
    const queue = open();
    for (const directory of ["temporary", "obsolete"]) {
      make(`${directory}/6553f000000010/body`, 300);
      make(`${directory}/6553f000000020/`, 300);
      make(`${directory}/6553f000000030/body`, 301);
      make(`${directory}/6553f000000040/locked/`, 301);
      utimesSync(file(`${directory}/6553f000000040`), seconds - 301, seconds - 301);
    }
    expect(await queue.purge()).toEqual({ temporary: 4, locks: 0, directories: 0 });
    expect(remainsBelow(path)).toHaveLength(6);
    expect((await queue.purge({ maxtemp: 0 })).temporary).toBe(0);
    expect((await queue.purge({ maxtemp: 299 })).temporary).toBe(4);
    expect(remainsBelow(path)).toEqual([]);
  });

  test("removes the locks of elements that were modified longer ago than maxlock", async () => {
    const queue = open();
    for (const [n, age] of [600, 601].entries()) {
      make(`00000000/6553f00000000${n}/locked/`, 0);
      utimesSync(file(`00000000/6553f00000000${n}`), seconds - age, seconds - age);
    }
    make("00000000/6553f000000002/body", 1e6);
    expect(await queue.purge({ maxlock: 0 })).toEqual({ temporary: 0, locks: 0, directories: 0 });
    expect(await queue.purge()).toEqual({ temporary: 0, locks: 1, directories: 0 });
    expect(existsSync(file("00000000/6553f000000000/locked"))).toBe(true);
    expect(existsSync(file("00000000/6553f000000001/locked"))).toBe(false);
  });

  test("removes the empty directories, but the last one stays, empty or not", async () => {
    open();
    for (const name of ["00000000/", "00000001/", "00000003/"]) make(name, 0);
    make("00000002/6553f000000000/body", 0);
    for (const maxlock of [0, 600]) {
      const report = await open().purge({ maxlock });
      expect(report.directories).toBe(maxlock ? 0 : 2);
    }
    expect(readdirSync(path)).toEqual(["00000002", "00000003", "obsolete", "temporary"]);
  });

  test("leaves foreign names alone, at any age", async () => {
    const queue = open();
    const foreign = [
      "temporary/README",
      "temporary/6553F000000000/body",
      "obsolete/x/body",
      "00000000/x/locked/f",
    ];
    for (const name of foreign) make(name, 1e6);
    make("ffffffff/", 0);
    expect(await queue.purge()).toEqual({ temporary: 0, locks: 0, directories: 0 });
    expect(filesBelow(path)).toEqual(foreign.sort());
  });
});

describe("what no queue has written", () => {
  const NAME = "00000000/6553f000000000";
  beforeEach(() => {
    open();
    mkdirSync(file("00000000"));
  });

  test.each<[string, () => void]>([
    ["a file", () => writeFileSync(file(NAME), "")],
    ["a link to a directory", () => symlinkSync(top, file(NAME))],
    ["a dangling link", () => symlinkSync("nowhere", file(NAME))],
  ])("%s named like an element is passed over, and keeps its directory", async (_, make) => {
    make();
    mkdirSync(file("00000001"));
    expect([...open()]).toEqual([]);
    expect(open().count()).toBe(0);
    expect((await open().purge()).directories).toBe(0);
  });

  test.each<[string, (path: string) => void]>([
    ["a link", (path) => symlinkSync(join(top, "outside"), path)],
    ["a file", (path) => writeFileSync(path, "")],
  ])("%s in the place of the next intermediate directory takes no element", (_, make) => {
    mkdirSync(join(top, "outside"));
    rmSync(file("00000000"), { recursive: true });
    for (const directory of ["00000000", "00000001"]) {
      make(file(directory));
      const add = () => open({ maxelts: 1 }).add(body());
      expect(add).toThrow(refusal("DIRQ_BAD_DATA"));
      expect(add).toThrow(`Expected ${file(directory)} to be a directory, and not a link to one`);
      rmSync(file(directory));
      add();
    }
    expect(readdirSync(join(top, "outside"))).toEqual([]);
    expect(readdirSync(file("temporary"))).toEqual([]);
    expect(open().count()).toBe(2);
  });

  test("a link named like an element is not locked, and not followed", () => {
    mkdirSync(join(top, "outside"));
    symlinkSync(join(top, "outside"), file(NAME));
    expect(() => open().lock(NAME)).toThrow(refusal("DIRQ_BAD_DATA"));
    expect(readdirSync(join(top, "outside"))).toEqual([]);
  });

  test("a file in the place of a lock keeps the element locked, and is never purged", async () => {
    mkdirSync(file(NAME));
    writeFileSync(file(`${NAME}/locked`), "");
    expect(open().lock(NAME)).toBe(false);
    expect(() => open().get(NAME)).toThrow(refusal("DIRQ_NOT_LOCKED"));
    utimesSync(file(NAME), 1, 1);
    expect((await open().purge()).locks).toBe(0);
    expect(existsSync(file(`${NAME}/locked`))).toBe(true);
  });

  test.each<[string, (path: string) => void]>([
    ["a directory", (path) => mkdirSync(path)],
    ["a link", (path) => symlinkSync("/etc/hostname", path)],
    ["a dangling link", (path) => symlinkSync("nowhere", path)],
  ])("%s in the place of a field is DIRQ_BAD_DATA", (_, make) => {
    for (const field of ["body", "note"]) {
      removeDirectory(file(NAME));
      mkdirSync(file(NAME));
      if (field !== "body") writeFileSync(file(`${NAME}/body`), "");
      make(file(`${NAME}/${field}`));
      open().lock(NAME);
      expect(() => open().get(NAME)).toThrow(refusal("DIRQ_BAD_DATA"));
      expect(() => open().get(NAME)).toThrow(`${NAME}/${field}`);
    }
  });
});

describe("rights", () => {
  test.runIf(isRoot)("another account that may lock an element may touch it", () => {
    chmodSync(top, 0o755);
    const queue = open({ umask: 0 }, Date.now() * 1000);
    const name = queue.add(body("hello"));
    const age = () => Date.now() - statSync(file(name)).mtimeMs;
    expect(asNobody(() => queue.lock(name))).toBe(true);
    utimesSync(file(name), 1, 1);
    expect(asNobody(() => queue.touch(name))).toBe(true);
    expect(age()).toBeLessThan(60_000);
    expect(queue.lock(name)).toBe(false);
    expect(asNobody(() => queue.get(name))).toEqual(body("hello"));
    expect(asNobody(() => queue.remove(name))).toBe(true);
    expect(remainsBelow(path)).toEqual([]);
    expect(asNobody(() => queue.touch(name))).toBe(false);
  });

  test.runIf(isRoot)("a touch by another account of what is not locked changes nothing", () => {
    chmodSync(top, 0o755);
    const queue = open({ umask: 0 });
    const name = queue.add(body());
    expect(asNobody(() => queue.touch(name))).toBe(true);
    expect(remainsBelow(path)).toEqual([name, `${name}/body`]);
  });
});
