import type { Readable, Writable } from "node:stream";
import { Command, CommanderError, Option } from "commander";
import { ConfigError } from "./errors.js";
import { ExitStatus, exitStatusOf } from "./exit.js";
import { findLauncher, type Launcher } from "./daemon.js";
import { ProgramLog, streamTarget } from "./log.js";
import {
  checkValues,
  type GivenOption,
  type OptionEntry,
  type OptionValues,
  type Relation,
} from "./options.js";
import { listenToSignals, type Signals } from "./signals.js";

/** What a program is: all that its command line and its help need. */
export interface ProgramSpec<Entries extends readonly OptionEntry[]> {
  readonly name: string;
  readonly version: string;
  /** One sentence for the help. */
  readonly summary: string;
  readonly options: Entries;
  readonly relations?: readonly Relation[];
  /** How the operands are called in the help, as `QUEUE [FILE…]`; without it there are none. */
  readonly operands?: string;
}

/** The options that every program has. */
export const standardOptions = [
  { name: "debug", type: "counter", short: "d", help: "tell more; may be repeated" },
  { name: "help", type: "boolean", short: "h", help: "show this help" },
  { name: "list", type: "boolean", short: "l", help: "list the options" },
  { name: "version", type: "boolean", help: "show the version" },
] as const satisfies readonly OptionEntry[];

type Standard = typeof standardOptions;

export interface Invocation<Entries extends readonly OptionEntry[]> {
  readonly options: OptionValues<Entries>;
  readonly operands: readonly string[];
  /** Closed when the program ends. */
  readonly log: ProgramLog;
  /** Aborted when the program is told to stop; a second signal ends it at once. */
  readonly signal: AbortSignal;
  readonly streams: Streams;
  readonly program: RunningProgram;
}

/** What `runService` needs beyond what every program does. */
export interface RunningProgram {
  readonly name: string;
  /** The command line, as it came. */
  readonly argv: readonly string[];
  readonly signals: Signals;
  /** Who waits for us, if we were started in the background. */
  readonly launcher: Launcher | undefined;
}

/** The standard streams of a program: those of the process, or what a caller within it has instead. */
export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Terminal;
  readonly stderr: Terminal;
}

/** A stream that may be a terminal, and then has a size. */
export type Terminal = Writable & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

/**
 * Run a program: read its command line, do what the standard options ask for or else `main`, and turn any
 * error into one line on stderr and an exit status. Nothing else turns errors into statuses.
 * @returns the exit status; `main` may return one, undefined meaning 0
 */
export async function runProgram<const Entries extends readonly OptionEntry[]>(
  spec: ProgramSpec<Entries>,
  argv: readonly string[],
  main: (invocation: Invocation<Entries>) => Promise<number | undefined>,
  streams: Streams = process,
): Promise<number> {
  const { stdout, stderr } = streams;
  const print = (text: string) => (stdout.write(text), ExitStatus.ok);
  const launcher = findLauncher();
  const log = new ProgramLog(launcher ?? streamTarget(spec.name, (line) => void stderr.write(line)));
  const signals = listenToSignals();
  // Who writes to stdout learns of an error by the callback of `write`: the event alone must not end us.
  stdout.on("error", ignore);
  try {
    const entries: readonly OptionEntry[] = [...spec.options, ...standardOptions];
    const command = buildCommand(spec, entries);
    const { given, operands } = readArguments(spec, command, entries, argv);
    const asked = (name: string) => given.some((option) => option.name === name);
    if (asked("help")) return print(command.helpInformation());
    if (asked("version")) return print(`${spec.name} ${spec.version}\n`);
    if (asked("list")) return print(entries.map((entry) => `--${entry.name}\n`).join(""));
    const options = checkValues(entries, spec.relations ?? [], given) as OptionValues<Entries> &
      OptionValues<Standard>;
    log.debugLevel = options.debug ?? 0;
    const program = { name: spec.name, argv, signals, launcher };
    const invocation = { options, operands, log, signal: signals.stopping, streams, program };
    return (await main(invocation)) ?? ExitStatus.ok;
  } catch (error) {
    // The reader of our output has enough: that is nothing to tell of.
    if (isBrokenPipe(error)) return ExitStatus.brokenPipe;
    if (error instanceof ConfigError) log.error(`${error.message} (see ${spec.name} --help)`);
    else log.error(error instanceof Error ? error.message : String(error));
    const status = exitStatusOf(error);
    if (status === ExitStatus.software && error instanceof Error) log.debug(error.stack ?? "");
    return status;
  } finally {
    stdout.off("error", ignore);
    signals.done();
    await log.target.close?.();
  }
}

