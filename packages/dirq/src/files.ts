import fs from "node:fs";

/**
 * The file calls that a queue makes, as `node:fs` has them. Tests put a rival's whole operation, or a
 * failure, before the k-th of them; nothing else in this package touches the file system.
 */
export type FileCalls = Pick<
  typeof fs,
  | "accessSync"
  | "closeSync"
  | "linkSync"
  | "lstatSync"
  | "lutimesSync"
  | "mkdirSync"
  | "openSync"
  | "readdirSync"
  | "readFileSync"
  | "rmdirSync"
  | "unlinkSync"
  | "writeFileSync"
>;

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants;

/** Make one file call. Returns the error code if it is one of those tolerated, "" if the call succeeded. */
function attempt<Code extends string>(call: () => void, ...tolerated: Code[]): Code | "" {
  try {
    call();
    return "";
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code as Code;
    if (tolerated.includes(code)) return code;
    throw error;
  }
}

/** File operations for a directory that other processes change at the same time. */
export class Files {
  readonly #calls: FileCalls;

  constructor(calls: FileCalls = fs) {
    this.#calls = calls;
  }

  /** Make a directory. False: somebody else made it. */
  makeDir(path: string): boolean {
    return attempt(() => this.#calls.mkdirSync(path, 0o777), "EEXIST") === "";
  }

  /** Make a directory and those above it, as far as they are not there. */
  makePath(path: string): void {
    this.#calls.mkdirSync(path, { recursive: true, mode: 0o777 });
  }

  /** Throw ENOENT or ENOTDIR unless this is a directory (or leads to one). */
  demandDir(path: string): void {
    this.#calls.accessSync(`${path}/.`);
  }

  /** Throw ENOENT unless there is something of this name. */
  demandFile(path: string): void {
    this.#calls.lstatSync(path);
  }

  /** Remove an empty directory. False: it is not empty (any more), or somebody else removed it. */
  removeDir(path: string): boolean {
    return attempt(() => this.#calls.rmdirSync(path), "ENOTEMPTY", "EEXIST", "ENOENT") === "";
  }

  /**
   * Write a file that must not exist yet; one that could not be written whole is taken away again.
   * "EEXIST": the name is taken. "ENOENT": its directory is not there.
   */
  create(path: string, data: string | Uint8Array): "" | "EEXIST" | "ENOENT" {
    let fd = -1;
    const failed = attempt(
      () => (fd = this.#calls.openSync(path, O_WRONLY | O_CREAT | O_EXCL, 0o666)),
      "EEXIST",
      "ENOENT",
    );
    if (failed !== "") return failed;
    try {
      try {
        this.#calls.writeFileSync(fd, data);
      } finally {
        this.#calls.closeSync(fd);
      }
    } catch (error) {
      this.discard(path);
      throw error;
    }
    return "";
  }

  /** Give a file a second name, never replacing another. "EEXIST": it is taken. "ENOENT": no such file. */
  link(from: string, to: string): "" | "EEXIST" | "ENOENT" {
    return attempt(() => this.#calls.linkSync(from, to), "EEXIST", "ENOENT");
  }

  /** Remove a file. False: somebody else did. */
  unlink(path: string): boolean {
    return attempt(() => this.#calls.unlinkSync(path), "ENOENT") === "";
  }

  /** Take back a file after an error that is the one to tell: what cannot be removed is left to a purge. */
  discard(path: string): void {
    try {
      this.#calls.unlinkSync(path);
    } catch {
      // The disk that failed the caller fails this too.
    }
  }

  /** The bytes of a file. "ENOENT": it is gone. "ELOOP", "EISDIR": it is a symbolic link, a directory. */
  read(path: string): Buffer | "ENOENT" | "ELOOP" | "EISDIR" {
    let fd = -1;
    // O_NOFOLLOW: a symbolic link must not lead out of the queue. O_NONBLOCK: a pipe must not hang us.
    const failed = attempt(
      () => (fd = this.#calls.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)),
      "ENOENT",
      "ELOOP",
    );
    if (failed !== "") return failed;
    try {
      let content: Buffer | undefined;
      const unreadable = attempt(() => (content = this.#calls.readFileSync(fd)), "EISDIR");
      return content ?? (unreadable as "EISDIR");
    } finally {
      this.#calls.closeSync(fd);
    }
  }

  /** Set the times of a file (of a link itself) to `seconds` since the epoch. False: it is gone. */
  touch(path: string, seconds: number): boolean {
    return attempt(() => this.#calls.lutimesSync(path, seconds, seconds), "ENOENT") === "";
  }

  /** When a file was last modified, seconds since the epoch, links not followed; undefined: it is gone. */
  modified(path: string): number | undefined {
    const found = this.#calls.lstatSync(path, { throwIfNoEntry: false });
    return found && found.mtimeMs / 1000;
  }

  /** Names of one kind in a directory, unsorted; none if it is gone, or is no directory. */
  list(path: string, kind: "file" | "directory"): string[] {
    const names: string[] = [];
    attempt(
      () => {
        for (const entry of this.#calls.readdirSync(path, { withFileTypes: true })) {
          if (kind === "file" ? entry.isFile() : entry.isDirectory()) names.push(entry.name);
        }
      },
      "ENOENT",
      "ENOTDIR",
    );
    return names;
  }
}
