import type { ConfigFiles } from "./config-files.js";
import { MOST_BYTES } from "./config-files.js";
import { ConfigError, type Position, type Problem } from "./errors.js";

/** Most files that include one another, one within the other. */
const MOST_DEPTH = 32;
/** Most files of a configuration. */
const MOST_FILES = 1000;

/** A line as the parser sees it: without comments, continuations joined, files included. */
export interface Line {
  /** Without white space at either end, and never empty; of a here-document the name. */
  readonly text: string;
  /** What a here-document holds. */
  readonly document?: string;
  /** Where it begins. */
  readonly at: Position;
}

export interface LineOptions {
  readonly files: ConfigFiles;
  /** Take C comments out. */
  readonly cComments: boolean;
  /** `include FILE` includes too. */
  readonly apacheInclude: boolean;
  /** A file that is included twice is read twice. */
  readonly includeAgain: boolean;
}

/** White space as Perl has it for bytes; JavaScript's would take a no-break space from the end of a value. */
const isSpace = (code: number) => code === 0x20 || (code >= 0x09 && code <= 0x0d);

function trimStart(text: string): string {
  let start = 0;
  while (start < text.length && isSpace(text.charCodeAt(start))) start++;
  return text.slice(start);
}

function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(0, end);
}

/** Without white space at either end. In time linear to the length, unlike a pattern. */
export const trim = (text: string) => trimEnd(trimStart(text));

/** Where the first white space is, or -1. */
export function indexOfSpace(text: string): number {
  for (let index = 0; index < text.length; index++) if (isSpace(text.charCodeAt(index))) return index;
  return -1;
}

/** Reads files to lines, the included ones in the place of the include. */
export class LineReader {
  readonly lines: Line[] = [];
  readonly problems: Problem[] = [];
  /** What is no fault, but most likely not meant. */
  readonly warnings: Problem[] = [];
  readonly #options: LineOptions;
  readonly #first: string;
  readonly #read = new Set<string>();
  #length = 0;
  #count = 0;

  constructor(first: string, options: LineOptions) {
    this.#first = first;
    this.#options = options;
  }

  /** Read a file's text. @param within the files that are being read, the innermost last */
  read(file: string, text: string, within: readonly string[] = []): void {
    this.#read.add(file);
    this.#length += text.length;
    if (this.#length > MOST_BYTES || ++this.#count > MOST_FILES) {
      const message = `Expected at most ${MOST_FILES} files of ${MOST_BYTES} bytes together, got more`;
      throw new ConfigError([{ message, at: { file, line: 1 } }], { code: "CONFIG_BAD_FILE" });
    }
    const rows = text.split("\n").map((row) => (row.endsWith("\r") ? row.slice(0, -1) : row));
    if (rows.at(-1) === "") rows.pop();
    let comment: Position | undefined;
    let joined: { text: string; at: Position } | undefined;
    for (let index = 0; index < rows.length; index++) {
      const at = { file, line: index + 1 };
      let row = rows[index] ?? "";
      if (this.#options.cComments) {
        const rest = this.#withoutComment(row, comment, at);
        comment = rest.comment;
        if (comment) continue;
        row = rest.row;
      }
      row = withoutHash(row);
      if (row.endsWith("\\") && !row.endsWith("\\\\")) {
        joined = { text: (joined?.text ?? "") + trimStart(row.slice(0, -1)), at: joined?.at ?? at };
        continue;
      }
      const marked = hereDocument(row);
      if (marked) {
        if (joined)
          this.#refuse("Expected a here-document on a line of its own, got one on a continued line", at);
        joined = undefined;
        const end = documentEnd(rows, index + 1, marked.end);
        if (end === undefined) {
          this.#refuse(`Expected ${marked.end} at the end of the here-document, got the end of the file`, at);
          return;
        }
        this.lines.push({ text: marked.name, document: documentOf(rows, index + 1, end), at });
        index = end;
        continue;
      }
      const whole = joined ? joined.text + trimStart(row) : row;
      const trimmed = trim(whole);
      // As in the original, a continued line includes nothing.
      const include = joined ? undefined : this.#includeOf(trimmed);
      if (include) this.#include(include, [...within, file], at);
      else if (trimmed !== "") this.lines.push({ text: trimmed, at: joined?.at ?? at });
      joined = undefined;
    }
    if (comment) this.#refuse("Expected */ at the end of the comment, got the end of the file", comment);
    if (joined) this.#refuse("Expected a line after the backslash, got the end of the file", joined.at);
  }

