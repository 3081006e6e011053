// Perl's Config::General, which the original programs read their configuration with, as the oracle for ours.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError, parseConfigGeneral, perlVariables, toObject } from "@spoolwire/program";
import { describe, expect, test } from "vitest";
import { seeded } from "../helpers/bytes.js";
import {
  agreed,
  differences,
  inMemory,
  readWithPerl,
  type ConfigCase,
  type ConfigResult,
} from "../helpers/config-cases.js";
import { root } from "../helpers/embedded.js";
import { requires } from "../helpers/requirements.js";

/** What Perl made of the cases, for machines without it. REGENERATE=1 on one that has it writes it again. */
const expected = join(root, "test/fixtures/config-general.json");
const all: Readonly<Record<string, ConfigCase>> = { ...agreed, ...differences };

describe.runIf(requires("config-general"))("Perl's Config::General", () => {
  test("reads every case as it is written down", { timeout: 60_000 }, () => {
    const results = readWithPerl(Object.values(all));
    const byName = Object.fromEntries(Object.keys(all).map((name, index) => [name, results[index]]));
    if (process.env.REGENERATE) writeFileSync(expected, `${JSON.stringify(byName, null, 1)}\n`);
    expect(byName).toEqual(JSON.parse(readFileSync(expected, "utf8")));
  });

  test("agrees with ours on 1000 texts made by chance", { timeout: 60_000 }, () => {
    const texts = Array.from({ length: 1000 }, (_, seed) => byChance(seed));
    const theirs = readWithPerl(texts.map((files) => ({ files, options: ["-InterPolateVars"] })));
    let read = 0;
    for (const [index, files] of texts.entries()) {
      const here = readHere(files);
      expect({ files, ...here }).toEqual({ files, ...theirs[index] });
      if ("tree" in here) read++;
    }
    // Neither all nor none is refused.
    expect(read).toBeGreaterThan(250);
    expect(read).toBeLessThan(950);
  });
});

function readHere(text: string): ConfigResult {
  try {
    const { tree } = parseConfigGeneral(text, "main.conf", {
      interpolate: perlVariables,
      files: inMemory({}),
    });
    return { tree: toObject(tree) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { error: true };
  }
}

/** A configuration made of pieces, those left out that are read otherwise on purpose. */
function byChance(seed: number): string {
  const random = seeded(seed);
  const pick = (pieces: readonly string[]) => pieces[random(pieces.length)] ?? "";
  const word = () => pick(["a", "b", "Name", "x-y", "9", "ä", "a.b"]);
  const space = () => pick(["", " ", "  ", "\t"]);
  const value = () =>
    Array.from({ length: random(5) }, () =>
      pick([
        word(),
        word(),
        " ",
        '"',
        "'",
        "\\$",
        "\\\\",
        "\\#",
        '\\"',
        "$a",
        "${b}",
        "=",
        "#",
        "a#",
        "\\n",
        "/",
        "[",
        "\\",
        "%",
        ">",
        "x<",
      ]),
    ).join("");
  const lines: string[] = [];
  const open: string[] = [];
  for (let count = 1 + random(12); count > 0; count--) {
    switch (random(12)) {
      case 0:
        open.push(pick(["p", "q", "r-s"]));
        lines.push(`${space()}<${open.at(-1)}${pick(["", " b", ' "a b"', " $a", ""])}>${space()}`);
        break;
      case 1:
        if (open.length > 0) lines.push(`${space()}</${open.pop()}>`);
        break;
      case 2:
        lines.push(
          `${space()}${word()}${pick([" = ", " ", "="])}<<E`,
          ...Array.from({ length: random(4) }, () => space() + value()),
          `${space()}E`,
        );
        break;
      case 3:
        lines.push(pick(["# c", "/* c */", "", "/*\nx = y\n*/", `${word()} = a \\\n b`]));
        break;
      default:
        lines.push(`${space()}${word()}${pick([" = ", " ", "=", "  =", "\t"])}${value()}`);
        if (lines.at(-1)?.endsWith("\\")) lines.push("continued");
    }
  }
  // Now and then one is left open.
  if (random(10) > 0) while (open.length > 0) lines.push(`</${open.pop()}>`);
  return `${lines.join("\n")}\nend = x\n`;
}
