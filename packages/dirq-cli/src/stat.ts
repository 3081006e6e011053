import { inspectQueue, openQueue, type Survey } from "@spoolwire/dirq";
import { command } from "./command.js";
import { queueOperands } from "./operands.js";
import { jsonOption } from "./options.js";
import { Output } from "./output.js";
import { renderTable, showBytes, showSeconds } from "./table.js";

export const count = command(
  {
    name: "count",
    summary: "Write the number of elements, locked ones included.",
    operands: "QUEUE…",
    options: [],
  },
  async ({ operands, streams }) => {
    const output = new Output(streams.stdout);
    const paths = queueOperands(operands);
    for (const path of paths) {
      const queue = openQueue({ type: inspectQueue(path).type, path, create: false });
      await output.line(paths.length > 1 ? `${queue.count()} ${path}` : `${queue.count()}`);
    }
    await output.flush();
    return undefined;
  },
);

export const stat = command(
  {
    name: "stat",
    summary: "Tell how queues stand: elements, locks, ages, what is temporary.",
    operands: "QUEUE…",
    options: [
      { name: "bytes", type: "boolean", help: "add up the sizes too, which is a look at each element" },
      jsonOption,
    ],
  },
  async ({ options, operands, signal, streams }) => {
    const output = new Output(streams.stdout);
    const rows: string[][] = [];
    for (const path of queueOperands(operands)) {
      const state = await stateOf(path, { bytes: options.bytes ?? false, signal });
      if (options.json) await output.line(JSON.stringify(state));
      else rows.push(asRow(state));
    }
    if (!options.json) for (const line of renderTable(HEADING, rows)) await output.line(line);
    await output.flush();
    return undefined;
  },
);

/** How a queue stands; ages in seconds. */
export interface QueueState {
  readonly queue: string;
  readonly type: "simple" | "normal";
  readonly elements: number;
  readonly locked: number;
  readonly temporary: number;
  readonly directories: number;
  readonly quarantined: number;
  readonly oldest?: number;
  readonly newest?: number;
  readonly bytes?: number;
}

/** Look at a queue. */
export async function stateOf(
  path: string,
  options: { readonly bytes?: boolean; readonly signal: AbortSignal },
): Promise<QueueState> {
  const inspector = inspectQueue(path);
  const survey = await inspector.survey(options);
  const { elements, locked, temporary, directories, quarantined, bytes } = survey;
  return {
    ...{ queue: path, type: inspector.type, elements, locked, temporary, directories, quarantined },
    ...ages(survey),
    ...(bytes !== undefined && { bytes }),
  };
}

function ages({ oldest, newest }: Survey): { oldest?: number; newest?: number } {
  if (oldest === undefined || newest === undefined) return {};
  const age = (time: number) => Math.round((Date.now() / 1000 - time) * 1000) / 1000;
  return { oldest: age(oldest), newest: age(newest) };
}

const HEADING = [
  "queue",
  "type",
  "elements",
  "locked",
  "temporary",
  "dirs",
  "quarantined",
  "oldest",
  "newest",
  "bytes",
];

const asRow = (state: QueueState): string[] => [
  ...[state.queue, state.type],
  ...[state.elements, state.locked, state.temporary, state.directories, state.quarantined].map(String),
  ...[showSeconds(state.oldest), showSeconds(state.newest), showBytes(state.bytes)],
];
