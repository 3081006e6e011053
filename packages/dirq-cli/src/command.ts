import {
  commandCompletion,
  ExitStatus,
  runProgram,
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
  if (name === "--help" || name === "-h" || name === "--version") {
    streams.stdout.write(name === "--version" ? `${program} ${version}\n` : usage(program, commands));
    return ExitStatus.ok;
  }
  if (name === "--completion" && rest[0] === "bash") {
    const names = commands.map((command) => command.name);
    streams.stdout.write(commandCompletion(program, names));
    return ExitStatus.ok;
  }
  const got = name === undefined ? "none" : `"${name}"`;
  streams.stderr.write(`${program}: Expected a command, got ${got} (see ${program} --help)\n`);
  return ExitStatus.usage;
}

function usage(program: string, commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}\n`).join("");
  return `Usage: ${program} COMMAND [OPTION…] QUEUE …\n\nCommands (each has --help):\n${list}`;
}
