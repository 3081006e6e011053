import type fs from "node:fs";

/**
 * The file calls that a queue makes, as `node:fs` has them. Tests put a rival's whole operation, or a
 * failure, before the k-th of them; nothing else in this package touches the file system.
 */
export type FileCalls = Pick<
  typeof fs,
  | "closeSync"
  | "fdatasyncSync"
  | "fstatSync"
  | "fsyncSync"
  | "ftruncateSync"
  | "linkSync"
  | "lstatSync"
  | "lutimesSync"
  | "mkdirSync"
  | "opendirSync"
  | "openSync"
  | "readdirSync"
  | "readSync"
  | "renameSync"
  | "rmdirSync"
  | "unlinkSync"
  | "watch"
  | "writeFileSync"
> & {
  close(fd: number, done: Done): void;
  fdatasync(fd: number, done: Done): void;
  fsync(fd: number, done: Done): void;
};

/** How Node's own calls answer. */
export type Done = (error: Error | null) => void;

/** A name in a directory, as Node tells it. */
export type Dirent = fs.Dirent;

/** Make one file call. Returns the error code if it is one of those tolerated, "" if the call succeeded. */
export function attempt<Code extends string>(call: () => void, ...tolerated: Code[]): Code | "" {
  try {
    call();
    return "";
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code as Code;
    if (tolerated.includes(code)) return code;
    throw error;
  }
}

/** Make file calls that may fail: nobody needs them to succeed, or a disk that failed before fails them too. */
export function quietly(call: () => void): void {
  try {
    call();
  } catch {
    // As above.
  }
}

/** Make a file call for each of these at the same time. Throws the first error, when all are done. */
export async function together(
  fds: readonly number[],
  call: (fd: number, done: Done) => void,
): Promise<void> {
  const calls = fds.map(
    (fd) => new Promise<void>((resolve, reject) => call(fd, (error) => (error ? reject(error) : resolve()))),
  );
  for (const result of await Promise.allSettled(calls)) {
    if (result.status === "rejected") throw result.reason;
  }
}
