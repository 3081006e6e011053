import { diskFiles, type ConfigFiles } from "./config-files.js";
import { indexOfSpace, LineReader, trim, type Line } from "./config-lines.js";
import { addNode, emptyBlock, type ConfigBlock } from "./config-tree.js";
import { ConfigError, type Position, type Problem } from "./errors.js";

/** Most blocks within one another. */
const MOST_LEVELS = 100;

/** So many faults are told at once: more of them are most likely no configuration. */
const MOST_PROBLEMS = 100;

/** What a variable stands for: the last value of that name before it, in its block or those around. */
export type Lookup = (name: string) => string | undefined;

/** How to read a file, under the names of Config::General. */
export interface ConfigGeneralOptions {
  /** CComments: take out C comments (default true). */
  readonly cComments?: boolean;
  /** LowerCaseNames: names of options and blocks become lower case (default false). */
  readonly lowerCaseNames?: boolean;
  /** UseApacheInclude: `include FILE` includes, and `<<include FILE>>` does not (default false). */
  readonly apacheInclude?: boolean;
  /** IncludeAgain: a file that is included twice is read twice, not once (default false). */
  readonly includeAgain?: boolean;
  /**
   * Replaces the variables of a value or a block's name; what it throws becomes an error at that line. `perlVariables`
   * does what InterPolateVars does (default: there are no variables).
   */
  readonly interpolate?: (text: string, lookup: Lookup) => string;
  /** Where included files come from (default: the disk). */
  readonly files?: ConfigFiles;
}

export interface ReadConfiguration {
  readonly tree: ConfigBlock;
  /** What is no fault, but most likely not meant. */
  readonly warnings: readonly Problem[];
}

/**
 * Read the Apache style, as Perl's Config::General does with IncludeRelative, IncludeGlob and IncludeDirectories; what
 * it misreads without a word is refused here. The package's README tells the format and the differences.
 * @param file names the text in errors, and is what includes are relative to
 * @throws ConfigError CONFIG_BAD_FILE with all that is wrong
 */
export function parseConfigGeneral(
  text: string,
  file: string,
  options: ConfigGeneralOptions = {},
): ReadConfiguration {
  const { cComments = true, apacheInclude = false, includeAgain = false, files = diskFiles } = options;
  const reader = new LineReader(file, { cComments, apacheInclude, includeAgain, files });
  reader.read(file, text);
  const builder = new TreeBuilder(file, options);
  for (const line of reader.lines) builder.take(line);
  const tree = builder.end();
  const problems = [...reader.problems, ...builder.problems].slice(0, MOST_PROBLEMS);
  if (problems.length > 0) throw new ConfigError(problems, { code: "CONFIG_BAD_FILE" });
  return { tree, warnings: reader.warnings };
}

/** A block that is not closed yet. */
interface OpenBlock {
  readonly name: string;
  /** As it is written, variables and all. */
  readonly written: string;
  readonly block: ConfigBlock;
  /** What variables stand for here. */
  readonly scope: Map<string, string>;
}

/** Makes the tree from the lines; goes on after a fault, so that all of them are told. */
class TreeBuilder {
  readonly problems: Problem[] = [];
  readonly #options: ConfigGeneralOptions;
  /** The innermost last; the first is the whole. */
  readonly #open: [OpenBlock, ...OpenBlock[]];

  constructor(file: string, options: ConfigGeneralOptions) {
    this.#options = options;
    this.#open = [{ name: "", written: "", block: emptyBlock({ file, line: 1 }), scope: new Map() }];
  }

  take({ text, document, at }: Line): void {
    if (document !== undefined) this.#option(text, document, at);
    else if (/^<\/.+>$/s.test(text)) this.#close(trim(text.slice(2, -1)), at);
    else if (/^<[^/<].*>$/s.test(text)) this.#tag(text, at);
    else if (text.startsWith("<<")) this.#refuse("Expected <<include FILE>>", at);
    else if (text.startsWith("<"))
      this.#refuse("Expected <NAME>, <NAME NAME> or </NAME> alone on a line", at);
    else this.#option(...splitOption(text), at);
  }

  end(): ConfigBlock {
    for (const { name, block } of this.#open.slice(1))
      this.#refuse(`Expected </${name}> for <${name}>`, block.at);
    return this.#open[0].block;
  }

  #refuse(message: string, at: Position): void {
    this.problems.push({ message, at });
  }

