import type { Readable, Writable } from "node:stream";
import type { Command } from "commander";
import { buildCommand, helpText, readArguments } from "./command-line.js";
import { completion, shells } from "./completion.js";
import {
  configurationOptions,
  readFileOptions,
  salvageFileOptions,
  type ConfigurationSpec,
} from "./configuration.js";
import type { ConfigBlock } from "./config-tree.js";
import { ConfigError, describeProblem } from "./errors.js";
import { findLauncher, type Launcher } from "./daemon.js";
import { ExitStatus, exitStatusOf } from "./exit.js";
import { ProgramLog, streamTarget, type Logger } from "./log.js";
import { manualPage, showManual } from "./manual.js";
import {
  resolveValues,
  type GivenOption,
  type OptionEntry,
  type OptionValues,
  type Relation,
} from "./options.js";
import { printConfig } from "./print-config.js";
import { listenToSignals, type Signals } from "./signals.js";
import { surviveErrors, write } from "./write.js";

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
  /** What the first operand may be, each with its help. */
  readonly commands?: Readonly<Record<string, string>>;
  /** What blocks of its configuration may say beside options, for the manual: the keys of each, by what it is called. */
  readonly keys?: Readonly<Record<string, readonly OptionEntry[]>>;
  /** The first operand is a command: what follows it is the command's, whatever it looks like. */
  readonly isCommandLast?: boolean;
  /** It has `--config FILE` and what belongs to it. */
  readonly configuration?: ConfigurationSpec;
  /**
   * What the table does not know of its values: for `--check`, and when they are read again. Nothing is changed.
   * @throws ConfigError with all that is wrong
   */
  check?(options: OptionValues<Entries>, log: Logger, tree: ConfigBlock | undefined): void | Promise<void>;
}

/** The options that every program has. */
export const standardOptions = [
  { name: "debug", type: "counter", short: "d", help: "tell more; may be repeated" },
  { name: "help", type: "boolean", short: "h", notInFiles: true, help: "show this help" },
  { name: "list", type: "boolean", short: "l", notInFiles: true, help: "list the options" },
  {
    name: "manual",
    type: "boolean",
    short: "m",
    notInFiles: true,
    help: "show the manual page; to a pipe, its source",
  },
  {
    name: "completion",
    type: "string",
    choices: shells,
    notInFiles: true,
    help: "write a completion script for a shell",
  },
  { name: "version", type: "boolean", notInFiles: true, help: "show the version" },
] as const satisfies readonly OptionEntry[];

type Standard = typeof standardOptions;

