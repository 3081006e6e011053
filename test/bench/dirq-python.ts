// The library in Python, if it is installed.
import { execFileSync } from "node:child_process";
import { requirements } from "../helpers/requirements.js";
import type { Rates } from "./bench.js";

export const hasPython = requirements.find(({ name }) => name === "python3-dirq")?.present() ?? false;

/** The time is taken inside, so that Python's start is not part of it. */
const SCRIPT = `
import json, sys, time
from dirq.queue import Queue
from dirq.QueueSimple import QueueSimple
kind, path, size, maxelts = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
body = b"x" * 100
if kind == "simple":
    queue, element = QueueSimple(path), body
else:
    queue, element = Queue(path, maxelts=maxelts, schema={"body": "binary"}), {"body": body}
    if kind == "filled":
        queue.add(element)
names = []
started = time.perf_counter()
for _ in range(size):
    names.append(queue.add(element))
added = time.perf_counter()
for name in names if kind == "filled" else queue:
    if not queue.lock(name):
        continue
    queue.get(name)
    queue.remove(name)
taken = time.perf_counter()
print(json.dumps({"add": size / (added - started), "take": size / (taken - added)}))
`;

/**
 * Add so many elements of 100 bytes to a queue of this kind, then take all of them; of a normal queue that is
 * "filled" only those that were added.
 */
export function python(
  kind: "simple" | "normal" | "filled",
  path: string,
  size: number,
  maxelts = 16_000,
): Rates {
  const args = ["-c", SCRIPT, kind, path, `${size}`, `${maxelts}`];
  return JSON.parse(execFileSync("/usr/bin/python3", args, { encoding: "utf8" })) as Rates;
}
