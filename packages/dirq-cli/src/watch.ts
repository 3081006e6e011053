import { watchQueue } from "@spoolwire/dirq";
import { command } from "./command.js";
import { queueOperands } from "./operands.js";
import { jsonOption } from "./options.js";
import { Output } from "./output.js";

export const watch = command(
  {
    name: "watch",
    summary: "Write a line for each element that is added, locked, unlocked or removed, as it happens.",
    operands: "QUEUE…",
    options: [
      { name: "count", type: "integer", short: "c", value: "N", min: 1, help: "stop after so many lines" },
      jsonOption,
    ],
  },
  async ({ options, operands, signal, streams }) => {
    const paths = queueOperands(operands);
    const output = new Output(streams.stdout);
    const most = options.count ?? Infinity;
    const enough = new AbortController();
    let count = 0;

    async function follow(queue: string): Promise<void> {
      try {
        for await (const { what, name } of watchQueue(queue, {
          signal: AbortSignal.any([signal, enough.signal]),
        })) {
          if (++count > most) return;
          const time = new Date().toISOString();
          const words = paths.length > 1 ? [time, what, queue, name] : [time, what, name];
          await output.write(
            `${options.json ? JSON.stringify({ time, queue, what, name }) : words.join(" ")}\n`,
          );
          if (count >= most) enough.abort();
        }
      } finally {
        // Whatever ended this one ends the others.
        enough.abort();
      }
    }

    await Promise.all(paths.map(follow));
    return undefined;
  },
);
