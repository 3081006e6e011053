import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { SimpleQueue } from "@spoolwire/dirq";
import { Message } from "@spoolwire/message";
import type { Invocation, OptionEntry } from "@spoolwire/program";
import { readLines, readWhole } from "./input.js";
import { queueOperand } from "./operands.js";

export const addOptions = [
  { name: "lines", type: "boolean", help: "make an element of each line, its end included, instead of all" },
  {
    name: "header",
    type: "properties",
    help: "make messages with this header, the input being their bodies",
  },
  {
    name: "statistics",
    type: "boolean",
    short: "s",
    help: "tell how many elements were added, and how fast",
  },
] as const satisfies readonly OptionEntry[];

/** `dirq add QUEUE [FILE…]`: from files, or standard input, into a queue. */
export async function add({
  options,
  operands,
  log,
  signal,
}: Invocation<typeof addOptions>): Promise<undefined> {
  const { path, rest } = queueOperand(operands);
  const queue = new SimpleQueue({ path });
  const started = performance.now();
  let count = 0;
  const inputs = rest.length > 0 ? rest.map((file) => createReadStream(file)) : [process.stdin];
  for (const input of inputs) {
    const bodies = options.lines ? readLines(input) : readWhole(input);
    for await (const body of bodies) {
      signal.throwIfAborted();
      queue.add(
        options.header ? new Message({ header: options.header, body: asBody(body) }).stringify() : body,
      );
      count++;
    }
  }
  if (options.statistics) {
    const seconds = (performance.now() - started) / 1000;
    log.info(`added ${count} elements in ${seconds.toFixed(3)} seconds`);
  }
  return undefined;
}

/** Text where it is, so that people can read the spool; bytes stay the same either way. */
const asBody = (body: Buffer): string | Buffer => (isUtf8(body) ? body.toString("utf8") : body);
