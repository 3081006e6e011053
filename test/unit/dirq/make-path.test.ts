// The directory of a queue, made with those above it.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue, type FileCalls } from "@spoolwire/dirq";
import { afterEach, beforeEach, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { root } from "../../helpers/embedded.js";
import { atEveryCall, Moment } from "../../helpers/file-calls.js";

let top: string;
beforeEach(() => (top = temporaryDirectory("make-path")));
afterEach(() => removeDirectory(top));

// In a process of its own: this one could not end what spins.
test.runIf(existsSync("/proc/self"))("that cannot be made is told, not tried for ever", () => {
  const open = `import { SimpleQueue } from "@spoolwire/dirq"; new SimpleQueue({ path: "/proc/queue" });`;
  const { signal, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", open], {
    cwd: root,
    timeout: 10_000,
    killSignal: "SIGKILL",
    encoding: "utf8",
  });
  expect(signal).toBeNull();
  expect(stderr).toContain("ENOENT: no such file or directory, mkdir '/proc/queue'");
});

test("may have .. in its path, and comes to the disk with every name that was made", () => {
  // This one throws when there is no end of calls.
  const { calls } = new Moment(Infinity);
  const synced: string[] = [];
  const openSync = ((path: string, flags: number) => {
    synced.push(path.slice(top.length));
    return calls.openSync(path, flags);
  }) as FileCalls["openSync"];
  const recording = new Proxy(calls, {
    get: (target, name) => (name === "openSync" ? openSync : (Reflect.get(target, name) as unknown)),
  });
  const queue = new SimpleQueue({ path: `${top}/a/../b/c`, durability: "full" }, { calls: recording });
  expect(readdirSync(join(top, "b"))).toEqual(["c"]);
  expect(synced).toEqual(["/a/../b", "/a/..", ""]);
  queue.add("hello");
  expect(queue.count()).toBe(1);
});

test("makes the next attempt succeed after any call of it has failed, with the error that was met", async () => {
  let n = 0;
  const reached = await atEveryCall((moment) => {
    const path = join(top, `${n++}`, "above", "queue");
    const error = moment.fail("EROFS");
    const open = () => new SimpleQueue({ path, durability: "full" }, { calls: moment.calls });
    let thrown: unknown;
    try {
      open();
    } catch (reason) {
      thrown = reason;
    }
    expect(thrown).toBe(moment.reached === undefined ? undefined : error);
    moment.disarm();
    open().add("hello");
  });
  expect(reached.filter((call) => call === "mkdirSync")).toHaveLength(5);
});
