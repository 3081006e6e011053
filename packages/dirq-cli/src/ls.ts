import { inspectQueue, openQueue, type ElementState } from "@spoolwire/dirq";
import { ExitStatus } from "@spoolwire/program";
import { command } from "./command.js";
import { onlyQueue } from "./operands.js";
import { jsonOption } from "./options.js";
import { Output } from "./output.js";
import { showSeconds } from "./table.js";

export const ls = command(
  {
    name: "ls",
    summary: "Write the names of the elements, in order, as they are found.",
    operands: "QUEUE",
    options: [
      { name: "long", type: "boolean", help: "with size, age, and how long each has been locked" },
      jsonOption,
    ],
  },
  async ({ options, operands, signal, streams }) => {
    const path = onlyQueue(operands);
    const inspector = inspectQueue(path);
    const queue = openQueue({ type: inspector.type, path, create: false });
    const output = new Output(streams.stdout);
    for (const name of queue) {
      if (signal.aborted) return ExitStatus.temporary;
      if (!options.long && !options.json) {
        await output.line(name);
        continue;
      }
      const state = inspector.element(name);
      // RACE: removed since its directory was read.
      if (state) await output.line(options.json ? asJson(name, state) : asLine(name, state));
    }
    await output.flush();
    return undefined;
  },
);

const since = (time: number) => Date.now() / 1000 - time;

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

const asJson = (name: string, { size, added, lockedSince }: ElementState) =>
  JSON.stringify({
    ...{ name, size, added: iso(added), locked: lockedSince !== undefined },
    ...(lockedSince !== undefined && { lockedSince: iso(lockedSince) }),
  });

/** In columns of a fixed width: what comes later is not known yet. */
const asLine = (name: string, { size, added, lockedSince }: ElementState) =>
  `${name} ${String(size).padStart(10)} ${showSeconds(since(added)).padStart(7)}` +
  (lockedSince === undefined ? "" : ` locked ${showSeconds(since(lockedSince))}`);
