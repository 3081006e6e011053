import {
  ConfigError,
  ExitStatus,
  Progress,
  type Invocation,
  type OptionEntry,
  type OptionValues,
} from "@spoolwire/program";
import { Aside } from "./aside.js";
import { command, type Command } from "./command.js";
import { demandTwo, ferry, FERRY_PREFETCH, lockNamed, type Passenger } from "./ferry.js";
import { Outcome } from "./named.js";
import { elementNames, queueOperand } from "./operands.js";
import { addingOptions, lockedOption, statisticsOption, typeOptions } from "./options.js";
import { openSpool, type Spool } from "./spool.js";

const crossingOptions = [
  {
    name: "to",
    type: "string",
    choices: ["simple", "normal", "DQS", "DQN"],
    help: "the type of the second queue, if it is not there yet (default simple)",
  },
  ...addingOptions,
  ...typeOptions,
] as const satisfies readonly OptionEntry[];

/** The queues of a crossing. What is removed from the first is safe on the disk in the second, unless told. */
function openBoth(
  fromPath: string,
  toPath: string,
  options: OptionValues<typeof crossingOptions>,
  keep: boolean,
): { from: Spool; to: Spool } {
  const { type, schema, to: toType, compression, durability = keep ? "none" : "full" } = options;
  const from = openSpool(fromPath, { type, schema });
  const to = openSpool(toPath, { type: toType, schema, compression, durability, create: true });
  demandTwo(from, to);
  return { from, to };
}

const namedOptions = [lockedOption, ...crossingOptions] as const satisfies readonly OptionEntry[];

async function cross(
  { options, operands, log, streams }: Invocation<typeof namedOptions>,
  keep: boolean,
): Promise<number> {
  const { path, rest } = queueOperand(operands);
  const target = rest.at(-1);
  if (target === undefined) throw new ConfigError("Expected the directory of a second queue, got none");
  const { from, to } = openBoth(path, target, options, keep);
  // Bytes are kept as they are where both queues have nothing else.
  const form = from.type === "simple" && to.type === "simple" ? "content" : "json";
  const outcome = new Outcome(log);
  const names = elementNames(rest.slice(0, -1), streams.stdin);
  const isHeld = options.locked ?? false;
  await ferry(lockNamed(from, names, { form, isHeld, outcome }), { to, form, keep, outcome });
  return outcome.status;
}

function crossing(name: string, summary: string, keep: boolean): Command {
  return command({ name, summary, operands: "QUEUE NAME… QUEUE", options: namedOptions }, (invocation) =>
    cross(invocation, keep),
  );
}

export const mv = crossing("mv", "Move elements to another queue.", false);
export const cp = crossing("cp", "Copy elements to another queue.", true);

export const convert = command(
  {
    name: "convert",
    summary: "Move all messages to a queue of another type or compression.",
    operands: "QUEUE QUEUE",
    options: [
      { name: "keep", type: "boolean", help: "leave them in the first queue too" },
      ...crossingOptions,
      statisticsOption,
    ],
  },
  async ({ options, operands, log, signal, streams }) => {
    const { path, rest } = queueOperand(operands);
    if (rest.length !== 1) throw new ConfigError(`Expected two queues, got ${operands.length}`);
    const keep = options.keep ?? false;
    const { from, to } = openBoth(path, rest[0]!, options, keep);
    const outcome = new Outcome(log);
    const aside = new Aside(log);
    const bar = new Progress(streams.stderr);
    const started = performance.now();
    const consumed = keep
      ? lockNamed(from, from.queue, { form: "json", isHeld: false, outcome })
      : from.consume("json", { signal, prefetch: FERRY_PREFETCH, wait: 0, onEvent: aside.event });
    const counted = async function* (passengers: AsyncIterable<Passenger>): AsyncIterable<Passenger> {
      for await (const passenger of passengers) {
        if (signal.aborted) return passenger.release();
        bar.show(() => `converting: ${outcome.done} messages`);
        yield passenger;
      }
    };
    try {
      await ferry(counted(consumed), { to, form: "json", keep, outcome });
    } finally {
      bar.clear();
    }
    const left = keep ? 0 : from.queue.count();
    if (left > 0)
      outcome.failed(`${left} messages were locked by others, or came late, and stay`, ExitStatus.temporary);
    if (options.statistics) {
      const seconds = (performance.now() - started) / 1000;
      log.info(`converted ${outcome.done} messages in ${seconds.toFixed(3)} seconds`);
    }
    return Math.max(outcome.status, aside.status);
  },
);
