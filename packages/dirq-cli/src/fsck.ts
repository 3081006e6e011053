import { inspectQueue, type Problem, type ProblemKind } from "@spoolwire/dirq";
import { ExitStatus, Progress, type Logger } from "@spoolwire/program";
import { command } from "./command.js";
import { isBadElement, whileLocked } from "./named.js";
import { onlyQueue } from "./operands.js";
import { jsonOption, typeOptions } from "./options.js";
import { Output } from "./output.js";
import { limitsOf, showPurge, staleOptions } from "./purge.js";
import { openSpool, type Spool } from "./spool.js";

/** What is found, in words, and what a repair does about it. */
const kinds: Readonly<
  Record<ProblemKind | "malformed", { what: string; repair: "purge" | "quarantine" | "none" }>
> = {
  foreign: { what: "no name that a queue makes", repair: "none" },
  link: { what: "a symbolic link, which no queue makes", repair: "none" },
  "wrong-kind": { what: "a file where a directory should be, or the other way round", repair: "none" },
  empty: { what: "an element without content", repair: "quarantine" },
  malformed: { what: "no message", repair: "quarantine" },
  "orphan-lock": { what: "a lock whose element is gone", repair: "purge" },
  "stale-lock": { what: "a stale lock", repair: "purge" },
  "stale-temporary": { what: "left behind by an add or a removal", repair: "purge" },
};

interface Finding extends Omit<Problem, "kind"> {
  readonly kind: Problem["kind"] | "malformed";
  readonly detail?: string;
}

export const fsck = command(
  {
    name: "fsck",
    summary: "Look for what is wrong in a queue's directory; status 65 if something is. Only reads.",
    operands: "QUEUE",
    options: [
      {
        name: "messages",
        type: "boolean",
        help: "read each element too (locking it for that): is it a message?",
      },
      {
        name: "repair",
        type: "boolean",
        help: "purge what is stale, move bad elements to the quarantine; all else stays as it is",
      },
      ...staleOptions,
      ...typeOptions,
      jsonOption,
    ],
  },
  async ({ options, operands, log, signal, streams }) => {
    const path = onlyQueue(operands);
    const limits = limitsOf(options);
    const output = new Output(streams.stdout);
    const bar = new Progress(streams.stderr);
    const spool = openSpool(path, options);
    const inspector = inspectQueue(path);
    /** What is wrong and was not moved aside. */
    let left = 0;
    const empty = new Set<string>();

    const tell = async (finding: Finding) => {
      const aside = options.repair ? repair(spool, finding, log) : undefined;
      if (aside === undefined) left++;
      const { kind, path, detail = kinds[kind].what } = finding;
      if (options.json) {
        const quarantined = aside !== undefined && { quarantined: aside };
        await output.line(JSON.stringify({ kind, path, detail, ...quarantined }));
      } else {
        const end = aside === undefined ? "" : `; it is in the quarantine as ${aside}`;
        await output.line(`${path}: ${detail}${end}`);
      }
    };

    for (const problem of inspector.problems(limits)) {
      if (signal.aborted) return ExitStatus.temporary;
      if (problem.kind === "empty") empty.add(problem.path);
      await tell(problem);
    }
    if (options.messages) {
      let read = 0;
      for (const name of spool.queue) {
        if (signal.aborted) return ExitStatus.temporary;
        bar.show(() => `reading: ${read} elements`);
        const finding = empty.has(name) ? undefined : await malformed(spool, name);
        if (finding) await tell(finding);
        read++;
      }
      bar.clear();
    }
    await output.flush();
    if (options.repair) {
      const before = count(inspector.problems(limits));
      const report = await spool.queue.purge({ ...limits, signal });
      if (!options.json) await output.write(`${showPurge(report)}\n`);
      left -= before - count(inspector.problems(limits));
    }
    return left > 0 ? ExitStatus.dataError : ExitStatus.ok;
  },
);

const count = (problems: Iterable<Problem>): number => [...problems].length;

/** Why an element is no message; undefined: it is one, or locked by somebody else. */
async function malformed(spool: Spool, name: string): Promise<Finding | undefined> {
  try {
    await whileLocked(spool, name, false, () => void spool.read(name, "json"));
    return undefined;
  } catch (error) {
    if (!isBadElement(error)) throw error;
    return { kind: "malformed", path: name, detail: error.message };
  }
}

/** Move a bad element aside and return its name there; undefined: it is no element, or cannot be moved. */
function repair({ queue }: Spool, { kind, path, detail }: Finding, log: Logger): string | undefined {
  if (kinds[kind].repair !== "quarantine" || !queue.lock(path)) return undefined;
  try {
    return queue.quarantine(path, detail ?? kinds[kind].what);
  } catch (error) {
    queue.unlock(path, true);
    log.error((error as Error).message);
    return undefined;
  }
}
