// What a queue brings to the disk, and when: seen at the file calls themselves.
import fs from "node:fs";
import { basename, dirname, join } from "node:path";
import type { FileCalls } from "@spoolwire/dirq";

/** What a path of the queue `TOP/queue` is, in a word. */
function word(file: string, top: string): string {
  const path = join(top, "queue");
  if (file === top) return "above";
  if (file === path) return "top";
  if (!file.startsWith(path)) return basename(file);
  const [first, second, field] = file.slice(path.length + 1).split("/");
  if (field !== undefined) return field;
  if (first === "temporary" || file.endsWith(".tmp")) return "tmp";
  return second === undefined ? "dir" : "element";
}

/**
 * Real file calls for the queue in `TOP/queue`, but that a sync is only told of, and so are links and renames:
 * `done` has them in order, in words. `open` is how many files are.
 */
export function recording(top: string) {
  const done: string[] = [];
  const open = new Map<number, string>();
  const synced = (fd: number) => void done.push(`sync ${open.get(fd)}`);
  const syncedLater = (fd: number, callback: (error: null) => void) => {
    synced(fd);
    setImmediate(callback, null);
  };
  const published = (how: "link" | "rename", from: fs.PathLike, to: fs.PathLike) =>
    void done.push(`${how} ${word(String(from), top)} to ${word(String(to), top)}`);
  const calls: FileCalls = {
    ...fs,
    openSync: ((file: string, ...rest: [number]) => {
      const fd = fs.openSync(file, ...rest);
      open.set(fd, word(file, top));
      return fd;
    }) as FileCalls["openSync"],
    closeSync: (fd) => {
      fs.closeSync(fd);
      open.delete(fd);
    },
    close: (fd, callback) => {
      open.delete(fd);
      fs.close(fd, callback);
    },
    fdatasyncSync: synced,
    fsyncSync: synced,
    fdatasync: syncedLater,
    fsync: syncedLater,
    linkSync: (from, to) => {
      fs.linkSync(from, to);
      published("link", from, to);
    },
    renameSync: (from, to) => {
      fs.renameSync(from, to);
      published("rename", from, to);
    },
  };
  return { calls, done, open };
}

/** Let the first file sync end when, and as, the function says that is returned; the others succeed. */
export function holdFirstSync(calls: FileCalls): (error: Error | null) => void {
  let first: ((error: Error | null) => void) | undefined;
  calls.fdatasync = (_, done) => {
    if (first) setImmediate(done, null);
    else first = done;
  };
  return (error) => first?.(error);
}

/** The error of a disk that fails. */
export const ioError = () => Object.assign(new Error("EIO: i/o error, injected"), { code: "EIO" });

/** Everything below a queue, with what was being written. */
export const temporaries = (path: string) =>
  fs
    .readdirSync(path, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(".tmp") || dirname(name) === "temporary");
