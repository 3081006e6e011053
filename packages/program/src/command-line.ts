import { Command, CommanderError, Option } from "commander";
import { ConfigError } from "./errors.js";
import { valueName } from "./manual.js";
import { oneLine } from "./log.js";
import type { GivenOption, OptionEntry } from "./options.js";
import type { ProgramSpec } from "./program.js";

/** The parser of a program's command line, and its help. */
export function buildCommand(
  spec: ProgramSpec<readonly OptionEntry[]>,
  entries: readonly OptionEntry[],
): Command {
  const command = new Command(spec.name)
    .description(spec.summary)
    .usage(`[OPTION…]${spec.operands ? ` ${spec.operands}` : ""}`)
    .helpOption(false)
    .helpCommand(false)
    .allowExcessArguments(true)
    .exitOverride()
    // Beside the longest options of the agents there are 37 columns of 80, and the default asks for 40.
    .configureHelp({ minWidthToWrap: 20 })
    .configureOutput({ writeErr: () => undefined });
  for (const entry of entries) {
    const value = valueName(entry) === undefined ? "" : ` <${valueName(entry)}>`;
    const note = entry.default === undefined ? "" : ` (default ${entry.default})`;
    command.addOption(
      new Option(`${entry.short ? `-${entry.short}, ` : ""}--${entry.name}${value}`, entry.help + note),
    );
    if (entry.type === "boolean") command.addOption(new Option(`--no-${entry.name}`).hideHelp());
  }
  return command;
}

/** The help, and the commands of a program that has any. */
export function helpText({ commands = {} }: ProgramSpec<readonly OptionEntry[]>, command: Command): string {
  const width = Math.max(...Object.keys(commands).map(({ length }) => length));
  const rows = Object.entries(commands).map(([name, help]) => `  ${name.padEnd(width)}  ${help}\n`);
  return command.helpInformation() + (rows.length > 0 ? `\nCommands:\n${rows.join("")}` : "");
}

/**
 * What a command line gives. Commander takes the words apart; values and their checks are ours, so that files can have
 * the same.
 * @throws ConfigError
 */
export function readArguments(
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
    command.parse(normalize(entries, argv, spec.isCommandLast), { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    throw new ConfigError(oneLine(error.message.replace(/^error: /, "")), { cause: error });
  }
  const [unexpected] = command.args;
  if (spec.operands === undefined && unexpected !== undefined) {
    // May be a part of a value that was not quoted, and a secret.
    throw new ConfigError(`Unexpected argument "${unexpected.replace(/=.*/s, "=…")}"`);
  }
  return { given, operands: command.args };
}

/** Aliases become names, and the words that follow `--properties KEY=VALUE` become part of its value. */
function normalize(
  entries: readonly OptionEntry[],
  argv: readonly string[],
  isCommandLast = false,
): string[] {
  const words: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const word = argv[index] ?? "";
    if (word === "--") return [...words, ...argv.slice(index)];
    if (isCommandLast && !word.startsWith("-")) return [...words, "--", ...argv.slice(index)];
    const short = /^-(.)$/.exec(word)?.[1];
    const takesValue =
      short && entries.find((entry) => entry.short === short && valueName(entry) !== undefined);
    if (isCommandLast && takesValue) {
      words.push(word, argv[++index] ?? "");
      continue;
    }
    const match = /^--(no-)?([^=]+)(=.*)?$/s.exec(word === "-?" ? "--help" : word);
    const entry = entries.find((e) => e.name === match?.[2] || (match?.[2] && e.aliases?.includes(match[2])));
    if (!match || !entry || (match[1] && entry.type !== "boolean")) {
      // The value of an option that is misspelt may be a secret: the error is about its name.
      words.push(match?.[3] === undefined ? word : word.slice(0, -match[3].length));
      continue;
    }
    const name = `--${match[1] ?? ""}${entry.name}`;
    if (match[3] !== undefined && valueName(entry) === undefined) {
      throw new ConfigError(`Expected ${name} to be without a value, got one`);
    }
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
