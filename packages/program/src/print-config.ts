import type { Credential } from "./credential.js";
import type { GivenOption, OptionEntry, Relation } from "./options.js";
import { formatProperties, type Properties } from "./properties.js";

/** What stands in the place of a secret. */
const HIDDEN = "***";

/**
 * The options in effect, as a configuration file that would give them, each with a note of where it comes from.
 * A default that means nothing without another option is left out: the file would be refused for it. Secrets are
 * hidden: passwords of credentials and URIs, and properties whose name tells that they are one.
 */
export function printConfig(
  entries: readonly OptionEntry[],
  values: Readonly<Record<string, unknown>>,
  given: readonly GivenOption[],
  relations: readonly Relation[] = [],
): string {
  const isOn = (name: string) => values[name] !== undefined && values[name] !== false;
  const isMeant = ({ name }: OptionEntry) =>
    relations.every((each) => each.kind !== "requires" || each.option !== name || each.others.some(isOn));
  return entries
    .filter(isMeant)
    .flatMap((entry) => {
      const value = values[entry.name];
      const list = entry.many ? ((value ?? []) as unknown[]) : value === undefined ? [] : [value];
      const origins = originsOf(entry, given);
      // Of several where one counts it is the last.
      const origin = (index: number) => (entry.many ? origins[index] : origins.at(-1)) ?? "default";
      return list.map((each, index) => formatOption(entry.name, textOf(entry, each), origin(index)));
    })
    .join("");
}

/** Where each value of an option was given, as far as it counts. */
function originsOf({ name }: OptionEntry, given: readonly GivenOption[]): string[] {
  const mine = given.filter((option) => option.name === name);
  const onCommandLine = mine.filter(({ at }) => !at);
  if (onCommandLine.length > 0) return onCommandLine.map(() => "command line");
  return mine.map(({ at }) => (at ? `${at.file}:${at.line}` : ""));
}

function textOf({ name, type }: OptionEntry, value: unknown): string {
  if (type === "credential") {
    const { scheme, file, ...others } = value as Credential & Properties;
    if (file !== undefined) return `file=${file}`;
    return `${scheme} ${formatProperties(hidden(others), name)}`.trim();
  }
  if (type === "properties") return formatProperties(hidden(value as Properties), name);
  // To the last @ before the next URI: what should be %XX-encoded in a password may not be.
  return String(value).replace(/(:\/\/[^/\s:]*:)(?:(?!:\/\/).)*(?=@)/g, `$1${HIDDEN}`);
}

function hidden(properties: Properties): Properties {
  const isSecret = (key: string) => /pass|secret|token/i.test(key);
  return Object.fromEntries(
    Object.entries(properties).map(([key, value]) => [key, isSecret(key) ? HIDDEN : value]),
  );
}

/**
 * An option as the Apache style has it, so that `parseConfigGeneral` reads the same text.
 * @param note a comment, without a line break
 */
export function formatOption(name: string, text: string, note: string): string {
  const escaped = text.replace(/[\\"#$]/g, "\\$&");
  // White space at the ends would be lost, and << would begin a here-document.
  const quoted = /^[\t-\r ]|[\t-\r ]$|^<|^$/.test(text) ? `"${escaped}"` : escaped;
  // Nothing but a here-document keeps line breaks, and what looks like a C comment.
  if (!/\n|\/\*|\*\//.test(text)) return `${name} = ${quoted}  # ${note}\n`;
  let end = "EOT";
  while (text.includes(end)) end += "T";
  return `# ${note}\n${name} = <<${end}\n${quoted}\n${end}\n`;
}
