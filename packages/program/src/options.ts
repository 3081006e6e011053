import { parseCredential, type Credential } from "./credential.js";
import { ConfigError, type Position, type Problem } from "./errors.js";
import { parseProperties, type Properties } from "./properties.js";

/** One option: from it come the parser, the help, the list and the checks. */
export interface OptionEntry {
  /** The long name, without dashes. */
  readonly name: string;
  /**
   * boolean: has a `--no-…` form. counter: may be given several times. number: may have a fraction.
   * properties: `KEY=VALUE…`, several in one word or in words that follow. credential: as `parseCredential`
   * reads it.
   */
  readonly type: "boolean" | "counter" | "string" | "integer" | "number" | "properties" | "credential";
  /** May be given several times: the value is a list. */
  readonly many?: boolean;
  /** What stands for the value in the help. */
  readonly value?: string;
  /** One letter, for `-x`. */
  readonly short?: string;
  /** Other names that are taken for this one. */
  readonly aliases?: readonly string[];
  /** Only for the command line: a configuration file cannot have it. */
  readonly notInFiles?: boolean;
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
      : Entry["type"] extends "credential"
        ? Credential
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
  /** Where, if in a file; else on the command line. */
  readonly at?: Position;
}

/**
 * From what was given to checked values.
 * @throws ConfigError with all that is wrong: the option, what was expected and what came
 */
export function checkValues<const Entries extends readonly OptionEntry[]>(
  entries: Entries,
  relations: readonly Relation[],
  given: readonly GivenOption[],
): OptionValues<Entries> {
  const { values, problems } = resolveValues(entries, relations, given);
  if (problems.length > 0) throw new ConfigError(problems);
  return values;
}

/**
 * From what was given to values, as far as they are right, and all that is wrong. What is given on the command
 * line takes the place of what a file gives for the same option; the file's is checked all the same.
 * @param unknown that a name was given that is none: it may be what a relation misses
 */
export function resolveValues<const Entries extends readonly OptionEntry[]>(
  entries: Entries,
  relations: readonly Relation[],
  given: readonly GivenOption[],
  unknown = false,
): { readonly values: OptionValues<Entries>; readonly problems: Problem[] } {
  const values: Record<string, unknown> = {};
  const problems: Problem[] = [];
  const onCommandLine = new Set(given.filter(({ at }) => !at).map(({ name }) => name));
  for (const option of given) {
    const { name, at } = option;
    const entry = entries.find((candidate) => candidate.name === name);
    try {
      if (!entry) throw new ConfigError(`Unknown option --${name}`);
      const converted = convert(entry, option);
      if (at && onCommandLine.has(name)) continue;
      if (entry.many) ((values[name] ??= []) as unknown[]).push(converted);
      else if (converted === true && entry.type === "counter") values[name] = Number(values[name] ?? 0) + 1;
      else values[name] = converted;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems.map((problem) => ({ ...(at && { at }), ...problem })));
      values[name] ??= null;
    }
  }
  const instead = entries.filter((entry) => entry.instead && values[entry.name]).map(({ name }) => name);
  for (const relation of relations) {
    const isAboutWork = relation.kind === "exactlyOne" || !instead.includes(relation.option);
    if (instead.length > 0 && isAboutWork) continue;
    const problem = checkRelation(relation, values, given, unknown);
    if (problem) problems.push(problem);
  }
  for (const entry of entries) values[entry.name] ??= entry.default;
  return { values: values as OptionValues<Entries>, problems };
}

/** How an option is called where it was given. */
const labelOf = ({ name, at }: Pick<GivenOption, "name" | "at">) => (at ? name : `--${name}`);

/** @throws ConfigError */
function convert(
  entry: OptionEntry,
  given: GivenOption,
): string | boolean | number | Properties | Credential {
  const label = labelOf(given);
  if (entry.type === "boolean" || given.value === true) return given.value;
  const text = String(given.value);
  switch (entry.type) {
    case "string":
      if (text === "") throw new ConfigError(`Expected ${label} to have a value, got none`);
      if (entry.choices && !entry.choices.includes(text)) {
        throw new ConfigError(`Expected ${label} to be one of ${entry.choices.join(", ")}, got "${text}"`);
      }
      return text;
    case "properties":
      return parseProperties(text, label);
    case "credential":
      try {
        return parseCredential(text);
      } catch (error) {
        if (error instanceof ConfigError) throw error;
        // The file that it names cannot be read.
        throw new ConfigError(`${label}: ${(error as Error).message}`, { cause: error });
      }
    case "counter":
    case "integer":
    case "number": {
      const { min = 0, max = Number.MAX_SAFE_INTEGER } = entry;
      const number = /^-?(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : NaN;
      const isOfType = entry.type === "number" ? Number.isFinite(number) : Number.isInteger(number);
      if (!isOfType || number < min || number > max) {
        const what = entry.type === "number" ? "a number" : "an integer";
        const range = entry.max === undefined ? `>= ${min}` : `from ${min} to ${max}`;
        throw new ConfigError(`Expected ${label} to be ${what} ${range}, got "${text}"`);
      }
      return number;
    }
  }
}

/** What a relation finds wrong. @param unknown something may be misspelt, so nothing is said to be missing */
function checkRelation(
  relation: Relation,
  values: Readonly<Record<string, unknown>>,
  given: readonly GivenOption[],
  unknown: boolean,
): Problem | undefined {
  const isGiven = (name: string) => values[name] !== undefined && values[name] !== false;
  const find = (name: string): Pick<GivenOption, "name" | "at"> =>
    given.findLast((option) => option.name === name) ?? { name };
  const label = (name: string) => labelOf(find(name));
  // What is not there is called as what wants it is.
  const list = (names: readonly string[], word: string, like: string) =>
    names.map((name) => labelOf({ ...find(like), name })).join(` ${word} `);
  const problem = (message: string, name: string) => {
    const { at } = find(name);
    return { message, ...(at && { at }) };
  };
  switch (relation.kind) {
    case "requires": {
      const { option, others } = relation;
      if (!isGiven(option) || others.some(isGiven) || unknown) return undefined;
      return problem(`${label(option)} needs ${list(others, "or", option)}`, option);
    }
    case "excludes": {
      const { option, others } = relation;
      const other = others.find(isGiven);
      if (!isGiven(option) || other === undefined) return undefined;
      return problem(`${label(option)} does not go with ${label(other)}`, option);
    }
    case "exactlyOne": {
      const { options } = relation;
      const found = options.filter(isGiven);
      if (found.length === 1 || (found.length === 0 && unknown)) return undefined;
      const last = given.findLast(({ name }) => found.includes(name))?.name ?? "";
      const got = found.length === 0 ? "none" : found.map(label).join(" and ");
      const all = list(options, "and", last).replace(/ and (?=.* and )/g, ", ");
      return problem(`Expected one of ${all}, got ${got}`, last);
    }
  }
}
