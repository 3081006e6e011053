import { ExitStatus, type Invocation, type OptionEntry } from "@spoolwire/program";
import { command, type Command } from "./command.js";
import { Outcome } from "./named.js";
import { elementNames, queueOperand } from "./operands.js";
import { lockedOption, typeOptions } from "./options.js";
import { Output } from "./output.js";
import { openSpool, type Spool } from "./spool.js";

type Work = (name: string, spool: Spool, outcome: Outcome) => boolean;

/** Do one thing with each element that is named. */
async function each(
  { options, operands, log, signal, streams }: Invocation<typeof typeOptions>,
  work: Work,
): Promise<number> {
  const { path, rest } = queueOperand(operands);
  const spool = openSpool(path, options);
  const outcome = new Outcome(log);
  for await (const name of elementNames(rest, streams.stdin)) {
    if (signal.aborted) return ExitStatus.temporary;
    if (work(name, spool, outcome)) outcome.done++;
  }
  return outcome.status;
}

function commandOnNames(name: string, summary: string, work: Work): Command {
  return command({ name, summary, operands: "QUEUE NAME…", options: typeOptions }, (invocation) =>
    each(invocation, work),
  );
}

const notThere = (name: string, outcome: Outcome): false => {
  outcome.failed(`${name} is not there`, ExitStatus.nothing);
  return false;
};

export const unlock = commandOnNames(
  "unlock",
  "Give locked elements back, whoever locked them.",
  (name, { queue }, outcome) => {
    if (queue.unlock(name, true)) return true;
    outcome.failed(`${name} is not locked`, ExitStatus.nothing);
    return false;
  },
);

export const touch = commandOnNames(
  "touch",
  "Make locks young again, so that no purge takes them for stale.",
  (name, { queue }, outcome) => queue.touch(name) || notThere(name, outcome),
);

export const rm = command(
  {
    name: "rm",
    summary: "Remove elements.",
    operands: "QUEUE NAME…",
    options: [lockedOption, ...typeOptions],
  },
  (invocation) =>
    each(invocation, (name, spool, outcome) => {
      if (!invocation.options.locked && !spool.queue.lock(name)) {
        outcome.refused(spool, name);
        return false;
      }
      return spool.queue.remove(name) || notThere(name, outcome);
    }),
);

export const lock = command(
  {
    name: "lock",
    summary: "Lock elements, or the first that can be had, and write their names.",
    operands: "QUEUE [NAME…]",
    options: typeOptions satisfies readonly OptionEntry[],
  },
  async (invocation) => {
    const output = new Output(invocation.streams.stdout);
    const { path, rest } = queueOperand(invocation.operands);
    if (rest.length === 0) {
      const { queue } = openSpool(path, invocation.options);
      for (const name of queue) {
        if (!queue.lock(name)) continue;
        await output.write(`${name}\n`);
        return ExitStatus.ok;
      }
      return ExitStatus.nothing;
    }
    const locked: string[] = [];
    const status = await each(invocation, (name, spool, outcome) => {
      if (spool.queue.lock(name)) return locked.push(name) > 0;
      outcome.refused(spool, name);
      return false;
    });
    for (const name of locked) await output.line(name);
    await output.flush();
    return status;
  },
);
