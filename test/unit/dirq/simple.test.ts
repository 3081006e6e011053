import fs, {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { durabilities, SimpleQueue, type QueueOptions } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { asNobody } from "../../helpers/accounts.js";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { atEveryCall, filesBelow } from "../../helpers/file-calls.js";
import { queueContract } from "../../helpers/queue-contract.js";

for (const durability of durabilities) {
  queueContract(
    `SimpleQueue in mode ${durability}`,
    (options, surroundings) => new SimpleQueue({ durability, ...options }, surroundings),
    { staysAfterFailure: durability === "full" },
  );
}

/** 2023-11-14 22:13:20.123456 UTC, in microseconds; its seconds are 6553f100 in hexadecimal. */
const NOW = 1_700_000_000_123_456;

let top: string;
let path: string;
beforeEach(() => {
  top = temporaryDirectory("simple");
  path = join(top, "queue");
});
afterEach(() => removeDirectory(top));

const open = (options: Partial<QueueOptions> = {}, now = NOW) =>
  new SimpleQueue({ path, rndhex: 10, ...options }, { clock: () => now });

const mode = (file: string) => (statSync(file).mode & 0o7777).toString(8);
const file = (name: string) => join(path, name);

describe("on disk", () => {
  test.each([
    { granularity: 0, directory: "6553f100" },
    { granularity: 1, directory: "6553f100" },
    { granularity: 60, directory: "6553f0ec" },
    { granularity: 3600, directory: "6553ede0" },
  ])("with granularity $granularity an element is a file in $directory", ({ granularity, directory }) => {
    const name = open({ granularity }).add("hello");
    // The two microseconds before it named a temporary file: without, then with its directory.
    expect(name).toBe(`${directory}/6553f1001e242a`);
    expect(filesBelow(path)).toEqual([name]);
    expect(readFileSync(file(name), "utf8")).toBe("hello");
  });

  test("granularity is 60 by default", () => {
    expect(open().add("")).toMatch(/^6553f0ec\//);
  });

  test("an element is written under a name of its own with .tmp, then linked, then the .tmp goes", async () => {
    const states: string[][] = [];
    const reached = await atEveryCall((moment) => {
      removeDirectory(path);
      const queue = new SimpleQueue({ path, rndhex: 10 }, { calls: moment.calls, clock: () => NOW });
      moment.arm(() => states.push(filesBelow(path)));
      queue.add("hello");
    });
    const [tmp, element] = ["6553f0ec/6553f1001e241a.tmp", "6553f0ec/6553f1001e242a"];
    expect(reached).toEqual([
      "lstatSync",
      "openSync",
      "mkdirSync",
      "openSync",
      "writeFileSync",
      "closeSync",
      "linkSync",
      "unlinkSync",
    ]);
    expect(states).toEqual([[], [], [], [], [tmp], [tmp], [tmp], [element, tmp].sort()]);
  });

  test("the last digit of the names is rndhex", () => {
    for (let rndhex = 0; rndhex < 16; rndhex++) {
      expect(open({ rndhex }).add("").at(-1)).toBe(rndhex.toString(16));
    }
  });

  test("the last digit of the names is drawn for each queue object, and then kept", () => {
    const digits = Array.from({ length: 50 }, () => {
      const queue = new SimpleQueue({ path });
      const [one, two] = [queue.add("").at(-1), queue.add("").at(-1)];
      expect(two).toBe(one);
      return one;
    });
    expect(new Set(digits).size).toBeGreaterThan(1);
  });

  test("a lock is a hard link to the element with .lck, as young as the lock", () => {
    const name = open().add("hello");
    utimesSync(file(name), 1, 1);
    open().lock(name);
    expect(filesBelow(path)).toEqual([name, `${name}.lck`]);
    expect(lstatSync(file(`${name}.lck`)).ino).toBe(lstatSync(file(name)).ino);
    expect(lstatSync(file(name)).mtimeMs).toBeCloseTo(NOW / 1000, 0);
  });

  test("a touch sets the time of the lock", () => {
    const name = open().add("");
    open().lock(name);
    open({}, NOW + 100_000_000).touch(name);
    expect(lstatSync(file(`${name}.lck`)).mtimeMs).toBeCloseTo(NOW / 1000 + 100_000, 0);
  });

  test("get reads the lock, which is all that is left if others removed the element", () => {
    const queue = open();
    const name = queue.add("hello");
    queue.lock(name);
    rmSync(file(name));
    expect(queue.get(name).toString()).toBe("hello");
    expect(queue.getPath(name)).toBe(file(`${name}.lck`));
    expect(queue.remove(name)).toBe(false);
    expect(filesBelow(path)).toEqual([]);
  });

  test("unlock and remove leave no trace of the lock", () => {
    const queue = open();
    const [one, two] = [queue.add("1"), queue.add("2")];
    for (const name of [one, two]) queue.lock(name);
    queue.unlock(one);
    queue.remove(two);
    expect(filesBelow(path)).toEqual([one]);
  });

  describe("modes", () => {
    let before: number;
    beforeEach(() => (before = process.umask(0o022)));
    afterEach(() => process.umask(before));

    test.each([
      { umask: undefined, directory: "755", element: "644" },
      { umask: 0, directory: "777", element: "666" },
      { umask: 0o027, directory: "750", element: "640" },
      { umask: 0o077, directory: "700", element: "600" },
    ])("are $directory and $element with umask $umask", ({ umask, directory, element }) => {
      path = join(path, "below");
      const queue = open(umask === undefined ? {} : { umask });
      const name = queue.add("");
      for (const made of [join(path, ".."), path, join(file(name), "..")]) expect(mode(made)).toBe(directory);
      expect(mode(file(name))).toBe(element);
      expect(process.umask()).toBe(0o022);
    });

    test("the process has its own umask back after a failure", () => {
      const queue = open({ umask: 0o077 });
      removeDirectory(path);
      expect(() => queue.add("")).toThrow(expect.objectContaining({ code: "ENOENT" }));
      expect(() => queue.addPath(join(top, "absent"))).toThrow(expect.objectContaining({ code: "ENOENT" }));
      expect(process.umask()).toBe(0o022);
    });
  });
});

describe("add", () => {
  test.each([
    ["nothing", Buffer.alloc(0)],
    ["every byte", Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
    ["5 MB", Buffer.alloc(5_000_000, "spool")],
    ["a part of a larger array", new Uint8Array(Buffer.from("abcdef").buffer).subarray(2, 4)],
  ])("keeps %s byte by byte", (_, body) => {
    const queue = open();
    const name = queue.add(body);
    queue.lock(name);
    expect(queue.get(name).equals(body)).toBe(true);
  });

  test("writes a string as UTF-8", () => {
    const name = open().add("Zürich €");
    expect(readFileSync(file(name))).toEqual(Buffer.from("Zürich €", "utf8"));
  });

  test("of what is no data is a TypeError that leaves nothing", async () => {
    const queue = open();
    for (const data of [undefined, null, 7, {}, "\ud800"] as unknown[] as string[]) {
      expect(() => queue.add(data)).toThrow(TypeError);
      for (const durability of durabilities) {
        await expect(open({ durability }).addMany([data])).rejects.toThrow(TypeError);
      }
    }
    expect(filesBelow(path)).toEqual([]);
  });

  test("with a plain file in the way of its directory is ENOTDIR", () => {
    const queue = open();
    writeFileSync(join(path, "6553f0ec"), "");
    expect(() => queue.add("")).toThrow(expect.objectContaining({ code: "ENOTDIR" }));
  });

  test.each(["nowhere", "../elsewhere"])(
    "with a link to %s for its directory is DIRQ_BAD_DATA",
    async (to) => {
      const queue = open();
      mkdirSync(join(top, "elsewhere"));
      writeFileSync(join(top, "source"), "hello");
      symlinkSync(to, join(path, "6553f0ec"));
      const badData = expect.objectContaining({ code: "DIRQ_BAD_DATA" }) as Error;
      expect(() => queue.add("")).toThrow(badData);
      expect(() => queue.addPath(join(top, "source"))).toThrow(badData);
      await expect(queue.addMany([""])).rejects.toThrow(badData);
      expect(filesBelow(top)).toEqual(["queue/6553f0ec", "source"]);
    },
  );

  test("whose link is made, but answered as if it was there already, as on NFS, adds one element", () => {
    const linkSync = (from: string, to: string) => {
      fs.linkSync(from, to);
      fs.linkSync(from, to);
    };
    const queue = new SimpleQueue({ path }, { calls: { ...fs, linkSync } as typeof fs });
    const name = queue.add("hello");
    expect(filesBelow(path)).toEqual([name]);
    expect(readFileSync(file(name), "utf8")).toBe("hello");
  });
});

describe("addPath", () => {
  const source = () => join(top, "source");

  test("moves a file into the queue, with its mode and its bytes", () => {
    writeFileSync(source(), "hello");
    chmodSync(source(), 0o604);
    const inode = statSync(source()).ino;
    const name = open({ umask: 0o077 }).addPath(source());
    expect(name).toBe("6553f0ec/6553f1001e240a");
    expect(filesBelow(top)).toEqual([`queue/${name}`]);
    expect(statSync(file(name)).ino).toBe(inode);
    expect(mode(file(name))).toBe("604");
    expect(readFileSync(file(name), "utf8")).toBe("hello");
  });

  test("of a file that is not there is ENOENT", () => {
    expect(() => open().addPath(source())).toThrow(expect.objectContaining({ code: "ENOENT" }));
    expect(open().count()).toBe(0);
  });

  test.each([
    ["a directory", () => mkdirSync(source())],
    ["a symbolic link", () => symlinkSync("/etc/hostname", source())],
  ])("of %s is DIRQ_BAD_DATA, and it stays where it is", (_, make) => {
    make();
    expect(() => open().addPath(source())).toThrow(expect.objectContaining({ code: "DIRQ_BAD_DATA" }));
    expect(lstatSync(source()).isFile()).toBe(false);
    expect(filesBelow(path)).toEqual([]);
  });

  const shm = "/dev/shm";
  const isOther = existsSync(shm) && statSync(shm).dev !== statSync(tmpdir()).dev;
  test.runIf(isOther)("from another file system is EXDEV, and the file stays where it is", () => {
    const elsewhere = mkdtempSync(join(shm, "spoolwire-simple-"));
    try {
      writeFileSync(join(elsewhere, "source"), "hello");
      expect(() => open().addPath(join(elsewhere, "source"))).toThrow(
        expect.objectContaining({ code: "EXDEV", syscall: "link" }),
      );
      expect(filesBelow(elsewhere)).toEqual(["source"]);
      expect(filesBelow(path)).toEqual([]);
    } finally {
      removeDirectory(elsewhere);
    }
  });

  test("that cannot take the file from its place adds nothing", () => {
    const place = join(top, "place");
    mkdirSync(place);
    writeFileSync(join(place, "source"), "hello");
    chmodSync(join(place, "source"), 0o666);
    chmodSync(place, 0o555);
    chmodSync(top, 0o755);
    const queue = open({ umask: 0 });
    try {
      const code = expect.stringMatching(/^(EACCES|EPERM)$/) as string;
      expect(() => asNobody(() => queue.addPath(join(place, "source")))).toThrow(
        expect.objectContaining({ code }),
      );
    } finally {
      chmodSync(place, 0o755);
    }
    expect(filesBelow(top)).toEqual(["place/source"]);
  });
});

describe("iteration", () => {
  test("goes through directories and elements in order, in whatever order the file system lists them", () => {
    const names = ["65000000/65000000000000", "65000000/6500000000000f", "65000001/65000001000000"];
    for (const name of names) {
      mkdirSync(join(path, name, ".."), { recursive: true });
      writeFileSync(file(name), "");
    }
    const readdirSync = (...args: Parameters<typeof fs.readdirSync>) => fs.readdirSync(...args).reverse();
    const calls = { ...fs, readdirSync: readdirSync as typeof fs.readdirSync };
    expect([...new SimpleQueue({ path }, { calls })]).toEqual(names);
  });

  test("does not count temporary files and locks", () => {
    const queue = open();
    const name = queue.add("");
    queue.lock(name);
    writeFileSync(file("6553f0ec/00000000000000.tmp"), "");
    writeFileSync(file("6553f0ec/00000000000001.lck"), "");
    expect(queue.count()).toBe(1);
    expect([...queue]).toEqual([name]);
  });

  test("skips a directory that vanishes before it is reached", () => {
    const [first, ...rest] = [NOW, NOW + 60e6, NOW + 120e6].map((now) => open({}, now).add(""));
    const names = open()[Symbol.iterator]();
    expect(names.next().value).toBe(first);
    removeDirectory(join(file(rest[0]!), ".."));
    expect([...names]).toEqual([rest[1]]);
  });

  test("of a queue whose own directory has vanished is ENOENT, not an empty queue", async () => {
    const queue = open();
    removeDirectory(path);
    const gone = expect.objectContaining({ code: "ENOENT" }) as Error;
    expect(() => queue.count()).toThrow(gone);
    expect(() => queue.first()).toThrow(gone);
    expect(() => [...queue]).toThrow(gone);
    await expect(queue.purge()).rejects.toEqual(gone);
  });
});
