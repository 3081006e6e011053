// A million elements, and a hundred thousand intermediate directories: speed, and memory. Each side works in a
// process of its own on the same directory, in which nothing is changed.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { removeDirectory } from "../helpers/broker.js";
import type { Bench, Contest, Rates } from "./bench.js";
import { hasPython } from "./dirq-python.js";
import { fill } from "./fill.js";
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
    for (const { name, each } of shapes) {
      const directory = makeDirectory(fastest);
      try {
        fill(directory, size, each(size));
        yield contest(name, directory);
      } finally {
        removeDirectory(directory);
      }
    }
  },
};

const speed = "elements/s";
const unit = {
  ...{ first: speed, count: speed, walk: speed, purge: speed },
  ...{ "memory idle": "processes/GB", "memory added": "elements/MB" },
};

function contest(name: string, path: string): Contest {
  const walk = (program: string, ...args: string[]) =>
    JSON.parse(execFileSync(program, [...args, path], { encoding: "utf8" })) as Rates;
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
memory = {"memory idle": 1024 / idle, "memory added": size / max(peak() - idle, 0.1)}
print(json.dumps({**speed, **memory}))
`;
