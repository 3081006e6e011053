// The power goes while writers add: whatever they were told is added must be there and whole afterwards.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SimpleQueue } from "@spoolwire/dirq";
import { endWithUs } from "../helpers/broker.js";
import { root } from "../helpers/embedded.js";
import { noCounts, seeded, type Campaign, type Counts } from "./campaign.js";
import { contentOf } from "./content.js";
import { Disk } from "./disk.js";

/** How many elements each writer adds at once. */
const WRITERS = [1, 1, 20, 100];

/** The compiled writer, whether this file is compiled or not. */
const writer = join(root, "build/test/fault/writer.js");

export const powercut: Campaign = {
  name: "powercut",
  summary: "the file system is shut down under four writers, on ext4 and xfs (root only)",
  rounds: 100,
  run: async ({ seed, rounds, durability, progress }) => {
    const counts = noCounts();
    const random = seeded(seed);
    using ext4 = new Disk("ext4");
    using xfs = new Disk("xfs");
    for (let round = 0; round < rounds; round++) {
      progress(round);
      await cutOnce(round % 2 === 0 ? ext4 : xfs, `${round}`, durability, random, counts);
    }
    return counts;
  },
};

async function cutOnce(
  disk: Disk,
  round: string,
  durability: string,
  random: () => number,
  counts: Counts,
): Promise<void> {
  const path = join(disk.path, "queue");
  const writers = WRITERS.map((group, index) => startWriter(path, durability, `${round}.${index}`, group));
  const cut = await disk.armPowerCut();
  await writers[0]?.first;
  await sleep(20 + random() * 400);
  // What is acknowledged while the power goes does not count: the shutdown is not instantaneous, and a sync that
  // is under way may find its transaction gone and take that for done. A real power cut has no such afterlife.
  const acknowledged = writers.flatMap(({ acknowledged }) => acknowledged());
  await cut(random() < 0.5);
  await Promise.all(writers.map(({ done }) => done));
  disk.unmount();
  disk.mount();
  const queue = new SimpleQueue({ path });
  const there = new Map([...queue].map((name) => [name, take(queue, name)]));
  for (const [name, id] of acknowledged) {
    counts.accepted++;
    const content = there.get(name);
    if (content === undefined) counts.lost++;
    else if (content !== contentOf(id)) counts.truncated++;
  }
  // Every element was added once, and its content tells which it is.
  const contents = [...there.values()].filter((content) => content !== undefined && content !== "");
  counts.empty += [...there.values()].filter((content) => content === "").length;
  counts.duplicates += contents.length - new Set(contents).size;
  // The queue goes on as it is, and a purge leaves nothing of the round.
  const next = queue.add("after");
  if (take(queue, next) !== "after") counts.lost++;
  await queue.purge({ maxtemp: 1, maxlock: 1 });
}

function take(queue: SimpleQueue, name: string): string | undefined {
  if (!queue.lock(name)) return undefined;
  const content = queue.get(name).toString();
  queue.remove(name);
  return content;
}

/** `first`: it has acknowledged something. `acknowledged`: names and ids so far. `done`: it has ended. */
function startWriter(path: string, durability: string, id: string, group: number) {
  const child = spawn(process.execPath, [writer, path, durability, id, String(group)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  endWithUs(child);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  // A line that is not complete has not been said.
  const acknowledged = () =>
    output
      .split("\n")
      .slice(0, -1)
      .map((line) => line.split(" ") as [string, string]);
  return { first: once(child.stdout, "data"), done: once(child, "close"), acknowledged };
}
