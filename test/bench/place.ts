// Where the benches work: in memory, where the time is ours, and on the disk, where the time is the disk's.
import { accessSync, constants, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { Disk } from "../fault/disk.js";
import { temporaryDirectory } from "../helpers/broker.js";
import type { Place } from "./bench.js";

const MEMORY = "/dev/shm";

const disk: Place = { fileSystem: fileSystemOf(tmpdir()), path: tmpdir() };

/** A file system in memory, if there is one, and the one of temporary files (TMPDIR), if it is another. */
export const places: readonly Place[] =
  hasMemory() && disk.fileSystem !== "tmpfs" ? [{ fileSystem: "tmpfs", path: MEMORY }, disk] : [disk];

/** The place with the least time of its own. */
export const fastest: Place = places[0] ?? disk;

/**
 * A file system with a journal on the disk, where this account may mount one: without a journal, a disk may
 * get slow after many deletions. Undefined: there is none.
 */
export function mountDisk(): (Place & Disposable) | undefined {
  if (process.getuid?.() !== 0 || disk.fileSystem === "tmpfs") return undefined;
  workIn(disk);
  let mounted: Disk;
  try {
    mounted = new Disk("ext4");
  } catch {
    return undefined;
  }
  // First of all, so that the directory on which it is mounted can be removed.
  const unmount = () => mounted.unmount();
  process.prependOnceListener("exit", unmount);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.prependOnceListener(signal, unmount);
  return {
    fileSystem: "journaled ext4",
    path: mounted.path,
    [Symbol.dispose]: () => mounted[Symbol.dispose](),
  };
}

/** Let every temporary directory be made in this place from now on, those of the test brokers too. */
export function workIn({ path }: Place): void {
  process.env.TMPDIR = path;
}

/** A new directory in this place, removed at the latest when this process ends. */
export function makeDirectory(place: Place): string {
  workIn(place);
  return temporaryDirectory("bench");
}

function hasMemory(): boolean {
  try {
    accessSync(MEMORY, constants.W_OK | constants.X_OK);
    return fileSystemOf(MEMORY) === "tmpfs";
  } catch {
    return false;
  }
}

/** What Linux calls the file system of a directory; other systems are not asked. */
function fileSystemOf(directory: string): string {
  try {
    const path = `${realpathSync(directory)}/`;
    const mounts = readFileSync("/proc/self/mounts", "utf8").trim().split("\n");
    const found = mounts
      .map((line) => line.split(" "))
      // The last of several mounts on one directory is the one that is seen.
      .reduce<{ at: string; type: string }>(
        (best, [, at = "", type = ""]) =>
          path.startsWith(at === "/" ? at : `${at}/`) && at.length >= best.at.length ? { at, type } : best,
        { at: "", type: "disk" },
      );
    return found.type;
  } catch {
    return "disk";
  }
}
