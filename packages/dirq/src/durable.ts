import { dirname } from "node:path";
import type { Files } from "./files.js";

/**
 * The names above an element that mode `full` has to bring to the disk, so that a power cut leaves a way to
 * it: those of the queue itself, and that of the intermediate directory. What is in the element is synced by
 * whoever writes it, before it gets its name.
 *
 * Not among them are `temporary` and `obsolete` of a normal queue: nobody was promised what is in there, and
 * whoever misses these two makes them. The rename that takes an element out of `temporary` is one transaction
 * of the file system, on ext4 and on xfs: the fsync of the directory it went to commits both sides of it, and
 * the element's own `..`.
 */
export class DurableNames {
  readonly #path: string;
  readonly #files: Files;
  /** The intermediate directory whose own name is known to be on the disk. */
  #known: string | undefined;
  /** Counts the directories that were made: a sync that began before does not speak for them. */
  #made = 0;

  /** `path` is the queue's directory. */
  constructor(path: string, files: Files) {
    this.#path = path;
    this.#files = files;
  }

  /** Bring the names of directories that were made to the disk: each is in the one above it. */
  syncMade(directories: readonly string[]): void {
    for (const directory of directories) this.#files.syncDir(dirname(directory));
  }

  /** An intermediate directory was made, or made again: its name is not on the disk. */
  made(): void {
    this.#known = undefined;
    this.#made++;
  }

  /** Bring an element's name to the disk, that of its intermediate directory included, whoever made it. */
  sync(element: string): void {
    const directory = dirname(element);
    this.#files.syncDir(`${this.#path}/${directory}`);
    if (this.#known !== directory) this.#files.syncDir(this.#path);
    this.#known = directory;
  }

  /** As `sync`, many at a time and while others go on: each directory is synced once. */
  async syncMany(elements: readonly string[]): Promise<void> {
    const made = this.#made;
    const directories = [...new Set(elements.map((element) => dirname(element)))];
    await this.#files.syncDirs(directories.map((directory) => `${this.#path}/${directory}`));
    if (directories.some((directory) => directory !== this.#known)) await this.#files.syncDirs([this.#path]);
    if (made === this.#made) this.#known = directories.at(-1);
  }
}
