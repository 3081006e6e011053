// A file system of our own in a file, which can lose its power.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endWithUs, removeDirectory, temporaryDirectory } from "../helpers/broker.js";

export type FileSystem = "ext4" | "xfs" | "tmpfs";

/** XFS_IOC_GOINGDOWN, which ext4 has too: 1 flushes the journal first, 2 does not. Node has no ioctl. */
const SHUTDOWN = `
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print("ready", flush=True)
fcntl.ioctl(fd, 0x8004587d, struct.pack("I", int(sys.stdin.read())))
`;

export interface DiskOptions {
  /** Bytes. The default is little more than the least that mkfs.xfs accepts; nothing is written to most of it. */
  readonly size?: number;
  /** How many files and directories there is room for (default: as the system likes; not xfs). */
  readonly inodes?: number;
}

/** A mounted file system; root only. */
export class Disk implements Disposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #directory = temporaryDirectory("disk");
  #mounted = false;

  readonly #source: readonly string[];

  constructor(type: FileSystem, { size = 320 << 20, inodes }: DiskOptions = {}) {
    const image = join(this.#directory, "image");
    this.path = join(this.#directory, "mounted");
    mkdirSync(this.path);
    if (type === "tmpfs") {
      const limits = [`size=${size}`, ...(inodes === undefined ? [] : [`nr_inodes=${inodes}`])];
      this.#source = ["-t", "tmpfs", "-o", limits.join(","), "none"];
    } else {
      writeFileSync(image, "");
      truncateSync(image, size);
      const limit = inodes === undefined ? [] : ["-N", `${inodes}`];
      // No part of it is for root alone.
      const options = type === "ext4" ? ["-m", "0", ...limit] : [];
      execFileSync(`mkfs.${type}`, ["-q", ...options, image], { stdio: "pipe" });
      this.#source = ["-o", "loop", image];
    }
    this.mount();
  }

  mount(): void {
    execFileSync("mount", [...this.#source, this.path], { stdio: "pipe" });
    this.#mounted = true;
  }

  /** Let nobody write to it, or everybody again. False: somebody is writing just now. */
  remount(mode: "ro" | "rw"): boolean {
    return spawnSync("mount", ["-o", `remount,${mode}`, this.path], { stdio: "pipe" }).status === 0;
  }

  /**
   * Get ready to cut the power at once, by the function that is returned: from then on nothing reaches the
   * disk, and every call fails with EIO. `flush`: what is in the journal still does.
   */
  async armPowerCut(): Promise<(flush: boolean) => Promise<void>> {
    const child = spawn("/usr/bin/python3", ["-c", SHUTDOWN, this.path], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    endWithUs(child);
    const closed = once(child, "close");
    await once(child.stdout, "data");
    return async (flush) => {
      child.stdin.end(flush ? "1" : "2");
      const [status] = (await closed) as [number];
      if (status !== 0) throw new Error(`Cannot shut down ${this.path}: status ${status}`);
    };
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