export interface Invocation<Entries extends readonly OptionEntry[]> {
  readonly options: OptionValues<Entries>;
  readonly operands: readonly string[];
  /** What the configuration file holds, options and all else; undefined: there is none. */
  readonly tree: ConfigBlock | undefined;
  /** Closed when the program ends. */
  readonly log: ProgramLog;
  /** Aborted when the program is told to stop; a second signal ends it at once. */
  readonly signal: AbortSignal;
  readonly streams: Streams;
  readonly program: RunningProgram;
  /**
   * Read the command line and its configuration file once more, check it, and hand the options to `use`.
   * @returns what `use` does; undefined if anything throws, and then all that is wrong is logged
   */
  reread<Result>(
    use: (options: OptionValues<Entries>, tree: ConfigBlock | undefined) => Result | Promise<Result>,
  ): Promise<Result | undefined>;
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
  const print = async (text: string) => {
    await write(stdout, text);
    return ExitStatus.ok;
  };
  const launcher = findLauncher();
  const log = new ProgramLog(launcher ?? streamTarget(spec.name, (line) => void write(stderr, line)));
  const signals = listenToSignals();
  let all: readonly GivenOption[] = [];
  const tell = (error: unknown) => {
    if (error instanceof ConfigError) for (const line of describe(error, all, spec.name)) log.error(line);
    else log.error(error instanceof Error ? error.message : String(error));
  };
  // For good: the last lines of the log come when all else is over.
  for (const stream of [stdout, stderr]) surviveErrors(stream);
  try {
    const entries: readonly OptionEntry[] = [
      ...spec.options,
      ...(spec.configuration ? configurationOptions : []),
      // A command of a program is not completed by itself: to the shell it is an argument.
      ...standardOptions.filter(({ name }) => name !== "completion" || !spec.name.includes(" ")),
    ];
    const command = buildCommand(spec, entries);
    const { given, operands } = readArguments(spec, command, entries, argv);
    const asked = (name: string) => given.findLast((option) => option.name === name)?.value ?? false;
    const answer = answerOf(asked, spec, command, entries);
    if (answer !== undefined) return await print(answer);
    if (asked("manual")) return await showManual(manualPage(spec, entries), stdout);
    // A program can be stopped though its file is being changed.
    const isInstead = entries.some(({ name, instead }) => instead && asked(name)) && !asked("check");
    const readFile = isInstead ? salvageFileOptions : readFileOptions;
    const read = async () => {
      const file = spec.configuration && (await readFile(spec.configuration, entries, given));
      for (const warning of file?.warnings ?? []) log.warn(describeProblem(warning));
      all = [...(file?.given ?? []), ...given];
      const unknown = file?.problems ?? [];
      const { values, problems } = resolveValues(entries, spec.relations ?? [], all, unknown.length > 0);
      if (unknown.length + problems.length > 0) throw new ConfigError([...unknown, ...problems]);
      return { options: values as OptionValues<Entries> & OptionValues<Standard>, tree: file?.tree };
    };
    const { options, tree } = await read();
    log.debugLevel = options.debug ?? 0;
    if (spec.configuration && asked("print-config")) {
      return await print(printConfig(spec.options, options, all, spec.relations));
    }
    if (spec.configuration && asked("check")) {
      await spec.check?.(options, log, tree);
      return await print(`${spec.name}: the configuration is valid\n`);
    }
    const reread = async <Result>(
      use: (options: OptionValues<Entries>, tree: ConfigBlock | undefined) => Result | Promise<Result>,
    ) => {
      try {
        const again = await read();
        await spec.check?.(again.options, log, again.tree);
        return await use(again.options, again.tree);
      } catch (error) {
        tell(error);
        return undefined;
      }
    };
    const program = { name: spec.name, argv, signals, launcher };
    const invocation = { options, operands, tree, log, signal: signals.stopping, streams, program, reread };
    return (await main(invocation)) ?? ExitStatus.ok;
  } catch (error) {
    // The reader of our output has enough: that is nothing to tell of.
    if (isBrokenPipe(error)) return ExitStatus.brokenPipe;
    tell(error);
    const status = exitStatusOf(error);
    if (status === ExitStatus.software && error instanceof Error) log.debug(error.stack ?? "");
    return status;
  } finally {
    signals.done();
    await log.target.close?.();
  }
}

/** What the standard options show, if one of them is given: before anything else is looked at. */
function answerOf(
  asked: (name: string) => string | boolean,
  spec: ProgramSpec<readonly OptionEntry[]>,
  command: Command,
  entries: readonly OptionEntry[],
): string | undefined {
  if (asked("help")) return helpText(spec, command);
  if (asked("version")) return `${spec.name} ${spec.version}\n`;
  if (asked("list")) return entries.map((entry) => `--${entry.name}\n`).join("");
  if (asked("completion") === "bash") {
    return completion(spec.name, entries, Object.keys(spec.commands ?? {}));
  }
  return undefined;
}

/** A line for each problem: file by file in the order of the lines, then those of the command line. */
function describe({ problems }: ConfigError, given: readonly GivenOption[], program: string): string[] {
  const placed = problems.map(({ message, at, option }) => ({
    message,
    at: at ?? given.findLast(({ name }) => name === option)?.at,
  }));
  const files = [
    ...new Set(placed.map(({ at }) => at?.file).filter((file) => file !== undefined)),
    undefined,
  ];
  return files.flatMap((file) =>
    placed
      .filter(({ at }) => at?.file === file)
      .sort((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0))
      .map(({ message, at }) =>
        at ? describeProblem({ message, at }) : `${message} (see ${program} --help)`,
      ),
  );
}

function isBrokenPipe(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code === "EPIPE" && syscall === "write";
}
