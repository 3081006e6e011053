// A file system of our own in a file, which can lose its power.
import { execFileSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { removeDirectory, temporaryDirectory } from "../helpers/broker.js";

export type FileSystem = "ext4" | "xfs";

/** XFS_IOC_GOINGDOWN, which ext4 has too: 1 flushes the journal first, 2 does not. Node has no ioctl. */
const SHUTDOWN = `
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", int(sys.argv[2])))
`;

/** The smallest that mkfs.xfs accepts is 300 MB; nothing is written to most of it. */
const SIZE = 320 * 1024 * 1024;

/** A mounted file system; root only. */
export class Disk implements Disposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #directory = temporaryDirectory("disk");
  readonly #image: string;
  #mounted = false;

  constructor(type: FileSystem) {
    this.#image = join(this.#directory, "image");
    this.path = join(this.#directory, "mounted");
    writeFileSync(this.#image, "");
    truncateSync(this.#image, SIZE);
    mkdirSync(this.path);
    execFileSync(`mkfs.${type}`, ["-q", this.#image], { stdio: "pipe" });
    this.mount();
  }

  mount(): void {
    execFileSync("mount", ["-o", "loop", this.#image, this.path], { stdio: "pipe" });
    this.#mounted = true;
  }

  /** From now on nothing reaches the disk, and every call fails with EIO. */
  cutPower(flush: boolean): void {
    execFileSync("/usr/bin/python3", ["-c", SHUTDOWN, this.path, flush ? "1" : "2"], { stdio: "pipe" });
  }

  unmount(): void {
    if (!this.#mounted) return;
    execFileSync("umount", [this.path], { stdio: "pipe" });
    this.#mounted = false;
  }

  [Symbol.dispose](): void {
    this.unmount();
    removeDirectory(this.#directory);
  }
}
