// What the durable modes bring to the disk, and in which order: seen at the file calls themselves.
import fs from "node:fs";
import { basename, dirname, join } from "node:path";
import { SimpleQueue, type Durability, type FileCalls } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let top: string;
let path: string;
beforeEach(() => {
  top = temporaryDirectory("durability");
  path = join(top, "queue");
});
afterEach(() => removeDirectory(top));

/** Real file calls that tell what is done to which file, in words. */
function recording(): { calls: FileCalls; done: string[] } {
  const done: string[] = [];
  const open = new Map<number, string>();
  const nameOf = (file: string) =>
    basename(file) === "source"
      ? "source"
      : file === top
        ? "above"
        : file === path
          ? "top"
          : file.endsWith(".tmp")
            ? "tmp"
            : dirname(file) === path
              ? "dir"
              : "element";
  const calls: FileCalls = {
    ...fs,
    openSync: ((file: string, ...rest: [number]) => {
      const fd = fs.openSync(file, ...rest);
      open.set(fd, nameOf(file));
      return fd;
    }) as FileCalls["openSync"],
    fdatasyncSync: (fd) => void done.push(`sync ${open.get(fd)}`),
    fsyncSync: (fd) => void done.push(`sync ${open.get(fd)}`),
    fdatasync: (fd, callback) => {
      done.push(`sync ${open.get(fd)}`);
      callback(null);
    },
    fsync: (fd, callback) => {
      done.push(`sync ${open.get(fd)}`);
      callback(null);
    },
    linkSync: (from, to) => {
      done.push(`link ${nameOf(String(from))} to ${nameOf(String(to))}`);
      fs.linkSync(from, to);
    },
  };
  return { calls, done };
}

const publish = "link tmp to element";

describe("add", () => {
  test.each<[Durability, string[], string[]]>([
    ["none", [], [publish]],
    ["file", [], ["sync tmp", publish]],
    ["full", ["sync above"], ["sync tmp", publish, "sync dir", "sync top"]],
  ])("in mode %s syncs what that mode needs, in order", (durability, making, adding) => {
    const { calls, done } = recording();
    const queue = new SimpleQueue({ path, durability }, { calls });
    expect(done.splice(0)).toEqual(making);
    queue.add("x");
    expect(done.splice(0)).toEqual(adding);
    // The name of the intermediate directory is on the disk by now.
    queue.add("y");
    expect(done).toEqual(adding.filter((step) => step !== "sync top"));
  });

  test("in mode full syncs the name of a directory that somebody else has made", () => {
    const clock = () => 1_700_000_000_000_000;
    new SimpleQueue({ path }, { clock }).add("from a writer that syncs nothing");
    const { calls, done } = recording();
    new SimpleQueue({ path, durability: "full" }, { calls, clock }).add("x");
    expect(done).toEqual(["sync tmp", publish, "sync dir", "sync top"]);
  });

  test.each<[Durability, string[]]>([
    ["none", ["link source to element"]],
    ["file", ["sync source", "link source to element"]],
    ["full", ["sync source", "link source to element", "sync dir", "sync top"]],
  ])("of a file by its path does the same in mode %s", (durability, steps) => {
    const { calls, done } = recording();
    const queue = new SimpleQueue({ path, durability }, { calls });
    done.splice(0);
    fs.writeFileSync(join(top, "source"), "x");
    queue.addPath(join(top, "source"));
    expect(done).toEqual(steps);
  });

  test("in mode full works by way of a symbolic link to the queue", () => {
    fs.mkdirSync(path);
    fs.symlinkSync(path, join(top, "link"));
    const queue = new SimpleQueue({ path: join(top, "link"), durability: "full" });
    const name = queue.add("x");
    expect([...queue]).toEqual([name]);
  });

  test("in mode full syncs each directory that it had to make", () => {
    const { calls, done } = recording();
    new SimpleQueue({ path: join(path, "a/b"), durability: "full" }, { calls });
    expect(done).toEqual(["sync dir", "sync top", "sync above"]);
  });

  test("of a file that cannot be synced is an error, and nothing is published or left", () => {
    const error = Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
    const calls = {
      ...fs,
      fdatasyncSync: () => {
        throw error;
      },
    };
    const queue = new SimpleQueue({ path, durability: "file" }, { calls });
    expect(() => queue.add("x")).toThrow(error);
    expect(
      fs.readdirSync(path, { recursive: true }).filter((name) => basename(String(name)).length > 8),
    ).toEqual([]);
  });
});

describe("addMany", () => {
  const elements = Array.from({ length: 300 }, (_, index) => `element ${index}`);

  test.each<Durability>(["none", "file", "full"])("in mode %s adds all in order", async (durability) => {
    const queue = new SimpleQueue({ path, durability });
    const names = await queue.addMany(elements);
    expect([...queue]).toEqual(names);
    expect(names.map((name) => (queue.lock(name), queue.get(name).toString()))).toEqual(elements);
    expect(await queue.addMany([])).toEqual([]);
  });

  test("in mode full syncs every file before it publishes any, and the directory once", async () => {
    const { calls, done } = recording();
    const queue = new SimpleQueue({ path, durability: "full", granularity: 0xffffffff }, { calls });
    done.splice(0);
    await queue.addMany(elements.slice(0, 3));
    expect(done).toEqual([
      "sync tmp",
      "sync tmp",
      "sync tmp",
      publish,
      publish,
      publish,
      "sync dir",
      "sync top",
    ]);
  });

  test("that fails leaves no temporary file open or lying there, and publishes nothing of the group", async () => {
    const error = Object.assign(new Error("EIO: i/o error, fdatasync"), { code: "EIO" });
    let opened = 0;
    const calls: FileCalls = {
      ...fs,
      openSync: (...args) => {
        const fd = fs.openSync(...args);
        opened++;
        return fd;
      },
      closeSync: (fd) => {
        opened--;
        fs.closeSync(fd);
      },
      fdatasync: (_, callback) => {
        setImmediate(callback, opened === 3 ? error : null);
      },
    };
    const queue = new SimpleQueue({ path, durability: "full" }, { calls });
    await expect(queue.addMany(["a", "b", "c"])).rejects.toBe(error);
    expect(opened).toBe(0);
    expect(queue.count()).toBe(0);
    expect(fs.readdirSync(join(path, fs.readdirSync(path)[0] ?? ""))).toEqual([]);
  });

  test("lets others work while the disk does", async () => {
    const queue = new SimpleQueue({ path, durability: "full" });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 0);
    await queue.addMany(elements);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
  });
});
