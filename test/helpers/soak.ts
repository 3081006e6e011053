// Programs in several languages that write to one queue and read from it, all at once.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { DirQueue } from "@spoolwire/dirq";
import { expect } from "vitest";
import { endWithUs } from "./broker.js";
import { bodyOf, Ledger, sha1 } from "./ledger.js";
import { takeAll } from "./queue-contract.js";

/** Debian's own: another one earlier on the PATH does not see Debian's modules. */
const PYTHON = "/usr/bin/python3";

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));

/** The command that runs a fixture. */
const command = (name: string): [string, string[]] =>
  name.endsWith(".py") ? [PYTHON, ["-B", fixture(name)]] : [process.execPath, [fixture(name)]];

/** Run a fixture to its end. Returns what it said, as bytes. */
export function call(name: string, args: (string | number)[], input: string | Uint8Array = ""): Buffer {
  const [program, first] = command(name);
  const done = spawnSync(program, [...first, ...args.map(String)], { input, maxBuffer: Infinity });
  if (done.status !== 0) throw new Error(`${args.join(" ")}: ${String(done.stderr)}`);
  return done.stdout;
}

/** Start a fixture that runs until its input ends. */
function start(name: string, ...args: string[]) {
  const [program, first] = command(name);
  const child = spawn(program, [...first, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  endWithUs(child);
  // They would take all the processors for a minute, and other tests would be late.
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_BELOW_NORMAL);
  const closed = once(child, "close");
  const said = text(child.stdout);
  /** Let it come to its end. Returns the lines that it said. */
  const finish = async () => {
    child.stdin.end();
    const [status] = (await closed) as [number | null];
    expect(`${name} ended with ${status}`).toBe(`${name} ended with 0`);
    return (await said).split("\n").slice(0, -1);
  };
  return { child, finish };
}

/** How long the implementations work on one queue at once. */
export const SECONDS = Number(process.env.SPOOLWIRE_SOAK_SECONDS ?? 60);

/** Programs, and what they are told besides the queue and its type: how durable, and how many at once. */
const writers = [
  ["dirq-writer.py"],
  ["dirq-writer.py"],
  ["dirq-writer.mjs"],
  ["dirq-writer.mjs", "full"],
  ["dirq-writer.mjs", "full", "20"],
] as const;
const readers = ["dirq-reader.py", "dirq-reader.py", "dirq-reader.mjs", "dirq-reader.mjs"];

/**
 * Let writers, readers and purges of Python and of ours work on a queue for `SECONDS`, and make sure that
 * nothing was lost, doubled or damaged, and that nothing is left after a purge. `queue` is one of ours on it, to
 * which all that is left behind is old: an add of Python's that lost a race leaves its element in temporary.
 */
export async function soak(queue: DirQueue, type: "simple" | "normal"): Promise<void> {
  const writing = writers.map(([name, ...how], n) => start(name, queue.path, `w${n}`, type, ...how));
  const reading = readers.map((name) => start(name, queue.path, type));
  // Whoever ends early has failed: no need to wait for the others.
  const early = Promise.race([...writing, ...reading].map(({ child }) => once(child, "close")));
  await Promise.race([sleep(SECONDS * 1000), early]);

  const ledger = new Ledger();
  const written = await Promise.all(writing.map((writer) => writer.finish()));
  const read = await Promise.all(reading.map((reader) => reader.finish()));
  for (const id of written.flat()) ledger.accept(id, sha1(bodyOf(id)));
  for (const line of read.flat()) {
    const [id, digest] = line.split(" ") as [string, string];
    ledger.deliver(id, digest);
  }
  expect(ledger.report()).toEqual({
    accepted: written.flat().length,
    ...{ lost: 0, duplicates: 0, unknown: 0, damaged: 0 },
  });
  // Everybody had a part in it.
  for (const lines of [...written, ...read]) expect(lines).not.toEqual([]);
  expect(await takeAll(queue)).toEqual([]);
  const directories = readdirSync(queue.path).filter((name) => /^[0-9a-f]{8}$/.test(name));
  expect(directories.length).toBeLessThanOrEqual(1);
}
