// The simple queue, against the system calls that it cannot do without, and against the library in Python.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { SimpleQueue } from "@spoolwire/dirq";
import { removeDirectory } from "../helpers/broker.js";
import { requirements } from "../helpers/requirements.js";
import { rate, type Bench, type Contest, type Place, type Rates, type Round } from "./bench.js";
import { makeDirectory, places } from "./place.js";

const body = Buffer.alloc(100, "x");

/** Add so many elements to a queue in this directory, then take all of them. */
type Work = (directory: string, size: number) => Rates | Promise<Rates>;

export const dirq: Bench = {
  name: "dirq",
  summary: "the simple queue: add, and take (list, lock, get, remove), 100 bytes, in memory and on the disk",
  size: 2000,
  rounds: 9,
  places,
  contests: (size) => places.map((place) => contest(place, size)),
};

function contest(place: Place, size: number): Contest {
  const round =
    (work: Work): Round =>
    async () => {
      const directory = makeDirectory(place);
      try {
        return await work(directory, size);
      } finally {
        removeDirectory(directory);
      }
    };
  const hasPython = requirements.find(({ name }) => name === "python3-dirq")?.present() ?? false;
  return {
    name: place.fileSystem,
    unit: "elements/s",
    ours: round(ours),
    baselines: { "system calls": round(bare), ...(hasPython && { "python-dirq": round(python) }) },
  };
}

async function ours(directory: string, size: number): Promise<Rates> {
  const queue = new SimpleQueue({ path: directory });
  const add = await rate(size, () => {
    for (let index = 0; index < size; index++) queue.add(body);
  });
  let taken = 0;
  const take = await rate(size, () => {
    for (const name of queue) {
      if (!queue.lock(name)) continue;
      if (queue.get(name).length === body.length) taken++;
      queue.remove(name);
    }
  });
  if (taken !== size) throw new Error(`Took ${taken} elements of ${size}`);
  return { add, take };
}

/** Only what an element needs: no checks, no lost race tolerated, all names made beforehand. */
async function bare(directory: string, size: number): Promise<Rates> {
  const names = Array.from({ length: size }, (_, index) => `${directory}/${String(index).padStart(14, "0")}`);
  const elements = names.map((name) => ({ name, temporary: `${name}.tmp`, lock: `${name}.lck` }));
  const add = await rate(size, () => {
    for (const { name, temporary } of elements) {
      const fd = fs.openSync(temporary, "wx");
      fs.writeSync(fd, body);
      fs.closeSync(fd);
      fs.linkSync(temporary, name);
      fs.unlinkSync(temporary);
    }
  });
  const read = Buffer.alloc(body.length);
  const take = await rate(size, () => {
    const now = Date.now() / 1000;
    fs.readdirSync(directory);
    for (const { name, lock } of elements) {
      fs.linkSync(name, lock);
      fs.utimesSync(name, now, now);
      const fd = fs.openSync(lock, "r");
      fs.readSync(fd, read);
      fs.closeSync(fd);
      fs.unlinkSync(name);
      fs.unlinkSync(lock);
    }
  });
  return { add, take };
}

/** The time is taken inside, so that Python's start is not part of it. */
const SCRIPT = `
import json, sys, time
from dirq.QueueSimple import QueueSimple
size, body = int(sys.argv[2]), b"x" * int(sys.argv[3])
queue = QueueSimple(sys.argv[1])
started = time.perf_counter()
for _ in range(size):
    queue.add(body)
added = time.perf_counter()
for name in queue:
    if not queue.lock(name):
        continue
    queue.get(name)
    queue.remove(name)
taken = time.perf_counter()
print(json.dumps({"add": size / (added - started), "take": size / (taken - added)}))
`;

function python(directory: string, size: number): Rates {
  const args = ["-c", SCRIPT, directory, `${size}`, `${body.length}`];
  return JSON.parse(execFileSync("/usr/bin/python3", args, { encoding: "utf8" })) as Rates;
}
