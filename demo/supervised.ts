// The flow as a site runs it: one supervisor for all of it, and somebody who kills its members at random.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Message, openMessageQueue } from "@spoolwire/message";
import { ExitStatus } from "@spoolwire/program";
import { drawTree, type ChildReport } from "@spoolwire/simplevisor";
import { freePort } from "../test/helpers/broker.js";
import { LINE, Output } from "./output.js";
import { Site } from "./site.js";

/** Between two kills there are so many milliseconds, and up to so many more. */
const PAUSE_MS = { least: 200, more: 800 };
/** The application adds lines so often, and for so long at once: we see to the kills too. Milliseconds. */
const ADD_MS = { every: 20, slice: 5 };
/** Who does not get on for so long will not, seconds: patience for a busy machine. */
const PATIENCE = 60;

export interface SupervisedOptions {
  /** The directory to work in, with the `input`; an absolute path. */
  readonly work: string;
  /** What the input is. */
  readonly title: string;
  /** For how long members are killed, seconds. */
  readonly seconds: number;
  readonly signal: AbortSignal;
}

/** Show it. @returns the exit status */
export async function showSupervised({ work, title, seconds, signal }: SupervisedOptions): Promise<number> {
  const input = readFileSync(join(work, "input"));
  const lines = splitLines(input);
  const print = (text: string) => void process.stdout.write(`${text}\n`);
  const site = await Site.start(work, await freePort(), signal);
  const output = new Output(join(work, "output"));
  try {
    print(`Input: ${title}, ${count(input.length, "byte")}, ${count(lines.length, "line")} in ${seconds} s`);
    print(`\nThe tree of ${join(work, "site.conf")}:\n\n${drawTree(await site.tree())}`);
    const adding = add(lines, join(work, "a"), seconds, signal);
    const healed = await kill(site, seconds, signal, print);
    await adding;
    print(`\nAfter ${count(healed.length, "kill")}:\n\n${drawTree(await site.tree())}`);
    healed.sort((one, other) => one - other);
    const at = (part: number) => `${Math.round(healed[Math.ceil(healed.length * part) - 1] ?? 0)} ms`;
    print(`Running again after ${at(0.5)} (median), ${at(1)} (at most).`);
    await finish(output, lines.length, signal);
  } finally {
    await site.stop();
  }
  return tell(output, input, print);
}

/** The application: adds a line at a time, evenly spread. */
async function add(
  lines: readonly Buffer[],
  path: string,
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  const spool = openMessageQueue({ path });
  const began = performance.now();
  for (let next = 0; next < lines.length;) {
    const now = performance.now();
    const due = Math.min(lines.length, Math.ceil((lines.length * (now - began)) / (seconds * 1000)));
    for (; next < due && performance.now() - now < ADD_MS.slice; next++) {
      const header = { destination: "/queue/demo", persistent: "true", [LINE]: `${next}` };
      spool.addMessage(new Message({ header, body: lines[next]! }));
    }
    await sleep(ADD_MS.every, undefined, { signal });
  }
}

/** Kill members of the tree, one after the other. @returns after how many milliseconds each was running again */
async function kill(
  site: Site,
  seconds: number,
  signal: AbortSignal,
  print: (line: string) => void,
): Promise<number[]> {
  const healed: number[] = [];
  const began = performance.now();
  let hasShown = false;
  const clock = () => `${((performance.now() - began) / 1000).toFixed(1).padStart(5)} s`;
  while (performance.now() < began + seconds * 1000) {
    await sleep(PAUSE_MS.least + Math.random() * PAUSE_MS.more, undefined, { signal });
    const victims = (await site.tree()).children?.filter(({ phase }) => phase === "running") ?? [];
    // The broker is first: it comes back last, and shows what the tree looks like meanwhile.
    const victim = victims[healed.length === 0 ? 0 : Math.floor(Math.random() * victims.length)];
    if (victim?.pid === undefined) continue;
    print(`${clock()}  kill -9 ${victim.name} (pid ${victim.pid})`);
    const struck = performance.now();
    process.kill(victim.pid, "SIGKILL");
    let tree: ChildReport;
    let now: ChildReport | undefined;
    do {
      tree = await site.tree();
      now = tree.children?.find(({ name }) => name === victim.name);
      if (!hasShown && now?.phase !== "running") {
        hasShown = true;
        print(`\n${drawTree(tree)}`);
      }
      if (performance.now() - struck > PATIENCE * 1000) {
        throw new Error(`${victim.name} was not running again in ${PATIENCE} s`);
      }
      await sleep(5, undefined, { signal });
    } while (now?.phase !== "running" || now.pid === victim.pid);
    healed.push(performance.now() - struck);
    print(
      `${clock()}  ${victim.name} is running again (pid ${now.pid}), after ${Math.round(healed.at(-1)!)} ms`,
    );
  }
  return healed;
}

/** Let all that is on its way arrive; gives up when nothing does for long. */
async function finish(output: Output, wanted: number, signal: AbortSignal): Promise<void> {
  let [before, since] = [-1, performance.now()];
  for (output.read(); output.lines.size < wanted; output.read()) {
    if (output.lines.size > before) [before, since] = [output.lines.size, performance.now()];
    if (performance.now() - since > PATIENCE * 1000) return;
    await sleep(100, undefined, { signal });
  }
}

function tell(output: Output, input: Buffer, print: (line: string) => void): number {
  output.read();
  const { lines, repeated, cut, late } = output;
  print(
    `\nWhat was in the hands of who was killed comes again, and later: ${count(repeated, "message")} came once more, ` +
      `${late} behind their place, and ${count(cut, "line")} of the output had no end. ` +
      "Each line has its number, by which the output is put in order and what is repeated left out.",
  );
  if (!output.bytes().equals(input)) {
    print(`\nTHE OUTPUT DIFFERS FROM THE INPUT: ${count(lines.size, "line")} came`);
    return ExitStatus.software;
  }
  const sha256 = createHash("sha256").update(input).digest("hex");
  print(`\nThe output then equals the input, byte for byte: ${count(lines.size, "line")}, sha256 ${sha256}`);
  return ExitStatus.ok;
}

/** Each with its newline; the last one may have none. */
function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length;) {
    const newline = bytes.indexOf(10, from);
    const end = newline < 0 ? bytes.length : newline + 1;
    lines.push(bytes.subarray(from, end));
    from = end;
  }
  return lines;
}

const count = (number: number, word: string) =>
  `${number.toLocaleString("en-US")} ${word}${number === 1 ? "" : "s"}`;
