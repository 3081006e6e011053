// Every file call of every operation fails once, with every likely error; or is the last that a process makes.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { remainsBelow } from "../helpers/file-calls.js";
import { Book } from "./book.js";
import { noCounts, seeded, shuffled, type Campaign, type CampaignOptions, type Counts } from "./campaign.js";
import { fileCallsOf, inject, type SystemCall } from "./inject.js";
import { operations, type Ground, type Operation, type Subject } from "./operations.js";
import { takeAll, types } from "./texts.js";
import { Worker, type Outcome } from "./worker.js";

/** A blow that has missed so often will not strike. */
const MOST_MISSES = 5;

/** One call of one operation. */
interface Target {
  readonly ground: Ground;
  readonly operation: Operation;
  readonly call: SystemCall;
}

export const calls: Campaign = {
  name: "calls",
  summary: "every system call of every operation fails once (needs strace)",
  rounds: 1000,
  run: (options) => strike(options, ["EIO", "ENOSPC", "EROFS", "EACCES", "EMFILE"]),
};

export const kill: Campaign = {
  name: "kill",
  summary: "a process is killed at every system call of every operation (needs strace)",
  rounds: 200,
  run: (options) => strike(options, ["SIGKILL"]),
};

async function strike(options: CampaignOptions, blows: readonly string[]): Promise<Counts> {
  const { seed, rounds, durability, careless = false, progress } = options;
  const counts = noCounts();
  const top = temporaryDirectory("strike", inMemory);
  const start = () => new Worker({ careless, threads: 1 });
  // The second one starts while the first one works.
  const workers = [start(), start()];
  try {
    const grounds = types.map((type) => ({ top, type, durability }));
    const targets = await findTargets(grounds, workers[0]!);
    const plan = shuffled(
      targets.flatMap((target) => blows.map((blow) => ({ ...target, blow }))),
      seeded(seed),
    );
    for (let round = 0; round < rounds; round++) {
      progress(round);
      const { blow, ...target } = plan[round % plan.length]!;
      try {
        for (let misses = 0; ; misses++) {
          if (misses === MOST_MISSES) throw new Error(`${misses} blows have missed`);
          const result = await strikeOnce(target, workers[0]!, blow, counts);
          if (result === "survived") break;
          await workers.shift()?.kill();
          workers.push(start());
          if (result === "killed") break;
        }
      } catch (error) {
        const { ground, operation, call } = target;
        const where = `${ground.type} ${nameOf(operation)}, ${blow} at ${call.name} ${call.nth}`;
        throw new Error(`Round ${round}: ${where}: ${String(error)}`, { cause: error });
      }
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
    removeDirectory(top);
  }
  return counts;
}

/** Let every operation work undisturbed, and see what calls it makes. */
async function findTargets(grounds: readonly Ground[], worker: Worker): Promise<Target[]> {
  const targets: Target[] = [];
  for (const ground of grounds) {
    for (const operation of operations) {
      const calls = await callsOf(operation, ground, worker);
      targets.push(...calls.map((call) => ({ ground, operation, call })));
    }
  }
  return targets;
}

/** The file calls of an operation, which are the same twice in a row. */
async function callsOf(operation: Operation, ground: Ground, worker: Worker): Promise<SystemCall[]> {
  for (let calls: SystemCall[] = [], looks = 0; looks <= MOST_MISSES; looks++) {
    const subject = await prepare(ground, operation, worker);
    const work = () => worker.demand(...operation.command(subject));
    const again = await fileCallsOf(worker.pid, ground.top, work);
    if (again.length > 0 && isDeepStrictEqual(again, calls)) return calls;
    calls = again;
  }
  throw new Error(`Expected the same file calls of ${nameOf(operation)} each time`);
}

const nameOf = ({ command }: Operation): string =>
  command({ top: "", type: "simple", durability: "", path: "", name: "" })[0];

/** A new queue with two elements, own-1 and other-1. */
async function prepare(ground: Ground, operation: Operation, worker: Worker): Promise<Subject> {
  const { top, type, durability } = ground;
  const path = join(top, "queue");
  for (const name of ["queue", "new"]) rmSync(join(top, name), { recursive: true, force: true });
  await worker.demand("open", type, path, durability);
  const name = await worker.demand<string>("add", "own-1");
  await worker.demand("add", "other-1");
  if (operation.isLocked) await worker.demand("lock", name);
  const subject = { ...ground, path, name };
  operation.prepare?.(subject);
  return subject;
}

/** Returns what became of the worker; `missed`: the blow struck something else, and says nothing. */
async function strikeOnce(
  { ground, operation, call }: Target,
  worker: Worker,
  blow: string,
  counts: Counts,
): Promise<"survived" | "killed" | "missed"> {
  const subject = await prepare(ground, operation, worker);
  const command = operation.command(subject);
  const isKill = blow.startsWith("SIG");
  const what = isKill ? `signal=${blow}` : `error=${blow}`;
  const outcome = await inject(worker.pid, ground.top, call, what, () => worker.ask(...command));
  if (outcome === undefined) return "missed";
  const isDone = "end" in outcome;
  if (!(isKill ? "killed" in outcome : isClear(outcome, blow))) {
    throw new Error(`Expected ${blow}, or that the work goes on, got ${JSON.stringify(outcome)}`);
  }

  const book = new Book();
  book.accept(["other-1"]);
  book.accept(worker.acknowledged);
  // What a removal that failed has done is open.
  const isRemoval = command[0] === "remove";
  if (isDone || !isRemoval) book.accept(["own-1"]);
  if (isDone && isRemoval) book.take(["own-1"]);
  if (!isKill) {
    await goOn(worker, subject);
    book.accept(["more-1"]);
    book.take(["more-1"]);
  }
  book.find(await takeAll(ground.type, subject.path));
  book.addTo(counts);
  const left = remainsBelow(subject.path);
  if (left.length > 0) throw new Error(`A purge leaves ${left.join(", ")}`);
  return isKill ? "killed" : "survived";
}

/** The work went on, or the error is the one that was met. */
const isClear = (outcome: Outcome, code: string) =>
  "end" in outcome ? outcome.end !== false : "failed" in outcome && outcome.failed.code === code;

/** The same process can use the queue as before. */
async function goOn(worker: Worker, { type, path, durability }: Subject): Promise<void> {
  await worker.demand("open", type, path, durability);
  const name = await worker.demand<string>("add", "more-1");
  for (const call of ["lock", "get", "remove"]) {
    if ((await worker.demand(call, name)) === false) throw new Error(`${call} is refused`);
  }
}
