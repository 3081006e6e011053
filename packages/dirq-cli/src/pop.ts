import { setTimeout as sleep } from "node:timers/promises";
import { DqsQueue, MessageError } from "@spoolwire/message";
import { ConfigError, ExitStatus, type Invocation, type OptionEntry } from "@spoolwire/program";
import { queueOperand } from "./operands.js";

export const popOptions = [
  { name: "count", type: "integer", short: "c", value: "N", default: 1, help: "how many elements; 0: all" },
  {
    name: "wait",
    type: "number",
    value: "SECONDS",
    default: 0,
    help: "when there is none, wait so long for one",
  },
  { name: "body", type: "boolean", help: "the elements are messages: write their bodies" },
  {
    name: "statistics",
    type: "boolean",
    short: "s",
    help: "tell how many elements were taken, and how fast",
  },
] as const satisfies readonly OptionEntry[];

/** How often an empty queue is looked at again, milliseconds. */
const RESCAN_MS = 50;

/** `dirq pop QUEUE`: write elements to standard output and remove each once it is written. */
export async function pop({
  options,
  operands,
  log,
  signal,
}: Invocation<typeof popOptions>): Promise<number> {
  const { path, rest } = queueOperand(operands);
  if (rest.length > 0) throw new ConfigError(`Unexpected argument "${rest[0]}"`);
  const queue = new DqsQueue({ path, create: options.wait > 0 });
  const most = options.count || Infinity;
  const malformed = new Set<string>();
  const started = performance.now();
  let count = 0;
  let last = started;

  /** False: the element is malformed, and stays. */
  async function take(name: string): Promise<boolean> {
    try {
      await write(options.body ? queue.getMessage(name).body : queue.get(name));
    } catch (error) {
      queue.unlock(name, true);
      if (!(error instanceof MessageError)) throw error;
      malformed.add(name);
      log.error(`${error.message}; it stays where it is`);
      return false;
    }
    queue.remove(name);
    return true;
  }

  while (count < most && !signal.aborted) {
    for (const name of queue) {
      if (count >= most || signal.aborted) break;
      if (malformed.has(name) || !queue.lock(name) || !(await take(name))) continue;
      count++;
      last = performance.now();
    }
    if (performance.now() - last >= options.wait * 1000) break;
    await sleep(RESCAN_MS);
  }
  if (options.statistics) {
    log.info(`took ${count} elements in ${((last - started) / 1000).toFixed(3)} seconds`);
  }
  if (malformed.size > 0) return ExitStatus.dataError;
  return count === 0 || count < options.count ? ExitStatus.nothing : ExitStatus.ok;
}

/** Resolves when the reader of our output has the bytes (or the kernel, if it is a pipe). */
function write(bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
