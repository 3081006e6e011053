import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Most patterns that the braces of one may stand for. */
const MOST_BRACES = 1000;

/** Whether a path holds anything that `glob` would expand. */
export const isGlob = (path: string) => /[*?[{\\]/.test(path);

/**
 * The paths that match a pattern, sorted for each alternative of its braces: `*`, `?`, `[a-z]`, `[!a]`, `{a,b}`, and a
 * backslash before what is meant literally. A name with a leading dot matches only a pattern with one; `*` does not
 * cross a slash. A path without anything to match is given back, there or not. No match, or a directory that cannot
 * be listed: nothing. Counterpart: bsd_glob(…, GLOB_BRACE | GLOB_QUOTE).
 * @param base the directory that a relative pattern is seen from; nothing in it is expanded
 */
export function glob(pattern: string, base: string): string[] {
  return braces(pattern).flatMap((alternative) =>
    walk(alternative.startsWith("/") ? "/" : base, alternative.split("/")),
  );
}

function walk(base: string, [segment, ...rest]: readonly string[]): string[] {
  if (segment === undefined) return [base];
  if (!isGlob(segment)) return walk(join(base, segment), rest);
  const tokens = tokenize(segment);
  return list(base)
    .filter((name) => (/^\\?\./.test(segment) || !name.startsWith(".")) && matches(name, tokens))
    .flatMap((name) => walk(join(base, name), rest));
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

/** Which character it stands for; "many": any number of any. */
type Token = "many" | ((character: string) => boolean);

function tokenize(segment: string): Token[] {
  const tokens: Token[] = [];
  const characters = [...segment];
  for (let index = 0; index < characters.length; index++) {
    const character = characters[index] ?? "";
    const end = character === "[" ? characters.indexOf("]", index + 2) : -1;
    if (character === "*") tokens.push("many");
    else if (character === "?") tokens.push(() => true);
    else if (character === "\\" && index + 1 < characters.length) tokens.push(literal(characters[++index]));
    else if (end > 0) {
      tokens.push(oneOf(characters.slice(index + 1, end)));
      index = end;
    } else tokens.push(literal(character));
  }
  return tokens;
}

const literal = (wanted: string | undefined) => (character: string) => character === wanted;

function oneOf(set: readonly string[]): (character: string) => boolean {
  const negated = set[0] === "!" || set[0] === "^";
  const ranges: [string, string][] = [];
  for (let index = negated ? 1 : 0; index < set.length; index++) {
    const from = set[index] ?? "";
    const isRange = set[index + 1] === "-" && index + 2 < set.length;
    ranges.push([from, (isRange ? set[index + 2] : from) ?? ""]);
    if (isRange) index += 2;
  }
  return (character) => ranges.some(([from, to]) => from <= character && character <= to) !== negated;
}

/** Going back only to the last `*` keeps this at the product of both lengths, whatever the pattern. */
function matches(name: string, tokens: readonly Token[]): boolean {
  const characters = [...name];
  let [position, token, star, from] = [0, 0, -1, 0];
  while (position < characters.length) {
    const wanted = tokens[token];
    if (wanted === "many") {
      star = token++;
      from = position;
    } else if (wanted?.(characters[position] ?? "")) {
      position++;
      token++;
    } else if (star >= 0) {
      token = star + 1;
      position = ++from;
    } else return false;
  }
  return tokens.slice(token).every((left) => left === "many");
}

/** The patterns that the braces of one stand for. */
function braces(pattern: string): string[] {
  const done: string[] = [];
  const open = [pattern];
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const group = firstGroup(next);
    if (!group || done.length + open.length > MOST_BRACES) done.push(next);
    else open.unshift(...group);
  }
  return done;
}

/** The alternatives of the first group in braces, each with what stands around it. */
function firstGroup(pattern: string): string[] | undefined {
  let [depth, start] = [0, 0];
  const cuts: number[] = [];
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index];
    if (character === "\\") index++;
    else if (character === "{" && pattern[index + 1] !== "}") {
      if (depth++ === 0) start = index;
    } else if (character === "," && depth === 1) cuts.push(index);
    else if (character === "}" && depth > 0 && --depth === 0) {
      const edges = [start, ...cuts, index];
      return edges
        .slice(1)
        .map(
          (end, n) =>
            pattern.slice(0, start) + pattern.slice((edges[n] ?? 0) + 1, end) + pattern.slice(index + 1),
        );
    }
  }
  return undefined;
}
