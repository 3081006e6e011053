// Where the benches work: in memory, where the time is ours, and on the disk, where the time is the disk's.
import { accessSync, constants, readFileSync, realpathSync } from "node:fs";
import { tmpdir } from "node:os";
import { temporaryDirectory } from "../helpers/broker.js";
import type { Place } from "./bench.js";

const MEMORY = "/dev/shm";

const disk: Place = { fileSystem: fileSystemOf(tmpdir()), path: tmpdir() };

/** A file system in memory, if there is one, and the one of temporary files (TMPDIR), if it is another. */
export const places: readonly Place[] =
  hasMemory() && disk.fileSystem !== "tmpfs" ? [{ fileSystem: "tmpfs", path: MEMORY }, disk] : [disk];

/** The place with the least time of its own. */
export const fastest: Place = places[0] ?? disk;

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
