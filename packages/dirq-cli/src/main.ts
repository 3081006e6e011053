import { ExitStatus, runProgram } from "@spoolwire/program";
import { add, addOptions } from "./add.js";
import { pop, popOptions } from "./pop.js";

const version = "0.1.0";

interface Command {
  readonly summary: string;
  run(argv: readonly string[]): Promise<number>;
}

const commands: Readonly<Record<string, Command>> = {
  add: command("add", "Add elements to a queue.", (spec, argv) =>
    runProgram({ ...spec, options: addOptions, operands: "QUEUE [FILE…]" }, argv, add),
  ),
  pop: command("pop", "Take elements from a queue.", (spec, argv) =>
    runProgram({ ...spec, options: popOptions, operands: "QUEUE" }, argv, pop),
  ),
};

function command(
  name: string,
  summary: string,
  run: (spec: { name: string; version: string; summary: string }, argv: readonly string[]) => Promise<number>,
): Command {
  return { summary, run: (argv) => run({ name: `dirq ${name}`, version, summary }, argv) };
}

/** The program `dirq`. @returns the exit status */
export async function main(argv: readonly string[]): Promise<number> {
  const [name = "", ...rest] = argv;
  const found = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (found) return await found.run(rest);
  const list = Object.entries(commands).map(([key, { summary }]) => `  ${key.padEnd(6)} ${summary}`);
  const usage = `Usage: dirq COMMAND [OPTION…] QUEUE …\n\nCommands (each has --help):\n${list.join("\n")}\n`;
  if (name === "--help" || name === "-h") {
    process.stdout.write(usage);
    return ExitStatus.ok;
  }
  if (name === "--version") {
    process.stdout.write(`dirq ${version}\n`);
    return ExitStatus.ok;
  }
  const got = name === "" ? "none" : `"${name}"`;
  process.stderr.write(
    `dirq: Expected a command (${Object.keys(commands).join(", ")}), got ${got} (see dirq --help)\n`,
  );
  return ExitStatus.usage;
}
