// What a durable queue costs whoever moves messages out of files and into files, by the fewest calls: names are made
// beforehand, nothing is checked, no rival is expected, and what is in a file is a frame's body and nothing else.
import fs from "node:fs";
import { promisify } from "node:util";
import type { Duty } from "./bare-client.js";

const { closeSync, linkSync, openSync, readSync, unlinkSync, utimesSync, writeSync } = fs;
const [fdatasync, fsync] = [promisify(fs.fdatasync), promisify(fs.fsync)];

/** As many as a queue syncs together. */
const GROUP = 128;

/** A directory with so many files of this content, and the calls that take them and add others. */
export function bareFiles(directory: string, size: number, body: Buffer, isDurable: boolean): Required<Duty> {
  const file = (kind: string, index: number) => `${directory}/${kind}${index}`;
  const read = Buffer.alloc(body.length);
  for (let index = 0; index < size; index++) fs.writeFileSync(file("out", index), body);
  let added = 0;
  const write = (index: number): number => {
    const fd = openSync(`${file("in", index)}.tmp`, "wx");
    writeSync(fd, body);
    return fd;
  };
  const publish = (index: number): void => {
    linkSync(`${file("in", index)}.tmp`, file("in", index));
    unlinkSync(`${file("in", index)}.tmp`);
  };
  return {
    take: (index) => {
      const lock = `${file("out", index)}.lck`;
      const now = Date.now() / 1000;
      linkSync(file("out", index), lock);
      utimesSync(lock, now, now);
      const fd = openSync(lock, "r");
      readSync(fd, read);
      closeSync(fd);
    },
    done: (index) => {
      unlinkSync(file("out", index));
      unlinkSync(`${file("out", index)}.lck`);
    },
    keep: async (count) => {
      for (const end = added + count; added < end;) {
        const group = Array.from({ length: Math.min(GROUP, end - added) }, (_, index) => added + index);
        const fds = group.map(write);
        if (isDurable) await Promise.all(fds.map((fd) => fdatasync(fd)));
        fds.forEach((fd) => closeSync(fd));
        group.forEach(publish);
        if (isDurable) await syncDirectory(directory);
        added += group.length;
      }
    },
  };
}

async function syncDirectory(directory: string): Promise<void> {
  const fd = openSync(directory, "r");
  await fsync(fd);
  closeSync(fd);
}
