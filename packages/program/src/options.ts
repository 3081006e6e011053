import { ConfigError } from "./errors.js";
import { parseProperties, type Properties } from "./properties.js";

/** One option: from it come the parser, the help, the list and the checks. */
export interface OptionEntry {
  /** The long name, without dashes. */
  readonly name: string;
  /**
   * boolean: has a `--no-…` form. counter: may be given several times. number: may have a fraction.
   * properties: `KEY=VALUE…`, several in one word or in words that follow.
   */
  readonly type: "boolean" | "counter" | "string" | "integer" | "number" | "properties";
  /** May be given several times: the value is a list. */
  readonly many?: boolean;
  /** What stands for the value in the help. */
  readonly value?: string;
  /** One letter, for `-x`. */
  readonly short?: string;
  /** Other names that are taken for this one. */
  readonly aliases?: readonly string[];
  /** The least number allowed (default 0). */
  readonly min?: number;
  readonly max?: number;
  /** All that a string may be (default: anything but nothing). */
  readonly choices?: readonly string[];
  readonly default?: string | number;
  /** Asks for something else than the program's work: what that needs need not be given. */
  readonly instead?: boolean;
  readonly help: string;
}

type Plain<Entry extends OptionEntry> = Entry["type"] extends "boolean"
  ? boolean
  : Entry["type"] extends "counter" | "integer" | "number"
    ? number
    : Entry["type"] extends "properties"
      ? Properties
      : string;

/** The value that an entry yields: a list if `many`, undefined if it may be absent. */
type ValueOf<Entry extends OptionEntry> = Entry extends { many: true }
  ? Plain<Entry>[] | undefined
  : Entry extends { default: string | number }
    ? Plain<Entry>
    : Plain<Entry> | undefined;

/** The values of a table's options, by name. */
export type OptionValues<Entries extends readonly OptionEntry[]> = {
  -readonly [Entry in Entries[number] as Entry["name"]]: ValueOf<Entry>;
};

/** A rule between options, as data. A boolean that is off counts as not given. */
export type Relation =
  | { readonly kind: "requires"; readonly option: string; readonly others: readonly string[] }
  | { readonly kind: "excludes"; readonly option: string; readonly others: readonly string[] }
  | { readonly kind: "exactlyOne"; readonly options: readonly string[] };

/** `option` makes sense only with one of the others. */
export const requires = (option: string, ...others: string[]): Relation => ({
  kind: "requires",
  option,
  others,
});
/** `option` goes with none of the others. */
export const excludes = (option: string, ...others: string[]): Relation => ({
  kind: "excludes",
  option,
  others,
});
/** One of these must be given, and no other of them. */
export const exactlyOne = (...options: string[]): Relation => ({ kind: "exactlyOne", options });

/** An option as it was given: the value is its text, or whether a boolean is on. */
export interface GivenOption {
  readonly name: string;
  readonly value: string | boolean;
}

/**
 * From what was given to checked values.
 * @throws ConfigError that names the option, what was expected and what came
 */
export function checkValues<const Entries extends readonly OptionEntry[]>(
  entries: Entries,
  relations: readonly Relation[],
  given: readonly GivenOption[],
): OptionValues<Entries> {
  const values: Record<string, unknown> = {};
  for (const { name, value } of given) {
    const entry = entries.find((candidate) => candidate.name === name);
    if (!entry) throw new ConfigError(`Unknown option --${name}`);
    const converted = convert(entry, value);
    if (entry.many) ((values[name] ??= []) as unknown[]).push(converted);
    else if (entry.type === "counter") values[name] = ((values[name] as number | undefined) ?? 0) + 1;
    else values[name] = converted;
  }
  const instead = entries.filter((entry) => entry.instead && values[entry.name]).map(({ name }) => name);
  for (const relation of relations) {
    const isAboutWork = relation.kind === "exactlyOne" || !instead.includes(relation.option);
    if (instead.length === 0 || !isAboutWork) checkRelation(relation, values);
  }
  for (const entry of entries) values[entry.name] ??= entry.default;
  return values as OptionValues<Entries>;
}

function convert(entry: OptionEntry, value: string | boolean): string | boolean | number | Properties {
  if (entry.type === "boolean" || entry.type === "counter") return value;
  const text = String(value);
  switch (entry.type) {
    case "string":
      if (text === "") throw new ConfigError(`Expected --${entry.name} to have a value, got none`);
      if (entry.choices && !entry.choices.includes(text)) {
        throw new ConfigError(
          `Expected --${entry.name} to be one of ${entry.choices.join(", ")}, got "${text}"`,
        );
      }
      return text;
    case "properties":
      return parseProperties(text, `--${entry.name}`);
    case "integer":
    case "number": {
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = entry;
      const number = /^-?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : NaN;
      const isOfType = entry.type === "integer" ? Number.isInteger(number) : Number.isFinite(number);
      if (!isOfType || number < min || number > max) {
        const what = entry.type === "integer" ? "an integer" : "a number";
        const range = entry.max === undefined ? `>= ${min}` : `from ${min} to ${max}`;
        throw new ConfigError(`Expected --${entry.name} to be ${what} ${range}, got "${text}"`);
      }
      return number;
    }
  }
}

function checkRelation(relation: Relation, values: Readonly<Record<string, unknown>>): void {
  const isGiven = (name: string) => values[name] !== undefined && values[name] !== false;
  const list = (names: readonly string[], word: string) => names.map((name) => `--${name}`).join(` ${word} `);
  switch (relation.kind) {
    case "requires":
      if (isGiven(relation.option) && !relation.others.some(isGiven)) {
        throw new ConfigError(`--${relation.option} needs ${list(relation.others, "or")}`);
      }
      break;
    case "excludes": {
      const other = relation.others.find(isGiven);
      if (isGiven(relation.option) && other !== undefined) {
        throw new ConfigError(`--${relation.option} does not go with --${other}`);
      }
      break;
    }
    case "exactlyOne": {
      const found = relation.options.filter(isGiven);
      if (found.length === 1) break;
      const got = found.length === 0 ? "none" : list(found, "and");
      throw new ConfigError(`Expected one of ${list(relation.options, "and")}, got ${got}`);
    }
  }
}
