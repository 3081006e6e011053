// A disk on which nothing more can be written, for a while: full, without inodes, or read-only.
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { remainsBelow } from "../helpers/file-calls.js";
import { Book } from "./book.js";
import { noCounts, seeded, type Campaign, type Counts } from "./campaign.js";
import { Disk } from "./disk.js";
import { takeAll, types, type Type } from "./texts.js";
import { Worker, type Outcome } from "./worker.js";

interface Want {
  readonly code: "ENOSPC" | "EROFS";
  /** A new disk; `some` is from 0 to 1. */
  make(this: void, some: number): Disk;
}

/** What a disk may be without. */
const wants: readonly Want[] = [
  { code: "ENOSPC", make: (some) => new Disk("tmpfs", { size: (1 + some) << 20 }) },
  { code: "ENOSPC", make: (some) => new Disk("tmpfs", { inodes: 64 + Math.floor(some * 64) }) },
  { code: "ENOSPC", make: (some) => new Disk("ext4", { size: Math.floor(2 + some) << 20 }) },
  { code: "ENOSPC", make: (some) => new Disk("ext4", { size: 8 << 20, inodes: 64 + Math.floor(some * 64) }) },
  { code: "EROFS", make: () => new Disk("tmpfs") },
  { code: "EROFS", make: () => new Disk("ext4", { size: 64 << 20 }) },
];

/** What takes part in a round. */
interface Site {
  readonly disk: Disk;
  readonly want: Want;
  readonly type: Type;
  readonly durability: string;
  readonly writers: readonly { readonly worker: Worker; readonly group: number }[];
  readonly consumer: Worker;
}

/** How many elements each writer adds at once. */
const WRITERS = [1, 20];

export const full: Campaign = {
  name: "full",
  summary: "writers fill a disk, or it becomes read-only, and later there is room again (root only)",
  rounds: 60,
  run: async ({ seed, rounds, durability, careless = false, progress }) => {
    const counts = noCounts();
    const random = seeded(seed);
    const writers = WRITERS.map((group) => ({ group, worker: new Worker({ careless }) }));
    const consumer = new Worker();
    try {
      const kinds = types.flatMap((type) => wants.map((want) => ({ type, want })));
      for (let round = 0; round < rounds; round++) {
        progress(round);
        const { type, want } = kinds[round % kinds.length]!;
        using disk = want.make(random());
        await fillOnce({ disk, want, type, durability, writers, consumer }, random, counts);
      }
    } finally {
      await Promise.all([consumer, ...writers.map(({ worker }) => worker)].map((worker) => worker.kill()));
    }
    return counts;
  },
};

async function fillOnce(site: Site, random: () => number, counts: Counts): Promise<void> {
  const { disk, want, type, durability, writers, consumer } = site;
  const path = join(disk.path, "queue");
  const ballast = join(disk.path, "ballast");
  mkdirSync(ballast);
  writeFileSync(join(ballast, "file"), "x".repeat(4096));
  for (const { worker } of [...writers, { worker: consumer }]) {
    await worker.demand("open", type, path, durability);
  }

  const first = `${Math.floor(random() * 1000)}`;
  const filling = writers.map(({ worker, group }) => worker.start("fill", `full${group}`, `${group}`, first));
  if (want.code === "EROFS") {
    await Promise.race(filling.map(({ first }) => first));
    await sleep(random() * 100);
    // Refused as long as a file is open for writing: at the gap between two elements.
    while (!disk.remount("ro")) await sleep(random() * 5);
  }
  const book = new Book();
  for (const { done } of filling) demandFailure(await done, want.code);
  for (const { worker } of writers) book.accept(worker.acknowledged);
  // Told again each time, and a smaller element may still fit.
  for (const { worker, group } of writers) {
    for (let more = 0; more < 5; more++) {
      const outcome = await worker.ask("add", `more${group}-${more}`);
      if (!("end" in outcome)) demandFailure(outcome, want.code);
      book.accept(worker.acknowledged);
    }
  }
  if (want.code === "EROFS") disk.remount("rw");
  else {
    const temporaries = remainsBelow(path).filter((file) => /\.tmp$|^temporary\//.test(file));
    if (temporaries.length > 0) throw new Error(`What did not fit was left: ${temporaries.join(", ")}`);
    await consumeHalf(site, book, ballast);
  }
  // There is room again: the same processes go on.
  for (const { worker, group } of writers) {
    await worker.demand("add", `after${group}-0`);
    book.accept(worker.acknowledged);
    await worker.demand("addMany", `after${group}-1`, `after${group}-2`, `after${group}-3`);
    book.accept(worker.acknowledged);
  }
  book.find(await takeAll(type, path));
  book.addTo(counts);
  const left = remainsBelow(path);
  if (left.length > 0) throw new Error(`A purge leaves ${left.join(", ")}`);
}

function demandFailure(outcome: Outcome, code: string): void {
  if ("failed" in outcome && outcome.failed.code === code) return;
  throw new Error(`Expected ${code}, got ${JSON.stringify(outcome)}`);
}

/** Consumers must be able to make room. */
async function consumeHalf({ type, consumer }: Site, book: Book, ballast: string): Promise<void> {
  const names = await consumer.demand<string[]>("names");
  for (const name of names.slice(0, Math.ceil(names.length / 2))) {
    const outcome = await consumer.ask("lock", name);
    if (!("end" in outcome)) {
      demandFailure(outcome, "ENOSPC");
      // The lock of a normal queue is a directory, for which there may be no room; then somebody else must make it.
      if (type === "simple" || !existsSync(ballast)) throw new Error("No element can be locked");
      rmSync(ballast, { recursive: true });
      await consumer.demand("lock", name);
    }
    book.find([await consumer.demand<string>("get", name)]);
    await consumer.demand("remove", name);
  }
}
