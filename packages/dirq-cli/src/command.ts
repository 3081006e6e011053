import {
  commandCompletion,
  ConfigError,
  runProgram,
  write,
  type Invocation,
  type OptionEntry,
  type ProgramSpec,
  type Streams,
} from "@spoolwire/program";

/** One of the words that follow `dirq`. */
export interface Command {
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** @returns the exit status */
  run(program: string, argv: readonly string[], streams: Streams): Promise<number>;
}

const version = "0.1.0";

/** A command from all that its command line and its help need, and what it does. */
export function command<const Entries extends readonly OptionEntry[]>(
  spec: Omit<ProgramSpec<Entries>, "version">,
  work: (invocation: Invocation<Entries>) => Promise<number | undefined>,
): Command {
  const { name, summary } = spec;
  return {
    ...{ name, summary },
    run: (program, argv, streams) =>
      runProgram({ ...spec, version, name: `${program} ${name}` }, argv, work, streams),
  };
}

/** A command that is a family of commands: its first argument is the name of one. */
export function family(name: string, summary: string, commands: readonly Command[]): Command {
  return {
    ...{ name, summary },
    run: (program, argv, streams) => dispatch(`${program} ${name}`, commands, argv, streams),
  };
}

/** Run the command that the first argument names. @returns the exit status */
export async function dispatch(
  program: string,
  commands: readonly Command[],
  argv: readonly string[],
  streams: Streams,
): Promise<number> {
  const [name, ...rest] = argv;
  const found = commands.find((candidate) => candidate.name === name);
  if (found) return await found.run(program, rest, streams);
  const answer = async () => {
    await write(streams.stdout, answerTo(argv, program, commands));
    return undefined;
  };
  return await runProgram({ name: program, version, summary: "", options: [] }, [], answer, streams);
}

/** What is shown if no command is named. @throws ConfigError */
function answerTo([name, shell]: readonly string[], program: string, commands: readonly Command[]): string {
  if (name === "--help" || name === "-h") return usage(program, commands);
  if (name === "--version") return `${program} ${version}\n`;
  if (name === "--completion" && shell === "bash") {
    return commandCompletion(
      program,
      commands.map((command) => command.name),
    );
  }
  const got = name === undefined ? "none" : `"${name}"`;
  throw new ConfigError(`Expected a command, got ${got}`);
}

function usage(program: string, commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join("");
  return `Usage: ${program} COMMAND [OPTION…] QUEUE …\n\nCommands (each has --help):\n${list}`;
}