  get #inner(): OpenBlock {
    return this.#open.at(-1) ?? this.#open[0];
  }

  #lower(name: string): string {
    return this.#options.lowerCaseNames ? name.toLowerCase() : name;
  }

  #option(name: string, written: string | undefined, at: Position): void {
    if (name === "") return this.#refuse("Expected NAME = VALUE, got no name", at);
    const { block, scope } = this.#inner;
    const lower = this.#lower(name);
    const value = written === undefined ? undefined : this.#interpolated(unquote(written), at);
    const text = value?.replace(/\\([$\\"#])/g, "$1");
    // As in the original: of a list the first stays the variable.
    if (!block.entries.has(lower)) scope.set(lower, text ?? "");
    addNode(block, lower, { kind: "text", text, at });
  }

  #interpolated(text: string, at: Position): string {
    const { scope } = this.#inner;
    try {
      return this.#options.interpolate?.(text, (name) => scope.get(this.#lower(name))) ?? text;
    } catch (error) {
      this.#refuse((error as Error).message, at);
      return text;
    }
  }

  /** `<name>`, `<name other name>`, and either with a slash at its end: an empty block. */
  #tag(text: string, at: Position): void {
    const isEmpty = text.endsWith("/>");
    const inside = trim(text.slice(1, isEmpty ? -2 : -1));
    const [first, second] = splitTag(inside);
    const name = this.#interpolated(this.#lower(first), at);
    const named = second === undefined ? undefined : this.#interpolated(second, at);
    if (name === "") return this.#refuse("Expected <NAME>, got no name", at);
    if (this.#open.length > MOST_LEVELS) {
      const message = `Expected blocks at most ${MOST_LEVELS} deep, got more`;
      throw new ConfigError([{ message, at }], { code: "CONFIG_BAD_FILE" });
    }
    const { block: outer, scope } = this.#inner;
    const block = emptyBlock(at);
    const holder = named === undefined ? outer : this.#holder(outer, name, at);
    addNode(holder, named ?? name, block);
    if (!isEmpty) this.#open.push({ name, written: first, block, scope: new Map(scope) });
  }

  /** The block that holds the blocks of a name that have another name too. */
  #holder(outer: ConfigBlock, name: string, at: Position): ConfigBlock {
    const [only, ...others] = outer.entries.get(name) ?? [];
    if (only?.kind === "block" && others.length === 0) return only;
    const holder = emptyBlock(at);
    if (!only) addNode(outer, name, holder);
    else this.#refuse(`Expected no <${name} NAME> after other values of ${name}`, at);
    return holder;
  }

  /** The name of an end is its block's, or its block's and the other name; the original does not look at it. */
  #close(name: string, at: Position): void {
    const [first] = splitTag(name);
    const wanted = (open: OpenBlock) =>
      [name, first].some((got) => got.toLowerCase() === open.name.toLowerCase());
    const innermost = this.#open.length - 1;
    let index = innermost;
    while (index > 0 && !wanted(this.#open[index] ?? this.#open[0])) index--;
    if (index === innermost && index > 0) this.#open.pop();
    else if (innermost === 0) this.#refuse(`Expected <${name}> before </${name}>`, at);
    else {
      const { written, block } = this.#inner;
      this.#refuse(
        `Expected </${written}> for the <${written}> of line ${block.at.line}, got </${name}>`,
        at,
      );
      // Taken for a missing end if there is a block that it does end, else for a misspelt one.
      this.#open.splice(index > 0 ? index : innermost);
    }
  }
}

/** Split at the first white space or equal sign, with the white space around it. */
function splitOption(text: string): [name: string, value: string | undefined] {
  const [space, equals] = [indexOfSpace(text), text.indexOf("=")];
  if (space < 0 && equals < 0) return [text, undefined];
  if (space < 0 || (equals >= 0 && equals < space))
    return [text.slice(0, equals), trim(text.slice(equals + 1))];
  const rest = trim(text.slice(space));
  return [text.slice(0, space), rest.startsWith("=") ? trim(rest.slice(1)) : rest];
}

/** Double quotes around the whole of a value are not part of it; a quote within needs no backslash. */
function unquote(text: string): string {
  if (!text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, Math.max(1, text.length - 1));
}

/** The one or two names of a tag, either in double quotes if it holds white space. */
function splitTag(inside: string): [name: string, other: string | undefined] {
  const [, quoted, plain, other] = /^(?:"([^"]+)"|([^\t-\r ]+))(?:[\t-\r ]+(.*))?$/s.exec(inside) ?? [];
  return [quoted ?? plain ?? inside, other && /^"[^"]+"$/.test(other) ? other.slice(1, -1) : other];
}
