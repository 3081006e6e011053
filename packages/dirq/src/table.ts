import { DirqError } from "./errors.js";

/** Strings by their keys. One that was read has no prototype, so that any key is only a key. */
export type Table = Record<string, string>;

const CODES: Readonly<Record<string, string>> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n" };
const CHARACTERS: Readonly<Record<string, string>> = { "\\\\": "\\", "\\t": "\t", "\\n": "\n" };

const escape = (text: string) => text.replace(/[\\\t\n]/g, (character) => CODES[character]!);

// What only looks like an escape is kept literally, as the other implementations do.
const unescape = (text: string) => text.replace(/\\[\\tn]/g, (code) => CHARACTERS[code]!);

/** The order of the code points, which is that of Perl and Python, and not JavaScript's own. */
const byCodePoint = (one: string, two: string) => Buffer.compare(Buffer.from(one), Buffer.from(two));

/** The text of a table: a line for each key, in order, so that equal tables are equal texts. */
export function encodeTable(table: Readonly<Table>): string {
  const keys = Object.keys(table).sort();
  if (keys.some((key) => /[\ud800-\udfff]/.test(key))) keys.sort(byCodePoint);
  return keys.map((key) => `${escape(key)}\t${escape(table[key]!)}\n`).join("");
}

/**
 * The table in a text; of several lines with one key, the last wins.
 * @throws DirqError DIRQ_BAD_DATA naming the line that is without a tab, or has two
 */
export function decodeTable(text: string): Table {
  const table = Object.create(null) as Table;
  // As in Perl, the last line may lack its end, and empty ones at the end do not count.
  let end = text.length;
  while (text[end - 1] === "\n") end--;
  // Not split into all lines at once: more than an array can have would end the process.
  for (let [n, from] = [1, 0]; from < end; n++) {
    const next = text.indexOf("\n", from);
    const to = next < 0 ? end : Math.min(next, end);
    const [key, value, ...more] = text.slice(from, to).split("\t");
    if (value === undefined || more.length > 0) {
      throw new DirqError("DIRQ_BAD_DATA", `Expected a key, a tab and a value in line ${n}`);
    }
    table[unescape(key!)] = unescape(value);
    from = to + 1;
  }
  return table;
}
