import type { HeldElement } from "@spoolwire/dirq";
import { ConfigError, excludes, ExitStatus, requires } from "@spoolwire/program";
import { Aside } from "./aside.js";
import { command } from "./command.js";
import { execute } from "./exec.js";
import { formOf } from "./get.js";
import { queueOperand } from "./operands.js";
import { formOptions, statisticsOption, typeOptions } from "./options.js";
import { Output } from "./output.js";
import { openSpool } from "./spool.js";

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
      {
        name: "jobs",
        type: "integer",
        short: "j",
        value: "N",
        min: 1,
        help: "run so many at once (default 1)",
      },
      { name: "quarantine", type: "boolean", help: "move an element aside whose command failed" },
      {
        name: "empty",
        type: "boolean",
        help: "take empty elements too; else they are moved aside, as what a power cut has left",
      },
      ...typeOptions,
      statisticsOption,
    ],
    relations: [
      excludes("json", "body"),
      requires("shell", "exec"),
      requires("jobs", "exec"),
      requires("quarantine", "exec"),
    ],
  },
  async ({ options, operands, log, signal, streams }) => {
    const { path, rest: args } = queueOperand(operands);
    const { exec, shell = false } = options;
    if (exec === undefined && args.length > 0) throw new ConfigError(`Unexpected argument "${args[0]}"`);
    const spool = openSpool(path, { ...options, create: options.wait > 0 });
    const output = new Output(streams.stdout);
    const most = options.count || Infinity;
    const jobs = options.jobs ?? 1;
    const aside = new Aside(log);
    const failed = new Set<string>();
    const stop = new AbortController();
    const running = new Set<Promise<void>>();
    const started = performance.now();
    let [count, last] = [0, started];

    /** Returns why the command failed, if it did. */
    async function handle({ name, content }: HeldElement<string | Buffer>): Promise<string | undefined> {
      if (exec !== undefined) {
        const env = { DIRQ_QUEUE: path, DIRQ_NAME: name };
        return await execute({ command: exec, args, shell, env, input: content });
      }
      await output.write(content);
      return undefined;
    }

    async function take(element: HeldElement<string | Buffer>): Promise<void> {
      const { name } = element;
      try {
        const why = await handle(element);
        if (why === undefined) {
          failed.delete(name);
          element.done();
          count++;
          last = performance.now();
        } else if (options.quarantine) {
          const quarantined = element.quarantine(`${exec} ${why}`);
          if (quarantined !== undefined) aside.moved(name, quarantined, `${exec} ${why}`);
        } else {
          // It may come again every second: told once.
          if (!failed.has(name)) log.error(`${name} stays: ${exec} ${why}`);
          failed.add(name);
          element.release();
        }
      } catch (error) {
        element.release();
        stop.abort(error);
      }
    }

    const consumed = spool.consume(formOf(options), {
      signal: AbortSignal.any([signal, stop.signal]),
      prefetch: jobs,
      wait: options.wait,
      allowEmpty: options.empty ?? false,
      onEvent: aside.event,
    });
    for await (const element of consumed) {
      // What failed comes again, a second later: that is no reason to wait for longer.
      if (failed.has(element.name) && performance.now() - last >= options.wait * 1000) {
        element.release();
        break;
      }
      const job = take(element).finally(() => running.delete(job));
      running.add(job);
      while (running.size > 0 && running.size >= Math.min(jobs, most - count)) await Promise.race(running);
      if (count >= most) break;
    }
    await Promise.all(running);
    if (stop.signal.aborted) throw stop.signal.reason;
    if (options.statistics) {
      log.info(`took ${count} elements in ${((last - started) / 1000).toFixed(3)} seconds`);
    }
    if (failed.size > 0) return ExitStatus.temporary;
    if (aside.status !== ExitStatus.ok) return aside.status;
    return count === 0 || count < options.count ? ExitStatus.nothing : ExitStatus.ok;
  },
);
