// Receiving into a disk that fills up or becomes read-only: the broker keeps the rest, and all of it comes later.
import { setTimeout as sleep } from "node:timers/promises";
import { noCounts, seeded, type BrokerCampaignOptions, type Campaign } from "./campaign.js";
import { Disk } from "./disk.js";
import { Flow, WINDOW } from "./flow.js";

/** Messages a round: more than the small disks have room for. */
const MESSAGES = 600;

interface Want {
  readonly code: "ENOSPC" | "EROFS";
  /** A new disk; `some` is from 0 to 1. */
  make(this: void, some: number): Disk;
}

const wants: readonly Want[] = [
  { code: "ENOSPC", make: (some) => new Disk("tmpfs", { size: Math.floor((1 + some) * (1 << 20)) }) },
  // A group of a whole window never fits.
  { code: "ENOSPC", make: (some) => new Disk("tmpfs", { inodes: WINDOW + Math.floor(some * WINDOW) }) },
  { code: "EROFS", make: () => new Disk("ext4", { size: 64 << 20 }) },
];

export const receive: Campaign<BrokerCampaignOptions> = {
  name: "receive",
  summary:
    "an agent receives into a disk that is full, without inodes, or read-only, and then not (root only)",
  rounds: 30,
  run: async ({ seed, rounds, broker, careless = false, progress }) => {
    const random = seeded(seed);
    const counts = noCounts();
    for (let round = 0; round < rounds; round++) {
      progress(round);
      const { code, make } = wants[round % wants.length]!;
      using disk = make(random());
      await using flow = new Flow(broker, { place: disk.path, careless });
      const isHeld = () => new RegExp(`${code}.*trying again until it can be written`).test(flow.told);
      flow.send(MESSAGES);
      if (code === "EROFS") {
        await flow.until(() => flow.arrived > 50 || isHeld());
        // Refused as long as a file is open for writing: at the gap between two elements.
        await flow.until(() => disk.remount("ro"));
        flow.send(MESSAGES);
        await flow.until(isHeld);
        await sleep(random() * 300);
        disk.remount("rw");
      } else await flow.until(isHeld);
      // Making room is what consumers do; each time it fills up again.
      await flow.finish();
      if (!flow.told.includes("can be written again"))
        throw new Error(`Expected a line that it can be written again`);
      flow.book.addTo(counts);
    }
    // What a disk has refused when a part of it was there comes again.
    const bound = rounds * WINDOW;
    if (counts.duplicates > bound && !careless) {
      throw new Error(`Expected at most ${bound} duplicates, got ${counts.duplicates}`);
    }
    return counts;
  },
};
