import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, excludes, ExitStatus, requires } from "@spoolwire/program";
import { command } from "./command.js";
import { execute } from "./exec.js";
import { formOf } from "./get.js";
import { isBadElement, Outcome } from "./named.js";
import { queueOperand } from "./operands.js";
import { formOptions, statisticsOption, typeOptions } from "./options.js";
import { Output } from "./output.js";
import { openSpool } from "./spool.js";

/** How often an empty queue is looked at again, milliseconds. */
const RESCAN_MS = 50;

export const pop = command(
  {
    name: "pop",
    summary:
      "Take elements: write each to standard output, or hand it to a command, and remove it after that. " +
      "ARG… are the arguments of the command.",
    operands: "QUEUE [ARG…]",
    options: [
      {
        name: "count",
        type: "integer",
        short: "c",
        value: "N",
        default: 1,
        help: "how many elements; 0: all",
      },
      {
        name: "wait",
        type: "number",
        value: "SECONDS",
        default: 0,
        help: "when there is none, wait so long for one",
      },
      ...formOptions,
      {
        name: "exec",
        type: "string",
        value: "CMD",
        help: "run this with each element on its standard input, its name in DIRQ_NAME; remove it if the status is 0",
      },
      { name: "shell", type: "boolean", help: "CMD is a line for the shell, ARG… are its $1, $2, …" },
      ...typeOptions,
      statisticsOption,
    ],
    relations: [excludes("json", "body"), requires("shell", "exec")],
  },
  async ({ options, operands, log, signal, streams }) => {
    const { path, rest: args } = queueOperand(operands);
    const { exec, shell = false } = options;
    if (exec === undefined && args.length > 0) throw new ConfigError(`Unexpected argument "${args[0]}"`);
    const spool = openSpool(path, { ...options, create: options.wait > 0 });
    const { queue } = spool;
    const form = formOf(options);
    const output = new Output(streams.stdout);
    const outcome = new Outcome(log);
    const most = options.count || Infinity;
    const failed = new Set<string>();
    const started = performance.now();
    let last = started;

    /** Returns why the element stays, if it does. */
    async function handle(name: string, input: string | Buffer): Promise<string | undefined> {
      if (exec === undefined) {
        await output.write(input);
        return undefined;
      }
      const env = { DIRQ_QUEUE: path, DIRQ_NAME: name };
      return await execute({ command: exec, args, shell, env, input });
    }

    async function take(name: string): Promise<void> {
      try {
        const why = await handle(name, spool.read(name, form));
        if (why === undefined) {
          queue.remove(name);
          outcome.done++;
          last = performance.now();
          return;
        }
        outcome.failed(`${name} stays: ${exec} ${why}`, ExitStatus.temporary);
      } catch (error) {
        queue.unlock(name, true);
        if (!isBadElement(error)) throw error;
        outcome.malformed(error);
      }
      queue.unlock(name, true);
      failed.add(name);
    }

    while (outcome.done < most && !signal.aborted) {
      for (const name of queue) {
        if (outcome.done >= most || signal.aborted) break;
        if (!failed.has(name) && queue.lock(name)) await take(name);
      }
      if (performance.now() - last >= options.wait * 1000) break;
      await sleep(RESCAN_MS);
    }
    if (options.statistics) {
      log.info(`took ${outcome.done} elements in ${((last - started) / 1000).toFixed(3)} seconds`);
    }
    const isShort = outcome.done === 0 || outcome.done < options.count;
    return outcome.status || (isShort ? ExitStatus.nothing : ExitStatus.ok);
  },
);
