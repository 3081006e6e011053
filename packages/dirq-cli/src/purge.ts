import { inspectQueue, openQueue, type PurgeReport } from "@spoolwire/dirq";
import { ExitStatus, Progress, write, type OptionEntry } from "@spoolwire/program";
import { command } from "./command.js";
import { onlyQueue } from "./operands.js";
import { jsonOption } from "./options.js";

/** What counts as left behind. */
export const staleOptions = [
  {
    name: "maxlock",
    type: "integer",
    value: "SECONDS",
    help: "a lock so old is stale; 0: none is (default 600)",
  },
  {
    name: "maxtemp",
    type: "integer",
    value: "SECONDS",
    help: "what is temporary for so long is stale; 0: nothing is (default 300)",
  },
] as const satisfies readonly OptionEntry[];

/** The limits that were given. */
export const limitsOf = ({
  maxlock,
  maxtemp,
}: {
  maxlock?: number | undefined;
  maxtemp?: number | undefined;
}) => ({ ...(maxlock !== undefined && { maxlock }), ...(maxtemp !== undefined && { maxtemp }) });

export const purge = command(
  {
    name: "purge",
    summary: "Remove what crashed processes left behind: temporary files, stale locks, empty directories.",
    operands: "QUEUE",
    options: [...staleOptions, jsonOption],
  },
  async ({ options, operands, log, signal, streams }) => {
    const path = onlyQueue(operands);
    const queue = openQueue({ type: inspectQueue(path).type, path, create: false });
    const bar = new Progress(streams.stderr);
    const progress = (report: Readonly<PurgeReport>) => bar.show(() => `purging: ${showPurge(report)}`);
    try {
      const report = await queue.purge({ ...limitsOf(options), progress, signal });
      bar.clear();
      await write(streams.stdout, `${options.json ? JSON.stringify(report) : showPurge(report)}\n`);
      return undefined;
    } catch (error) {
      bar.clear();
      if (!signal.aborted) throw error;
      log.warn("stopped before the end");
      return ExitStatus.temporary;
    }
  },
);

export const showPurge = ({ locks, temporary, directories }: Readonly<PurgeReport>): string =>
  `${locks} locks, ${temporary} temporary, ${directories} empty directories removed`;
