// The power goes while writers add: whatever they were told is added must be there and whole afterwards.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Book } from "./book.js";
import { noCounts, seeded, type Campaign, type Counts } from "./campaign.js";
import { Disk } from "./disk.js";
import { takeAll, Texts, types, type Type } from "./texts.js";
import { Worker } from "./worker.js";

/** How many elements each writer adds at once. */
const WRITERS = [1, 1, 20, 100];

export const powercut: Campaign = {
  name: "powercut",
  summary: "the file system is shut down under four writers, on ext4 and xfs (root only)",
  rounds: 100,
  run: async ({ seed, rounds, durability, progress }) => {
    const counts = noCounts();
    const random = seeded(seed);
    using ext4 = new Disk("ext4");
    using xfs = new Disk("xfs");
    // Those that live through all the rounds: a start of Node takes longer than a round.
    const writers = WRITERS.map((group) => ({ group, worker: new Worker() }));
    try {
      const kinds = types.flatMap((type) => [ext4, xfs].map((disk) => ({ type, disk })));
      for (let round = 0; round < rounds; round++) {
        progress(round);
        const { type, disk } = kinds[round % kinds.length]!;
        await cutOnce(disk, type, durability, writers, random, counts);
      }
    } finally {
      await Promise.all(writers.map(({ worker }) => worker.kill()));
    }
    return counts;
  },
};

async function cutOnce(
  disk: Disk,
  type: Type,
  durability: string,
  writers: readonly { worker: Worker; group: number }[],
  random: () => number,
  counts: Counts,
): Promise<void> {
  const path = join(disk.path, type);
  await Promise.all(writers.map(({ worker }) => worker.demand("open", type, path, durability)));
  const cut = await disk.armPowerCut();
  const filling = writers.map(({ worker, group }, index) => worker.start("fill", `${index}`, `${group}`));
  await Promise.race(filling.map(({ first }) => first));
  await sleep(random() * 200);
  // What is acknowledged while the power goes does not count: the shutdown is not instantaneous, and a sync that
  // is under way may find its transaction gone and take that for done. A real power cut has no such afterlife.
  const book = new Book();
  for (const { worker } of writers) book.accept(worker.acknowledged);
  await cut(random() < 0.5);
  for (const outcome of await Promise.all(filling.map(({ done }) => done))) {
    if (!("failed" in outcome)) throw new Error(`Expected a writer to fail, got ${JSON.stringify(outcome)}`);
  }
  disk.unmount();
  disk.mount();
  // The queue goes on as it is, and a purge leaves nothing of the round.
  new Texts(type, path, durability).add("after-0");
  book.accept(["after-0"]);
  book.find(await takeAll(type, path));
  book.addTo(counts);
}
