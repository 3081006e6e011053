import type { FileCalls } from "./calls.js";
import { DirqError, hasCode } from "./errors.js";

/** The least unit in which a file system reads, bytes. */
const PAGE = 4096;

/** Node cannot read 2 GiB at a time. */
const MOST_AT_ONCE = 2 ** 30;

/** Where a file is read to before its size is known; nobody else sees it. */
const begin = Buffer.allocUnsafeSlow(16 * PAGE);

/**
 * The bytes of the open file `path`. "foreign": it is no regular one; of a pipe or a terminal nothing was taken.
 * @throws DirqError DIRQ_BAD_DATA if it is larger than the memory
 */
export function readContent(calls: FileCalls, fd: number, path: string): Buffer | "foreign" {
  const count = readBegin(calls, fd);
  // Within a page only the end of a file ends a read. At the edge of one so does a bad sector, and a device.
  return count % PAGE !== 0 ? Buffer.from(begin.subarray(0, count)) : readWhole(calls, fd, path);
}

/** Most elements are small and need no look at their size. Returns how many bytes there are; 0: unknown. */
function readBegin(calls: FileCalls, fd: number): number {
  try {
    // At a position, which a pipe has not.
    return calls.readSync(fd, begin, 0, begin.length, 0);
  } catch (error) {
    if (hasCode(error, "EISDIR", "ESPIPE")) return 0;
    throw error;
  }
}

function readWhole(calls: FileCalls, fd: number, path: string): Buffer | "foreign" {
  const stat = calls.fstatSync(fd);
  if (!stat.isFile()) return "foreign";
  const content = allocate(stat.size, path);
  let length = 0;
  while (length < stat.size) {
    const most = Math.min(stat.size - length, MOST_AT_ONCE);
    const count = calls.readSync(fd, content, length, most, length);
    if (count === 0) break;
    length += count;
  }
  return content.subarray(0, length);
}

function allocate(size: number, path: string): Buffer {
  try {
    return Buffer.allocUnsafe(size);
  } catch (cause) {
    throw new DirqError("DIRQ_BAD_DATA", `Expected ${path} to fit into memory, got ${size} bytes`, { cause });
  }
}