const ignore = () => undefined;

function isBrokenPipe(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code === "EPIPE" && syscall === "write";
}

function buildCommand(spec: ProgramSpec<readonly OptionEntry[]>, entries: readonly OptionEntry[]): Command {
  const command = new Command(spec.name)
    .description(spec.summary)
    .usage(`[OPTION…]${spec.operands ? ` ${spec.operands}` : ""}`)
    .helpOption(false)
    .helpCommand(false)
    .allowExcessArguments(true)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  for (const entry of entries) {
    const takesValue = entry.type !== "boolean" && entry.type !== "counter";
    const value = takesValue
      ? ` <${entry.value ?? entry.choices?.join("|") ?? (entry.type === "properties" ? "KEY=VALUE…" : "VALUE")}>`
      : "";
    const note = entry.default === undefined ? "" : ` (default ${entry.default})`;
    command.addOption(
      new Option(`${entry.short ? `-${entry.short}, ` : ""}--${entry.name}${value}`, entry.help + note),
    );
    if (entry.type === "boolean") command.addOption(new Option(`--no-${entry.name}`).hideHelp());
  }
  return command;
}

/** Commander takes the words apart; values and their checks are ours, so that files can have the same. */
function readArguments(
  spec: ProgramSpec<readonly OptionEntry[]>,
  command: Command,
  entries: readonly OptionEntry[],
  argv: readonly string[],
): { given: GivenOption[]; operands: readonly string[] } {
  const given: GivenOption[] = [];
  for (const { name } of entries) {
    command.on(`option:${name}`, (value: string | null) => given.push({ name, value: value ?? true }));
    command.on(`option:no-${name}`, () => given.push({ name, value: false }));
  }
  try {
    command.parse(normalize(entries, argv), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new ConfigError(error.message.replace(/^error: /, "").replace(/\s*\n\s*/g, " "), { cause: error });
  }
  const [unexpected] = command.args;
  if (spec.operands === undefined && unexpected !== undefined) {
    throw new ConfigError(`Unexpected argument "${unexpected}"`);
  }
  return { given, operands: command.args };
}

/** Aliases become names, and the words that follow `--properties KEY=VALUE` become part of its value. */
function normalize(entries: readonly OptionEntry[], argv: readonly string[]): string[] {
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    if (word === "--") return [...words, ...argv.slice(index)];
    const match = /^--(no-)?([^=]+)(=.*)?$/s.exec(word === "-?" ? "--help" : word);
    const entry = entries.find((e) => e.name === match?.[2] || (match?.[2] && e.aliases?.includes(match[2])));
    if (!match || !entry) {
      words.push(word);
      continue;
    }
    const name = `--${match[1] ?? ""}${entry.name}`;
    if (entry.type !== "properties") {
      words.push(name + (match[3] ?? ""));
      // The word after is a value, whatever it looks like.
      if (
        entry.type !== "boolean" &&
        entry.type !== "counter" &&
        match[3] === undefined &&
        index + 1 < argv.length
      ) {
        words.push(argv[++index] ?? "");
      }
      continue;
    }
    const pairs = match[3] === undefined ? [] : [match[3].slice(1)];
    const isPair = (next: string | undefined) => next !== undefined && /^[^-=][^=]*=/.test(next);
    while (isPair(argv[index + 1])) pairs.push(argv[++index] ?? "");
    // A word that is no pair is the value all the same, so that the error is about it.
    const next = argv[index + 1];
    if (pairs.length === 0 && next !== undefined && (next === "" || !next.startsWith("-")))
      pairs.push(argv[++index] ?? "");
    words.push(`${name}=${pairs.join(" ")}`);
  }
  return words;
}
