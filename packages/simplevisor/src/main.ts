import { ConfigError, ExitStatus, runProgram, write, type Streams } from "@spoolwire/program";
import type { Answer } from "./control.js";
import { giveOrder } from "./control.js";
import { checkTree, drawTree } from "./draw.js";
import type { ChildReport } from "./child.js";
import { atRest, NOT_RUNNING } from "./offline.js";
import {
  checkConfiguration,
  commands,
  entriesOf,
  program,
  type CommandName,
  type Simplevisor,
} from "./options.js";
import { placeOf, socketOf } from "./place.js";
import { askPidFile, single, supervise } from "./supervise.js";

/** What is asked of a child by its path. */
const ofChildren: readonly CommandName[] = [
  "start",
  "stop",
  "restart",
  "status",
  "check",
  "restart_child",
  "logs",
  "tree",
];

/** The program `simplevisor`. @returns the exit status */
export function main(argv: readonly string[], streams: Streams = process): Promise<number> {
  const work = async (invocation: Simplevisor): Promise<number> => {
    const { operands, options, log, signal } = invocation;
    const [word, path, ...others] = operands;
    const command = checkCommand(word, options);
    if (command === "help") return await main(["--help"], streams);
    if (others.length > 0) throw new ConfigError(`Expected a command and a path, got "${others[0]}" too`);
    if (path !== undefined && !ofChildren.includes(command)) {
      throw new ConfigError(`Expected ${command} without a path, got "${path}"`);
    }
    if (command === "check_configuration") {
      checkConfiguration(options, invocation.tree);
      await write(streams.stdout, "Configuration is valid.\n");
      return ExitStatus.ok;
    }
    if (path === undefined && asksPidFile(options)) return await askPidFile(invocation);
    const spec = entriesOf(invocation.tree);
    const place = placeOf(invocation.tree!.at.file, options.rundir);
    // A lone service that has commands of its own is a thing to be started and stopped, as in the original.
    const isLone = spec.kind === "service" && spec.form.kind !== "run";
    const target = path ?? (isLone ? spec.name : undefined);
    if (target === undefined && command === "start") return await supervise(invocation, spec, place);
    if (command === "single") return await single(invocation, spec, place);
    const order = {
      command: command === "restart_child" ? "restart" : command,
      ...(target !== undefined && { path: target }),
      ...(options.follow && { follow: true }),
    };
    let shown: Promise<void> | undefined;
    const readerGone = new AbortController();
    const show = (answer: Answer) => {
      shown = write(streams.stdout, textOf(answer, command, options.json));
      void shown.catch(() => readerGone.abort());
    };
    const ending = AbortSignal.any([signal, readerGone.signal]);
    const last = await giveOrder(socketOf(place), order, show, ending);
    await shown;
    if (!last) return await atRest(invocation, spec, place, command, target);
    if (last.words !== undefined) {
      if (last.status !== ExitStatus.ok && last.status !== NOT_RUNNING) log.error(last.words);
      else if (!options.json) await write(streams.stdout, `${last.words}\n`);
      else if (!shown) await write(streams.stdout, `${JSON.stringify({ words: last.words })}\n`);
    }
    return last.status;
  };
  return runProgram(program, argv, work, streams);
}

function checkCommand(
  word: string | undefined,
  given: { readonly quit?: boolean | undefined; readonly status?: boolean | undefined },
): CommandName {
  if (word === undefined && asksPidFile(given)) return "start";
  if (word !== undefined && Object.hasOwn(commands, word)) return word as CommandName;
  const got = word === undefined ? "none" : `"${word}"`;
  throw new ConfigError(`Expected one of the commands ${Object.keys(commands).join(", ")}, got ${got}`);
}

const asksPidFile = (given: {
  readonly quit?: boolean | undefined;
  readonly status?: boolean | undefined;
}): boolean => Boolean(given.quit ?? given.status);

/** What is shown of an answer. */
function textOf(answer: Answer, command: CommandName, asJson = false): string {
  if (asJson) return `${JSON.stringify("report" in answer ? answer.report : answer)}\n`;
  if ("line" in answer) return `${answer.line}\n`;
  if ("report" in answer && command === "tree") return drawTree(answer.report as ChildReport);
  if ("report" in answer && command === "check") return checkTree(answer.report as ChildReport).text;
  return "";
}
