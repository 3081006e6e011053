// What is written as a configuration is read as the same again, by us and by Perl.
import {
  formatOption,
  formatProperties,
  parseConfigGeneral,
  parseProperties,
  toObject,
} from "@spoolwire/program";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readWithPerl } from "../../helpers/config-cases.js";
import { requires } from "../../helpers/requirements.js";

/** Pieces that mean something to a reader, and others. */
const text = fc
  .array(
    fc.constantFrom(
      "a",
      "b c",
      " ",
      "\n",
      "\t",
      "#",
      '"',
      "'",
      "\\",
      "$",
      "<",
      ">",
      "<<",
      "/*",
      "*/",
      "=",
      "EOT",
      "</a>",
      "é☺",
      "%",
      ",",
    ),
    { maxLength: 8 },
  )
  .map((pieces) => pieces.join(""));

test("an option that is written down is read as it was", () => {
  fc.assert(
    fc.property(text, (value) => {
      const written = formatOption("name", value, "x.conf:3");
      expect(toObject(parseConfigGeneral(written, "x").tree)).toEqual({ name: value });
    }),
    { numRuns: 1000, seed: 1 },
  );
});

test("properties that are written down are read as they were", () => {
  const key = fc.constantFrom("a", "b-c", "d.e", "__proto__", "é");
  fc.assert(
    fc.property(fc.dictionary(key, fc.oneof(text, fc.string())), (properties) => {
      expect({ ...parseProperties(formatProperties(properties, "x"), "x") }).toEqual({ ...properties });
    }),
    { numRuns: 500, seed: 1 },
  );
  expect(() => formatProperties({ "a b": "c" }, "x")).toThrow(
    'Expected each key of x to be a word without = and comma, got "a b"',
  );
});

describe.runIf(requires("config-general"))("Perl's Config::General", () => {
  test("reads what is written down as it was", { timeout: 60_000 }, () => {
    const values = fc.sample(text, { numRuns: 150, seed: 2 });
    const results = readWithPerl(values.map((value) => ({ files: formatOption("name", value, "note") })));
    expect(results).toEqual(values.map((name) => ({ tree: { name } })));
  });
});
