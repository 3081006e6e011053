import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Alias,
  type Document,
  type ErrorCode,
  type Node,
  type Scalar,
} from "yaml";
import { addNode, emptyBlock, type ConfigBlock, type ConfigNode } from "./config-tree.js";
import { ConfigError, type Position, type Problem } from "./errors.js";

/** Most values of a configuration: an alias can stand for many. */
const MOST_NODES = 10_000;
/** Most levels: the YAML reader calls itself for each. */
const MOST_LEVELS = 100;

/**
 * Read YAML 1.2. Values come as they are written: `1.50` stays `1.50`, true is
 * "true"; null is a name alone. A map is a block; a list is a name that is given several times.
 * @throws ConfigError CONFIG_BAD_FILE with all that is wrong
 */
export function parseYaml(text: string, file: string): ConfigBlock {
  const lines = new LineCounter();
  const position = (offset: number): Position => ({ file, line: Math.max(1, lines.linePos(offset).line) });
  checkDepth(text, file);
  // Whether names are unique is looked at below: the reader takes a time that grows with the square of their number.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const faults = [...document.errors, ...document.warnings];
  const problems = faults.map(({ code, message, pos: [offset] }): Problem => ({
    message: words[code] ?? message.replace(/: .*/s, ""),
    at: position(offset),
  }));
  if (problems.length > 0) throw new ConfigError(problems, { code: "CONFIG_BAD_FILE" });
  return new Walk(document, position).root(document.contents, file);
}

/** The reader's messages quote the text, which may be a secret: behind a colon, or in those that are said here. */
const words: Partial<Record<ErrorCode, string>> = {
  BAD_DIRECTIVE: "Expected a directive of YAML 1.2, got another",
  BAD_DQ_ESCAPE: "Invalid escape sequence",
  TAG_RESOLVE_FAILED: "Expected a value that begins with ! to be in quotes, got an unknown tag",
};

/** More brackets than that, in text or not, are no configuration. */
function checkDepth(text: string, file: string): void {
  let [depth, line] = [0, 1];
  for (const character of text) {
    if (character === "[" || character === "{") depth++;
    else if (character === "]" || character === "}") depth = Math.max(0, depth - 1);
    else if (character === "\n") line++;
    if (depth > 10 * MOST_LEVELS) {
      throw new ConfigError(
        [{ message: `Expected at most ${MOST_LEVELS} levels, got more`, at: { file, line } }],
        {
          code: "CONFIG_BAD_FILE",
        },
      );
    }
  }
}

/** Goes through a document, with aliases in the place of what they stand for. */
class Walk {
  readonly #targets: ReadonlyMap<Alias, Node>;
  readonly #position: (offset: number) => Position;
  #nodes = 0;

  constructor(document: Document, position: (offset: number) => Position) {
    this.#targets = targetsOf(document);
    this.#position = position;
  }

  root(node: unknown, file: string): ConfigBlock {
    if (node === null) return emptyBlock({ file, line: 1 });
    if (!isMap(node)) return this.#refuse("Expected names with values, got something else", offsetOf(node));
    return this.#block(node, 1);
  }

  #block(
    map: { readonly items: readonly { key: unknown; value: unknown }[] } & Node,
    depth: number,
  ): ConfigBlock {
    const block = emptyBlock(this.#position(offsetOf(map)));
    for (const { key, value } of map.items) {
      const at = this.#position(offsetOf(key));
      const name = isScalar(key) && key.value !== null ? textOf(key) : "";
      if (name === "") this.#refuse("Expected a name, got none", offsetOf(key));
      if (block.entries.has(name)) this.#refuse(`Expected ${name} once, got it again`, offsetOf(key));
      const resolved = this.#resolve(value);
      if (!isSeq(resolved)) addNode(block, name, this.#node(resolved, depth, at));
      else {
        for (const item of resolved.items) {
          const element = this.#resolve(item);
          if (isSeq(element))
            this.#refuse(`Expected ${name} to hold no list in a list, got one`, offsetOf(element));
          addNode(block, name, this.#node(element, depth, this.#position(offsetOf(element))));
        }
      }
    }
    return block;
  }

  #node(node: unknown, depth: number, at: Position): ConfigNode {
    if (++this.#nodes > MOST_NODES)
      this.#refuse(`Expected at most ${MOST_NODES} values, got more`, offsetOf(node));
    if (depth > MOST_LEVELS) this.#refuse(`Expected at most ${MOST_LEVELS} levels, got more`, offsetOf(node));
    if (isMap(node)) return { ...this.#block(node, depth + 1), at };
    if (!isScalar(node) || node.value === null) return { kind: "text", text: undefined, at };
    return { kind: "text", text: textOf(node), at };
  }

  #refuse(message: string, offset: number): never {
    throw new ConfigError([{ message, at: this.#position(offset) }], { code: "CONFIG_BAD_FILE" });
  }

  #resolve(node: unknown): unknown {
    if (!isAlias(node)) return node;
    const message = "Expected a value that begins with * to be in quotes, got an alias without its anchor";
    return this.#targets.get(node) ?? this.#refuse(message, offsetOf(node));
  }
}

/** What aliases stand for. The reader's own look-up goes through the whole document for each of them. */
function targetsOf(document: Document): Map<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node(_, node) {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.set(node.anchor, node);
        return;
      }
      const target = anchors.get(node.source);
      if (target) targets.set(node, target);
    },
  });
  return targets;
}

/** As it is written, unless quotes or a block say how to read it. */
const textOf = ({ value, source = "" }: Scalar): string => (typeof value === "string" ? value : source);

const offsetOf = (node: unknown): number => (node as Node | undefined)?.range?.[0] ?? 0;
