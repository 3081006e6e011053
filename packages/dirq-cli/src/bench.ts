import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { SimpleQueue, type Durability } from "@spoolwire/dirq";
import { ExitStatus } from "@spoolwire/program";
import { command } from "./command.js";
import { onlyQueue } from "./operands.js";
import { jsonOption } from "./options.js";
import { Output } from "./output.js";
import { renderTable } from "./table.js";

/** What one measurement found. */
interface Measurement {
  readonly what: string;
  readonly elements: number;
  readonly seconds: number;
}

export const bench = command(
  {
    name: "bench",
    summary: "Measure how fast queues are on the file system of a directory; leaves nothing there.",
    operands: "DIRECTORY",
    options: [
      { name: "size", type: "integer", value: "BYTES", default: 1000, help: "of an element" },
      {
        name: "duration",
        type: "number",

        value: "SECONDS",
        default: 1,
        help: "how long each measurement takes, about",
      },
      jsonOption,
    ],
  },
  async ({ options, operands, signal, streams }) => {
    const parent = onlyQueue(operands);
    const output = new Output(streams.stdout);
    const place = mkdtempSync(join(parent, "dirq-bench-"));
    const remove = () => rmSync(place, { recursive: true, force: true });
    // A second signal ends the process before the block below has its turn.
    process.once("exit", remove);
    try {
      const system = fileSystem(place);
      const results: Measurement[] = [];
      for await (const result of measure(place, options.size, options.duration * 1000, signal)) {
        results.push(result);
      }
      if (signal.aborted) return ExitStatus.temporary;
      if (options.json) {
        for (const { what, elements, seconds } of results) {
          const rate = Math.round(elements / seconds);
          await output.line(
            JSON.stringify({ fileSystem: system, size: options.size, what, rate, elements, seconds }),
          );
        }
      } else {
        await output.line(`${parent}: ${system}, elements of ${options.size} bytes`);
        const rows = results.map(({ what, elements, seconds }) => [
          what,
          `${Math.round(elements / seconds)}`,
        ]);
        for (const line of renderTable(["", "a second"], rows)) await output.line(line);
      }
      await output.flush();
      return undefined;
    } finally {
      remove();
      process.off("exit", remove);
    }
  },
);

/** Elements that are added together where that is measured. */
const GROUP = 128;

async function* measure(
  place: string,
  size: number,
  ms: number,
  signal: AbortSignal,
): AsyncIterable<Measurement> {
  const element = Buffer.alloc(size, "x");
  const open = (durability: Durability) => new SimpleQueue({ path: join(place, durability), durability });
  const full = open("full");
  const plain = open("none");
  const group = new Array<Buffer>(GROUP).fill(element);
  const adds = (queue: SimpleQueue) => () => [queue.add(element)].length;

  yield await timed("add", ms, signal, adds(plain));
  const names = plain[Symbol.iterator]();
  yield await timed("take (lock, read, remove)", ms, signal, () => {
    const step = names.next();
    if (step.done) return 0;
    plain.lock(step.value);
    plain.get(step.value);
    plain.remove(step.value);
    return 1;
  });
  yield await timed("add, durability full, one by one", ms, signal, adds(full));
  yield await timed(`add, durability full, ${GROUP} together`, ms, signal, async () => {
    return (await full.addMany(group)).length;
  });
}

/** Do something over and over; it returns how many elements that were, 0: there are no more. */
async function timed(
  what: string,
  ms: number,
  signal: AbortSignal,
  work: () => number | Promise<number>,
): Promise<Measurement> {
  const started = performance.now();
  let elements = 0;
  let slice = started;
  while (performance.now() - started < ms && !signal.aborted) {
    const count = await work();
    if (count === 0) break;
    elements += count;
    if (performance.now() - slice < 50) continue;
    await new Promise(setImmediate);
    slice = performance.now();
  }
  return { what, elements, seconds: (performance.now() - started) / 1000 };
}

/** What statfs calls them; those of the network are not what a queue is made for. */
const systems: Readonly<Record<number, string>> = {
  0x01021994: "tmpfs (memory: gone at the next start)",
  0x0187: "autofs",
  0x2fc12fc1: "zfs",
  0x4d44: "vfat (has no hard links)",
  0x517b: "smb, a network file system",
  0x58465342: "xfs",
  0x5346544e: "ntfs",
  0x65735546: "fuse",
  0x6969: "nfs, a network file system",
  0x794c7630: "overlayfs",
  0x858458f6: "ramfs (memory: gone at the next start)",
  0x9123683e: "btrfs",
  0x00c36400: "ceph, a network file system",
  0xef53: "ext2, ext3 or ext4",
  0xf2f52010: "f2fs",
  0xfe534d42: "smb, a network file system",
  0xff534d42: "cifs, a network file system",
};

function fileSystem(path: string): string {
  // Some systems give the number as a signed one.
  const type = statfsSync(path).type >>> 0;
  return systems[type] ?? `file system of type 0x${type.toString(16)}`;
}
