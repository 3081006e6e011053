import { closeSync, constants, openSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import type { Quarantined } from "@spoolwire/dirq";
import { ExitStatus, type Invocation } from "@spoolwire/program";
import { command, family } from "./command.js";
import { Outcome } from "./named.js";
import { elementNames, onlyQueue, queueOperand } from "./operands.js";
import { jsonOption } from "./options.js";
import { Output } from "./output.js";
import { openSpool } from "./spool.js";

const ls = command(
  {
    name: "ls",
    summary: "List what was moved aside: name, when, where it was, and why.",
    operands: "QUEUE",
    options: [jsonOption],
  },
  async ({ options, operands, streams }) => {
    const output = new Output(streams.stdout);
    for (const { name, element, reason, time } of openSpool(onlyQueue(operands), {}).queue.quarantined()) {
      const when = time.toISOString();
      if (options.json) await output.line(JSON.stringify({ name, element, reason, time: when }));
      else await output.line(`${name} ${when} ${element} ${oneLine(reason)}`);
    }
    await output.flush();
    return undefined;
  },
);

const show = command(
  {
    name: "show",
    summary: "Write what lies in the quarantine, as it is.",
    operands: "QUEUE NAME…",
    options: [],
  },
  async (invocation) => {
    const output = new Output(invocation.streams.stdout);
    return await each(invocation, async ({ files }) => {
      for (const file of files) {
        // The fields of a normal queue one below the other, each under its name.
        if (files.length > 1) await output.write(`==> ${basename(file)} <==\n`);
        await output.write(readElement(file));
      }
    });
  },
);

const requeue = command(
  {
    name: "requeue",
    summary: "Put back what was moved aside, and write the names of the new elements.",
    operands: "QUEUE NAME…",
    options: [],
  },
  async (invocation) => {
    const output = new Output(invocation.streams.stdout);
    return await each(invocation, async ({ name }, requeue) => {
      const element = requeue(name);
      if (element !== undefined) await output.write(`${element}\n`);
    });
  },
);

export const quarantine = family("quarantine", "What was moved aside: ls, show, requeue.", [
  ls,
  show,
  requeue,
]);

/** Do something with each of those that are named. */
async function each(
  { operands, log, streams, signal }: Invocation<[]>,
  work: (found: Quarantined, requeue: (name: string) => string | undefined) => Promise<void>,
): Promise<number> {
  const { path, rest } = queueOperand(operands);
  const { queue } = openSpool(path, {});
  const outcome = new Outcome(log);
  const all = new Map(Array.from(queue.quarantined(), (one) => [one.name, one]));
  for await (const name of elementNames(rest, streams.stdin)) {
    if (signal.aborted) return ExitStatus.temporary;
    const found = all.get(name);
    if (found) {
      await work(found, (name) => queue.requeue(name));
      outcome.done++;
    } else outcome.failed(`${name} is not in the quarantine`, ExitStatus.nothing);
  }
  return outcome.status;
}

/** A link that somebody has put there must not show what is elsewhere, nor a pipe hang us. */
function readElement(file: string): Buffer {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return readFileSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What came from outside must neither break the line nor reach the terminal as a control sequence. */
const oneLine = (text: string) => text.replace(/[\0-\x1f\x7f-\x9f]+/g, " ");
