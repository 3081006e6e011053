// A million elements, and a hundred thousand intermediate directories: speed, and memory. Each side works in a
// process of its own on the same directory, in which nothing is changed.
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { removeDirectory } from "../helpers/broker.js";
import type { Bench, Contest, Rates } from "./bench.js";
import { hasPython } from "./dirq-python.js";
import { fastest, makeDirectory } from "./place.js";

/** How the elements lie in intermediate directories. */
const shapes: readonly { name: string; each: (size: number) => number }[] = [
  { name: "in one directory", each: (size) => size },
  { name: "1000 a directory", each: () => 1000 },
  { name: "10 a directory", each: () => 10 },
];

export const scale: Bench = {
  name: "scale",
  summary: "first, count, walk and purge of a million elements, and what they add to the memory",
  size: 1_000_000,
  rounds: 2,
  places: [fastest],
  *contests(size) {
    yield* inDirectory(1, 1, (directory) => [
      contest("a process with an open queue", "processes/GB", directory, "idle"),
    ]);
    for (const { name, each } of shapes) {
      yield* inDirectory(size, each(size), (directory) => [
        contest(name, "elements/s", directory, "speed"),
        contest(name, "elements/MB", directory, "memory"),
      ]);
    }
  },
};

/** Contests that share a directory with so many elements, so many in each intermediate directory. */
function* inDirectory(
  size: number,
  each: number,
  contests: (directory: string) => Contest[],
): Generator<Contest> {
  const directory = makeDirectory(fastest);
  try {
    fill(directory, size, each);
    yield* contests(directory);
  } finally {
    removeDirectory(directory);
  }
}

const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0");

/** Make elements, so many in each directory, out of order: hard links of one file, which is quick. */
function fill(path: string, size: number, each: number): void {
  const source = join(path, "source");
  writeFileSync(source, "");
  for (let start = 0, number = 0; start < size; start += each, number++) {
    const seconds = hex(0x60000000 + number * 60, 8);
    const count = Math.min(each, size - start);
    mkdirSync(`${path}/${seconds}`);
    for (let n = 0; n < count; n++)
      linkSync(source, `${path}/${seconds}/${hex(0x60000000 + number * 60, 8)}${hex((n * 7919) % count, 6)}`);
  }
}

function contest(name: string, unit: string, path: string, what: "speed" | "memory" | "idle"): Contest {
  const walk = (program: string, ...args: string[]) => {
    const output = execFileSync(program, [...args, path], { encoding: "utf8" });
    return (JSON.parse(output) as Record<typeof what, Rates>)[what];
  };
  const script = fileURLToPath(new URL("scale-walk.js", import.meta.url));
  return {
    name,
    unit,
    ours: () => walk(process.execPath, script, "ours"),
    baselines: {
      readdirSync: () => walk(process.execPath, script, "bare"),
      ...(hasPython && { "python-dirq": () => walk("/usr/bin/python3", "-c", SCRIPT) }),
    },
  };
}

const SCRIPT = `
import json, re, sys, time
from dirq.QueueSimple import QueueSimple
queue = QueueSimple(sys.argv[1])
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
idle = peak()
rates = {}
def measure(name, work):
    started = time.perf_counter()
    work()
    rates[name] = time.perf_counter() - started
size = queue.count()
measure("first", queue.first)
measure("count", queue.count)
walked = min(size, 2000)
def walk():
    for _ in range(walked - 1):
        queue.next()
measure("walk", walk)
measure("purge", queue.purge)
# Each step of a walk moves all that is left of a directory: a whole walk would take ten minutes.
rates["walk"] = rates["first"] + rates["walk"] * size / walked
speed = {name: size / seconds for name, seconds in rates.items()}
memory = {"memory": size / max(peak() - idle, 0.1)}
print(json.dumps({"speed": speed, "memory": memory, "idle": {"idle": 1024 / idle}}))
`;
