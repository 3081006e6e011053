import fs from "node:fs";
import { dirname } from "node:path";
import { attempt, quietly, together, type Dirent, type FileCalls } from "./calls.js";
import { readContent } from "./content.js";
import { listDirectory } from "./listing.js";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = fs.constants;

/** Something that is watched until it is closed. */
export interface Watch {
  close(): void;
}

/** No file system's clock is coarser, milliseconds (FAT apart, which has no links). */
const TICK_MS = 50;

export type FileKind = "file" | "directory" | "link" | "other";

/** A name in a directory. */
export interface Entry {
  readonly name: string;
  readonly kind: FileKind;
}

/** A file as it was when it was looked at. */
export interface FileState {
  readonly kind: FileKind;
  /** Bytes. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly modified: number;
}

function kindOf(entry: fs.Dirent | fs.Stats): FileKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "link" : "other";
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

  /** Make a directory in one that others may remove. "EEXIST": it is there. "ENOENT": the one above is not. */
  makeSubdirectory(path: string): "" | "EEXIST" | "ENOENT" {
    return attempt(() => this.#calls.mkdirSync(path, 0o777), "EEXIST", "ENOENT");
  }

  /**
   * Make a directory and those above it, as far as they are not there. Returns those that were made, it first.
   * By hand, as Node's recursive mkdir tries for ever where nothing can be made, below /proc for one, and
   * tells of a disk that cannot be written that the directory is not there.
   */
  makePath(path: string): string[] {
    try {
      this.#calls.mkdirSync(path, 0o777);
      return [path];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Something else in its place is not the directory.
      if (code === "EEXIST" && attempt(() => this.identity(path), "ENOTDIR") === "") return [];
      if (code !== "ENOENT") throw error;
    }
    const above = dirname(path);
    const made = above === path ? [] : this.makePath(above);
    return this.makeDir(path) ? [path, ...made] : made;
  }

  /** Device and inode of a directory (or of what leads to one); throws ENOENT or ENOTDIR if it is none. */
  identity(path: string): string {
    const { dev, ino } = this.#calls.lstatSync(`${path}/.`, { bigint: true, throwIfNoEntry: true });
    return `${dev}:${ino}`;
  }

  /** Throw ENOENT unless there is something of this name. */
  demandFile(path: string): void {
    this.#calls.lstatSync(path);
  }

  /** Whether this is a regular file, links not followed; throws ENOENT if nothing is there. */
  isFile(path: string): boolean {
    return this.#calls.lstatSync(path).isFile();
  }

  /** Whether this is a directory, links not followed; undefined: nothing is there. */
  isDirectory(path: string): boolean | undefined {
    return this.#calls.lstatSync(path, { throwIfNoEntry: false })?.isDirectory();
  }

  /** Whether two names are of one file, links not followed. */
  isSame(path: string, other: string): boolean {
    const [one, two] = [path, other].map((name) =>
      this.#calls.lstatSync(name, { bigint: true, throwIfNoEntry: false }),
    );
    return one !== undefined && one.ino === two?.ino && one.dev === two.dev;
  }

  /** Remove an empty directory. False: it is not empty (any more), no directory, or somebody else removed it. */
  removeDir(path: string): boolean {
    return attempt(() => this.#calls.rmdirSync(path), "ENOTEMPTY", "EEXIST", "ENOENT", "ENOTDIR") === "";
  }

  /**
   * Move a directory; an empty one may be replaced, nothing else. "EEXIST": the name is taken.
   * "ENOENT": it is not there, or the directory to move it into.
   */
  moveDir(from: string, to: string): "" | "EEXIST" | "ENOENT" {
    const failed = attempt(
      () => this.#calls.renameSync(from, to),
      "EEXIST",
      "ENOTEMPTY",
      "ENOTDIR",
      "ENOENT",
    );
    return failed === "" || failed === "ENOENT" ? failed : "EEXIST";
  }

  /**
   * Write a file that must not exist yet, and leave it open; one that could not be written whole is taken
   * away again. "EEXIST": the name is taken. "ENOENT": its directory is not there.
   * `isHurried`: if the file system can, it goes to the disk at once, and a sync finds it there or on its way.
   */
  create(path: string, data: string | Uint8Array, isHurried = false): number | "EEXIST" | "ENOENT" {
    let fd = -1;
    const failed = attempt(
      () => (fd = this.#calls.openSync(path, O_WRONLY | O_CREAT | O_EXCL, 0o666)),
      "EEXIST",
      "ENOENT",
    );
    if (failed !== "") return failed;
    try {
      // ext4 begins to write a file that was cut to nothing when it is closed, for whom it is open as well or not.
      // That takes a while, and nobody has to wait for it.
      if (isHurried) quietly(() => this.#calls.ftruncateSync(fd, 0));
      this.#calls.writeFileSync(fd, data);
      if (isHurried) quietly(() => this.#calls.close(this.#calls.openSync(path, O_RDONLY), () => undefined));
      return fd;
    } catch (error) {
      this.closeQuietly(fd);
      this.discard(path);
      throw error;
    }
  }

  /** As `create`, and close it, with `isSynced` once it is on the disk: "" if all is well. */
  write(path: string, data: string | Uint8Array, isSynced = false): "" | "EEXIST" | "ENOENT" {
    const fd = this.create(path, data);
    if (typeof fd !== "number") return fd;
    try {
      try {
        if (isSynced) this.syncFile(fd);
      } finally {
        this.close(fd);
      }
    } catch (error) {
      this.discard(path);
      throw error;
    }
    return "";
  }

  /** Close what `create` has left open: an error may be the last word on a write. */
  close(fd: number): void {
    this.#calls.closeSync(fd);
  }

  /** Close after an error that is the one to tell. */
  closeQuietly(fd: number): void {
    quietly(() => this.#calls.closeSync(fd));
  }

  /** Bring a file's content to the disk. After an error it must be written anew: its pages count as clean. */
  syncFile(fd: number): void {
    this.#calls.fdatasyncSync(fd);
  }

  /** As `syncFile`, many at a time: the file system commits them together. */
  async syncFiles(fds: readonly number[]): Promise<void> {
    await together(fds, (fd, done) => this.#calls.fdatasync(fd, done));
  }

  /** Bring a file that somebody else has written to the disk. */
  syncPath(path: string): void {
    const fd = this.#calls.openSync(path, O_RDONLY);
    try {
      this.#calls.fsyncSync(fd);
    } finally {
      this.#calls.closeSync(fd);
    }
  }

  /** Bring the names in a directory to the disk. One that others have removed has none. */
  syncDir(path: string): void {
    attempt(() => this.syncPath(path), "ENOENT");
  }

  /** As `syncDir`, many at a time and while others go on. */
  async syncDirs(paths: readonly string[]): Promise<void> {
    const open: number[] = [];
    try {
      for (const path of paths) {
        attempt(() => void open.push(this.#calls.openSync(path, O_RDONLY)), "ENOENT");
      }
      await together(open, (fd, done) => this.#calls.fsync(fd, done));
    } finally {
      for (const fd of open) this.closeQuietly(fd);
    }
  }

  /** Give a file a second name, never replacing another. "EEXIST": it is taken. "ENOENT": no such file. */
  link(from: string, to: string): "" | "EEXIST" | "ENOENT" {
    return attempt(() => this.#calls.linkSync(from, to), "EEXIST", "ENOENT");
  }

  /** Remove a file. False: somebody else did, or it is a directory. */
  unlink(path: string): boolean {
    return attempt(() => this.#calls.unlinkSync(path), "ENOENT", "EISDIR") === "";
  }

  /** Take back a file after an error that is the one to tell: what cannot be removed is left to a purge. */
  discard(path: string): void {
    quietly(() => this.#calls.unlinkSync(path));
  }

  /** As `discard`, for an empty directory. */
  discardDir(path: string): void {
    quietly(() => this.#calls.rmdirSync(path));
  }

  /**
   * The bytes of a regular file. "ENOENT": it is gone. "foreign": it is a link, a directory, a pipe…
   * @throws DirqError DIRQ_BAD_DATA if it is larger than the memory
   */
  read(path: string): Buffer | "ENOENT" | "foreign" {
    let fd = -1;
    // O_NOFOLLOW: a symbolic link must not lead out of the queue. O_NONBLOCK: a pipe must not hang us.
    const failed = attempt(
      () => (fd = this.#calls.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)),
      "ENOENT",
      "ELOOP",
      "ENXIO",
    );
    if (failed !== "") return failed === "ENOENT" ? failed : "foreign";
    try {
      return readContent(this.#calls, fd, path);
    } finally {
      this.#calls.closeSync(fd);
    }
  }

  /** Set the times of a file (of a link itself) to `seconds` since the epoch. False: it is gone. */
  touch(path: string, seconds: number): boolean {
    const failed = attempt(() => this.#calls.lutimesSync(path, seconds, seconds), "ENOENT", "EPERM");
    return failed === "EPERM" ? this.#touchAnothers(path) : failed === "";
  }

  /**
   * Set the times of another account's file to now. Whoever may write to a file may do that with
   * utime(path, NULL), which Node does not have; cutting the file to the length it has does the same.
   */
  #touchAnothers(path: string): boolean {
    let fd = -1;
    const failed = attempt(
      () => (fd = this.#calls.openSync(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK)),
      "ENOENT",
    );
    if (failed !== "") return false;
    try {
      this.#calls.ftruncateSync(fd, this.#calls.fstatSync(fd).size);
    } finally {
      this.#calls.closeSync(fd);
    }
    return true;
  }

  /** Set the times of a directory. "ENOENT": it is gone. "EPERM": it is another account's. */
  touchDir(path: string, seconds: number): "" | "ENOENT" | "EPERM" {
    return attempt(() => this.#calls.lutimesSync(path, seconds, seconds), "ENOENT", "EPERM");
  }

  /** When a file was last modified, seconds since the epoch, links not followed; undefined: it is gone. */
  modified(path: string): number | undefined {
    const found = this.#calls.lstatSync(path, { throwIfNoEntry: false });
    return found && found.mtimeMs / 1000;
  }

  /**
   * A number that is another one after names in a directory have changed; undefined: it is gone, or may be
   * changing right now, faster than the clock of the file system ticks.
   */
  stamp(path: string): number | undefined {
    const modified = this.#calls.lstatSync(path, { throwIfNoEntry: false })?.mtimeMs;
    return modified !== undefined && modified < Date.now() - TICK_MS ? modified : undefined;
  }

  /**
   * Be told of names that come and go in a directory (null: of which, the system does not say), as far as
   * processes of this host are at it. Keeps no program alive. Undefined: the directory cannot be watched: it
   * is gone, or none but a link, or the system allows no more watches.
   */
  watch(path: string, changed: (name: string | null) => void, gone: () => void): Watch | undefined {
    try {
      if (!this.isDirectory(path)) return undefined;
      return this.#calls
        .watch(path, { persistent: false }, (_event, name) => changed(name))
        .on("error", gone);
    } catch {
      return undefined;
    }
  }

  /** How many names a file or directory has: a directory two and one for each one in it, if at all. */
  links(path: string): number | undefined {
    return this.#calls.lstatSync(path, { throwIfNoEntry: false })?.nlink;
  }

  /** What is to be known of a file without opening it, links not followed; undefined: it is gone. */
  look(path: string): FileState | undefined {
    const found = this.#calls.lstatSync(path, { throwIfNoEntry: false });
    return found && { kind: kindOf(found), size: found.size, modified: found.mtimeMs / 1000 };
  }

  /** All that is in a directory, in order, each with its kind; none if it is gone, or is no directory. */
  entries(path: string): Entry[] {
    let entries: Entry[] = [];
    const list = () => this.#calls.readdirSync(path, { withFileTypes: true });
    attempt(
      () => (entries = list().map((entry) => ({ name: entry.name, kind: kindOf(entry) }))),
      "ENOENT",
      "ENOTDIR",
    );
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Names of all that is in a directory, unsorted; none if it is gone, or is no directory. */
  names(path: string): string[] {
    let names: string[] = [];
    attempt(() => (names = this.#calls.readdirSync(path)), "ENOENT", "ENOTDIR");
    return names;
  }

  /** Names of the directories in a directory, unsorted, read as they are asked for. */
  *directories(path: string): Iterable<string> {
    for (const entry of listDirectory(this.#calls, path)) if (entry.isDirectory()) yield entry.name;
  }

  /** As `directories`; none if the directory is gone, or is none. */
  *subdirectories(path: string): Iterable<string> {
    for (const entry of this.#listIfThere(path)) if (entry.isDirectory()) yield entry.name;
  }

  /** Names of the regular files in a directory, as `subdirectories`. */
  *files(path: string): Iterable<string> {
    for (const entry of this.#listIfThere(path)) if (entry.isFile()) yield entry.name;
  }

  #listIfThere(path: string): Iterable<Dirent> {
    let entries: Iterable<Dirent> = [];
    attempt(() => (entries = listDirectory(this.#calls, path)), "ENOENT", "ENOTDIR");
    return entries;
  }
}
