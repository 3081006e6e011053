// A file system of our own in a file, which can lose its power.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { endWithUs, removeDirectory, temporaryDirectory } from "../helpers/broker.js";

export type FileSystem = "ext4" | "xfs";

/** XFS_IOC_GOINGDOWN, which ext4 has too: 1 flushes the journal first, 2 does not. Node has no ioctl. */
const SHUTDOWN = `
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print("ready", flush=True)
fcntl.ioctl(fd, 0x8004587d, struct.pack("I", int(sys.stdin.read())))
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
