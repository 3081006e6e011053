import { spawnSync } from "node:child_process";
import { ExitStatus } from "./exit.js";
import type { OptionEntry } from "./options.js";
import type { ProgramSpec, Terminal } from "./program.js";
import { write } from "./write.js";

/** What stands for an option's value, and whether there is any. */
export function valueName({ type, value, choices }: OptionEntry): string | undefined {
  if (type === "boolean" || type === "counter") return undefined;
  return value ?? choices?.join("|") ?? (type === "properties" ? "KEY=VALUE…" : "VALUE");
}

const statuses: Readonly<Record<number, string>> = {
  [ExitStatus.ok]: "done",
  [ExitStatus.nothing]: "there was nothing to do it on",
  [ExitStatus.usage]: "an option, an argument or the configuration is wrong",
  [ExitStatus.dataError]: "a message or a file is not what it should be",
  [ExitStatus.noInput]: "a file or directory is not there",
  [ExitStatus.unavailable]: "a broker cannot be reached, or went away",
  [ExitStatus.software]: "a fault of the program",
  [ExitStatus.ioError]: "the disk fails, is full, or is read-only",
  [ExitStatus.temporary]: "not finished, worth another try",
  [ExitStatus.protocol]: "the other side broke or refuses the protocol",
  [ExitStatus.noPermission]: "not allowed, by the file system or by the broker",
};

/** A program's manual page in roff, for `man -l`, made from its table. */
export function manualPage(
  spec: ProgramSpec<readonly OptionEntry[]>,
  entries: readonly OptionEntry[],
): string {
  const { name, version, summary, operands } = spec;
  const sections = [
    `.TH "${name.toUpperCase()}" 1 "" "${name} ${version}"`,
    section("NAME", `${roff(name)} \\- ${roff(lowerFirst(summary))}`),
    section("SYNOPSIS", `.B ${roff(name)}\n[\\fIOPTION\\fR...]${operands ? ` ${roff(operands)}` : ""}`),
    section("DESCRIPTION", roff(summary)),
    ...(spec.commands ? [section("COMMANDS", definitions(spec.commands))] : []),
    section("OPTIONS", entries.map(option).join("\n")),
  ];
  if (spec.configuration)
    sections.push(section("CONFIGURATION FILE", configuration(spec.configuration.root)));
  for (const [title, keys] of Object.entries(spec.keys ?? {})) {
    const rows = keys.map((entry) => [entry.name, entry.help + notes(entry)]);
    sections.push(
      section(title.toUpperCase(), definitions(Object.fromEntries(rows) as Record<string, string>)),
    );
  }
  sections.push(section("EXIT STATUS", definitions(statuses)));
  return `${sections.join("\n")}\n`;
}

const section = (title: string, text: string) => `.SH ${title}\n${text}`;

const definitions = (rows: Readonly<Record<string, string>>) =>
  Object.entries(rows)
    .map(([name, text]) => `.TP\n.B ${roff(name)}\n${roff(text)}`)
    .join("\n");

/** What its table says of it beside the help, in parentheses. */
function notes(entry: OptionEntry, ...others: readonly string[]): string {
  const all = [
    ...others,
    ...(entry.many ? ["may be repeated"] : []),
    ...(entry.default === undefined ? [] : [`default ${entry.default}`]),
  ];
  return all.length > 0 ? ` (${all.join("; ")})` : "";
}

function option(entry: OptionEntry): string {
  const value = valueName(entry);
  const forms = [
    ...(entry.short ? [`-${entry.short}`] : []),
    `--${entry.name}`,
    ...(entry.aliases ?? []).map((alias) => `--${alias}`),
  ].map((form) => `\\fB${roff(form)}\\fR`);
  const isTakenBack = entry.type === "boolean" && !entry.notInFiles;
  const text = entry.help + notes(entry, ...(isTakenBack ? [`taken back by --no-${entry.name}`] : []));
  return `.TP\n${forms.join(", ")}${value === undefined ? "" : ` \\fI${roff(value)}\\fR`}\n${roff(text)}`;
}

function configuration(root: string): string {
  return [
    "Every option that changes what the program does can stand in the file of",
    ".BR \\-\\-config ,",
    "as",
    ".I name = value",
    "in the style of Apache. The parts of a name may be blocks within one another, a value of KEY=VALUE pairs may be a",
    "block, and all of it may be within a block",
    `.BR <${roff(root)}> .`,
    "Comments begin with #; <<include FILE>> includes other files; name = <<END begins a text of several lines.",
    "A file whose name ends in .json, .yaml or .yml holds the same as JSON or YAML.",
    "The command line takes the place of what the file says.",
    ".PP\n.nf",
    roff("<incoming-queue>\n    path = /var/spool/app\n</incoming-queue>\nreliable = true"),
    ".fi",
  ].join("\n");
}

const lowerFirst = (text: string) => text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, "");

/** Text with nothing in it that roff would take for its own. */
const roff = (text: string) =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("…", "...")
    .replace(/^(?=[.'])/gm, "\\&");

/** Show a page: with `man` to the terminal if there is one, else as it is. @returns the exit status */
export async function showManual(page: string, stdout: Terminal): Promise<number> {
  if (stdout === process.stdout && stdout.isTTY) {
    const shown = spawnSync("man", ["-l", "-"], { input: page, stdio: ["pipe", "inherit", "inherit"] });
    if (!shown.error && shown.status === 0) return ExitStatus.ok;
  }
  await write(stdout, page);
  return ExitStatus.ok;
}
