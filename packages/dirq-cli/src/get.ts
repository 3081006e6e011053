import { ExitStatus, excludes, type Invocation, type OptionEntry } from "@spoolwire/program";
import { command } from "./command.js";
import { isBadElement, Outcome, whileLocked } from "./named.js";
import { elementNames, onlyQueue, queueOperand } from "./operands.js";
import { formOptions, lockedOption, typeOptions } from "./options.js";
import { Output } from "./output.js";
import { openSpool, type Form } from "./spool.js";

const catOptions = [...formOptions, ...typeOptions] as const satisfies readonly OptionEntry[];
const relations = [excludes("json", "body")];

export const formOf = ({ body, json }: { body: boolean | undefined; json: boolean | undefined }): Form =>
  json ? "json" : body ? "body" : "content";

export const get = command(
  {
    name: "get",
    summary: "Write elements without removing them; each is locked while it is read.",
    operands: "QUEUE NAME…",
    options: [lockedOption, ...catOptions],
    relations,
  },
  async (invocation) => {
    const { operands, streams, options } = invocation;
    const { path, rest } = queueOperand(operands);
    const { outcome } = await show(invocation, path, elementNames(rest, streams.stdin), options.locked);
    return outcome.status;
  },
);

export const cat = command(
  {
    name: "cat",
    summary: "Write all elements without removing them; those that others have locked are left out.",
    operands: "QUEUE",
    options: catOptions,
    relations,
  },
  async (invocation) => {
    const path = onlyQueue(invocation.operands);
    const { outcome, skipped } = await show(invocation, path);
    if (skipped === 0) return outcome.status;
    outcome.failed(`${skipped} elements were locked by others, and left out`, ExitStatus.temporary);
    return outcome.status;
  },
);

/** Write these elements, or all that can be locked. */
async function show(
  { options, log, signal, streams }: Invocation<typeof catOptions>,
  path: string,
  names?: AsyncIterable<string>,
  isHeld = false,
): Promise<{ outcome: Outcome; skipped: number }> {
  const spool = openSpool(path, options);
  const form = formOf(options);
  const output = new Output(streams.stdout);
  const outcome = new Outcome(log);
  let skipped = 0;
  for await (const name of names ?? spool.queue) {
    if (signal.aborted) break;
    try {
      const isDone = await whileLocked(spool, name, isHeld, () => output.write(spool.read(name, form)));
      if (isDone) outcome.done++;
      else if (names) outcome.refused(spool, name);
      else skipped++;
    } catch (error) {
      if (!isBadElement(error)) throw error;
      outcome.malformed(error);
    }
  }
  return { outcome, skipped };
}
