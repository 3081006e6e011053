import type { ConfigBlock, ConfigNode } from "./config-tree.js";
import { ConfigError, type Position, type Problem } from "./errors.js";
import { nearest } from "./nearest.js";
import type { GivenOption, OptionEntry } from "./options.js";
import { formatProperties, type Properties } from "./properties.js";

/** What a file gives, and what is wrong with it. */
export interface Bound {
  readonly given: GivenOption[];
  readonly problems: Problem[];
}

/**
 * From the tree of a configuration file to the options of a program's table, as if they had been given on its command
 * line. The parts of a name may be blocks within one another: `<outgoing-broker> uri = …`, `<outgoing> <broker> …`. A
 * value of properties or a credential may be a block. All of it may be within a block `root`.
 */
export function bindTree(tree: ConfigBlock, entries: readonly OptionEntry[], root: string): Bound {
  const binder = new Binder(entries.filter((entry) => !entry.notInFiles));
  const others = new Map(tree.entries);
  others.delete(root);
  for (const node of tree.entries.get(root) ?? []) {
    if (node.kind === "block") binder.bind(node.entries, "");
    else binder.problems.push({ message: `Expected ${root} to be a block, got a value`, at: node.at });
  }
  binder.bind(others, "");
  return binder;
}

class Binder implements Bound {
  readonly given: GivenOption[] = [];
  readonly problems: Problem[] = [];
  readonly #entries: readonly OptionEntry[];
  /** Where an option that is no list was first given. */
  readonly #first = new Map<string, Position>();

  constructor(entries: readonly OptionEntry[]) {
    this.#entries = entries;
  }

  bind(block: ReadonlyMap<string, readonly ConfigNode[]>, prefix: string): void {
    for (const [part, nodes] of block) {
      const name = prefix + part;
      const entry = this.#entries.find((entry) => entry.name === name || entry.aliases?.includes(name));
      const isPrefix = this.#entries.some((other) => other.name.startsWith(`${name}-`));
      for (const node of nodes) {
        if (entry) this.#option(entry, node);
        else if (isPrefix && node.kind === "block") this.bind(node.entries, `${name}-`);
        else this.#unknown(name, node, isPrefix);
      }
    }
  }

  #refuse(message: string, at: Position): void {
    this.problems.push({ message, at });
  }

  #unknown(name: string, { kind, at }: ConfigNode, isPrefix: boolean): void {
    if (isPrefix) return this.#refuse(`Expected ${name} to be a block, got a value`, at);
    const names = this.#entries.flatMap((entry) => [entry.name, ...(entry.aliases ?? [])]);
    const meant = nearest(name, kind === "block" ? [...names, ...names.flatMap(prefixes)] : names);
    this.#refuse(
      `Unknown ${kind === "block" ? "block" : "option"} ${name}${meant ? ` (did you mean ${meant}?)` : ""}`,
      at,
    );
  }

  #option(entry: OptionEntry, node: ConfigNode): void {
    const { at } = node;
    const first = this.#first.get(entry.name);
    if (first && !entry.many) {
      const where = first.file === at.file ? `line ${first.line}` : `${first.file}:${first.line}`;
      return this.#refuse(`Expected ${entry.name} once, got it again after ${where}`, at);
    }
    this.#first.set(entry.name, at);
    try {
      this.given.push({ name: entry.name, value: valueOf(entry, node), at });
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.problems.push(...error.problems.map((problem) => ({ at, ...problem })));
    }
  }
}

/** The blocks that a name may be in: of `a-b-c` they are `a` and `a-b`. */
const prefixes = (name: string) =>
  name
    .split("-")
    .map((_, index, parts) => parts.slice(0, index).join("-"))
    .slice(1);

/** @throws ConfigError */
function valueOf(entry: OptionEntry, node: ConfigNode): string | boolean {
  const { name, type } = entry;
  if (node.kind === "text") return type === "boolean" ? booleanOf(name, node.text ?? "") : (node.text ?? "");
  if (type === "properties") return formatProperties(propertiesOf(name, node), name);
  if (type !== "credential") throw new ConfigError(`Expected ${name} to be a value, got a block`);
  const { scheme, ...others } = propertiesOf(name, node);
  if (scheme === undefined) throw new ConfigError(`Expected the block ${name} to have a scheme`);
  return `${scheme} ${formatProperties(others, name)}`;
}

function booleanOf(name: string, text: string): boolean {
  if (/^(true|yes|on|1)$/i.test(text)) return true;
  if (/^(false|no|off|0)$/i.test(text)) return false;
  throw new ConfigError(`Expected ${name} to be true or false, got "${text}"`);
}

function propertiesOf(name: string, { entries }: ConfigBlock): Properties {
  const problems: Problem[] = [];
  const properties = Object.create(null) as Record<string, string>;
  for (const [key, [node, again]] of entries) {
    if (again) problems.push({ message: `Expected ${key} once in ${name}, got it again`, at: again.at });
    if (node?.kind === "block")
      problems.push({ message: `Expected ${key} in ${name} to be a value, got a block`, at: node.at });
    else properties[key] = node?.text ?? "";
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return properties;
}
