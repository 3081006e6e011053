import type { Position } from "./errors.js";

/** A value, as text. */
export interface ConfigText {
  readonly kind: "text";
  /** Undefined if the name stood alone. */
  readonly text: string | undefined;
  readonly at: Position;
}

/** A block: what each name was given, once or several times, in the order of the file. */
export interface ConfigBlock {
  readonly kind: "block";
  readonly entries: Map<string, ConfigNode[]>;
  readonly at: Position;
}

/** What a configuration file is read to, whichever its format; every node knows where it stands. */
export type ConfigNode = ConfigText | ConfigBlock;

/** A block with nothing in it. */
export const emptyBlock = (at: Position): ConfigBlock => ({ kind: "block", entries: new Map(), at });

/** Append to what a block has by that name. */
export function addNode(block: ConfigBlock, name: string, node: ConfigNode): void {
  const nodes = block.entries.get(name);
  if (nodes) nodes.push(node);
  else block.entries.set(name, [node]);
}

/** What `toObject` makes of a node. */
export type ConfigValue = string | null | ConfigObject | ConfigValue[];
export interface ConfigObject {
  [name: string]: ConfigValue;
}

/**
 * A block as a plain object without a prototype: what was given once as such, what was given several times as a list, a
 * name that stood alone as null. Counterpart: Config::General getall().
 */
export function toObject(block: ConfigBlock): ConfigObject {
  const object = Object.create(null) as ConfigObject;
  const value = (node: ConfigNode) => (node.kind === "block" ? toObject(node) : (node.text ?? null));
  for (const [name, nodes] of block.entries) {
    const [first] = nodes;
    object[name] = nodes.length === 1 && first ? value(first) : nodes.map(value);
  }
  return object;
}