  #refuse(message: string, at: Position): void {
    this.problems.push({ message, at });
  }

  /** A row without its C comment. A comment over several rows begins at the start of one. */
  #withoutComment(
    row: string,
    comment: Position | undefined,
    at: Position,
  ): { row: string; comment?: Position } {
    const [begin, end] = [row.indexOf("/*"), row.lastIndexOf("*/")];
    if (begin >= 0 && end >= begin + 2) {
      return {
        row: trimEnd(row.slice(0, begin)) + trimStart(row.slice(end + 2)),
        ...(comment && { comment }),
      };
    }
    if (begin >= 0 && trimStart(row).startsWith("/*")) return { row, comment: comment ?? at };
    if (end >= 0) {
      // The original warns, and reads on behind the mark: what was before it would be lost.
      if (!comment) this.#refuse("Expected /* before */, got */ alone", at);
      return { row: row.slice(end + 2) };
    }
    return { row, ...(comment && { comment }) };
  }

  #includeOf(trimmed: string): { target: string; optional: boolean } | undefined {
    const form = this.#options.apacheInclude ? /^include(optional)?([\s"'].*)$/is : /^<<include()(\s.*)>>$/is;
    const [, optional, written] = form.exec(trimmed) ?? [];
    if (written === undefined) return undefined;
    const target = trim(written);
    const quote = target[0] ?? "";
    const isQuoted = /["']/.test(quote) && target.length > 1 && target.endsWith(quote);
    return { target: isQuoted ? target.slice(1, -1) : target, optional: Boolean(optional) };
  }

  #include(include: { target: string; optional: boolean }, within: readonly string[], at: Position): void {
    if (within.length >= MOST_DEPTH) {
      this.#refuse(`Expected files to include one another at most ${MOST_DEPTH} deep, got more`, at);
      return;
    }
    const { target, optional } = include;
    let found: readonly string[] | undefined;
    try {
      found = this.#options.files.find(target, at.file, this.#first);
    } catch (error) {
      this.#refuse(`Cannot include ${target}: ${(error as Error).message}`, at);
      return;
    }
    if (!found && !optional) this.#refuse(`Expected a file to include, got ${target}: there is none`, at);
    for (const file of found ?? []) {
      if (within.includes(file)) this.#refuse(`Expected ${file} not to include itself`, at);
      else if (this.#read.has(file) && !this.#options.includeAgain) {
        this.warnings.push({ message: `${file} is included already, and is not read again`, at });
      } else this.#readFile(file, within, at);
    }
  }

  #readFile(file: string, within: readonly string[], at: Position): void {
    let text: string;
    try {
      text = this.#options.files.read(file);
    } catch (error) {
      if (error instanceof ConfigError) this.problems.push(...error.problems);
      else this.#refuse(`Cannot include ${file}: ${(error as Error).message}`, at);
      return;
    }
    this.read(file, text, within);
  }
}

/** A comment begins at a # without a backslash before it, even within quotes. */
function withoutHash(row: string): string {
  for (let hash = row.indexOf("#"); hash >= 0; hash = row.indexOf("#", hash + 1)) {
    if (row[hash - 1] !== "\\") return row.slice(0, hash);
  }
  return row;
}

/** `name = <<END` or `name <<END`: with an equal sign the name may hold white space. */
function hereDocument(row: string): { name: string; end: string } | undefined {
  const equals = row.indexOf("=");
  const [name, value] = equals >= 0 ? [trim(row.slice(0, equals)), trim(row.slice(equals + 1))] : ["", ""];
  if (name !== "" && value.startsWith("<<") && value.length > 2) return { name, end: trim(value.slice(2)) };
  const trimmed = trim(row);
  const space = indexOfSpace(trimmed);
  const rest = space < 0 ? "" : trimStart(trimmed.slice(space));
  if (!rest.startsWith("<<") || rest.length === 2) return undefined;
  return { name: trimmed.slice(0, space), end: trim(rest.slice(2)) };
}

/** The row that is the mark alone. */
function documentEnd(rows: readonly string[], from: number, mark: string): number | undefined {
  for (let index = from; index < rows.length; index++) if (trim(rows[index] ?? "") === mark) return index;
  return undefined;
}

/** The rows of a here-document, without the indentation of its mark and white space at either end. */
function documentOf(rows: readonly string[], from: number, end: number): string {
  const mark = rows[end] ?? "";
  const indent = mark.slice(0, mark.length - trimStart(mark).length);
  const inside = rows.slice(from, end);
  return trim(inside.map((row) => (row.startsWith(indent) ? row.slice(indent.length) : row)).join("\n"));
}
