import type { Dirent, FileCalls } from "./calls.js";
import { hasCode } from "./errors.js";

/** A directory of so many bytes, as its file system counts them, has some thousand names. */
const LARGE = 65_536;

/**
 * What is in a directory, unsorted, but not what vanishes meanwhile; to be walked once, at once. A large one
 * is read in small parts, so that memory does not grow with it, and that who walks it may pause.
 * @throws ENOENT, ENOTDIR if it is gone, or none
 */
export function listDirectory(calls: FileCalls, path: string): Iterable<Dirent> {
  const isLarge = calls.lstatSync(`${path}/.`).size >= LARGE;
  // In parts a small directory takes three times as long as whole, and a large one half as long.
  const entries = isLarge ? undefined : readWhole(calls, path);
  // One by one, an entry that vanished takes no others with it: see below.
  return entries ?? readInParts(calls, path, calls.opendirSync(path, { bufferSize: isLarge ? 32 : 1 }));
}

/** Undefined: something has vanished, the directory or an entry. */
function readWhole(calls: FileCalls, path: string): Dirent[] | undefined {
  try {
    return calls.readdirSync(path, { withFileTypes: true });
  } catch (error) {
    // RACE: where a directory does not tell the types of its entries, Node looks at each.
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function* readInParts(calls: FileCalls, path: string, directory: Directory): Iterable<Dirent> {
  try {
    for (;;) {
      let entry: Dirent | null;
      try {
        entry = directory.readSync();
      } catch (error) {
        // RACE: as above. The rest of the part is lost with it, for this time.
        if (!hasCode(error, "ENOENT")) throw error;
        if (calls.lstatSync(path, { throwIfNoEntry: false })) continue;
        return;
      }
      if (entry === null) return;
      yield entry;
    }
  } finally {
    directory.closeSync();
  }
}

type Directory = ReturnType<FileCalls["opendirSync"]>;
