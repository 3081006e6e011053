// The schema of a normal queue, and how its fields are written. What Perl and Python do is said where the two
// differ; the common cases are in test/interop as well.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NormalQueue, type DirqError, type Fields, type FieldsToAdd } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { remainsBelow } from "../../helpers/file-calls.js";

let path: string;
beforeEach(() => (path = temporaryDirectory("schema")));
afterEach(() => removeDirectory(path));

type Types = Record<string, string>;
const open = (schema: unknown) => new NormalQueue({ path, schema: schema as Types });
const badData = (text: string) =>
  expect.objectContaining({
    ...{ name: "DirqError", code: "DIRQ_BAD_DATA" },
    message: expect.stringContaining(text) as string,
  }) as DirqError;

describe("a schema", () => {
  test.each<Types>([
    { body: "binary" },
    { body: "string" },
    { body: "table" },
    { body: "string", header: "table?" },
    { body: "string*", header: "table?*", more: "binary*?" },
    // Not meant, but taken by Perl and Python.
    { body: "string**", header: "table??" },
    { 0: "string", Z: "string", a1B2: "string?" },
    { constructor: "string", toString: "binary?" },
  ])("is taken: %j", (schema) => {
    expect(() => open(schema)).not.toThrow();
  });

  test.each<[unknown, string]>([
    ["body", "Expected `schema` to be an object of field names and types, got 'body' (string)"],
    [null, "got null (object)"],
    [["string"], "got [ 'string' ] (object)"],
    [{}, "Expected `schema` to have a field that is not optional"],
    [{ body: "string?", header: "table*?" }, "Expected `schema` to have a field that is not optional"],
    [
      { body: "text" },
      "Expected `schema.body` to be binary, string or table, or with ?, got 'text' (string)",
    ],
    [{ body: "String" }, "got 'String'"],
    [{ body: "string???" }, "got 'string???'"],
    [{ body: "?string" }, "got '?string'"],
    [{ body: " string" }, "got ' string'"],
    [{ body: "" }, "got ''"],
    [{ body: 7 }, "got 7 (number)"],
    [{ body: ["string"] }, "got [ 'string' ] (object)"],
    // The originals take a newline at the end.
    [{ body: "string\n" }, "got 'string\\n'"],
    [{ "body\n": "string" }, "to be letters and digits, and not locked, got 'body\\n'"],
    [{ "a-b": "string" }, "got 'a-b'"],
    [{ a_b: "string" }, "got 'a_b'"],
    [{ "../x": "string" }, "got '../x'"],
    [{ "": "string" }, "got ''"],
    [{ é: "string" }, "got 'é'"],
    // A file of this name would lock the element for ever. Python takes it.
    [{ body: "string", locked: "string" }, "got 'locked'"],
  ])("is refused: %j", (schema, text) => {
    expect(() => open(schema)).toThrow(TypeError);
    expect(() => open(schema)).toThrow(text);
    expect(remainsBelow(path)).toEqual([]);
  });
});

describe("an element", () => {
  const schema = { b: "binary?", s: "string?", t: "table?", must: "string" };

  test.each<[FieldsToAdd, Record<string, string>]>([
    [{ must: "" }, { must: "" }],
    [{ must: "Zürich €\u{1f600}\0\r\n\u2028\ufeff" }, { must: "Zürich €\u{1f600}\0\r\n\u2028\ufeff" }],
    [{ must: "\ufefffirst" }, { must: "\ufefffirst" }],
    [
      { must: "x", s: "y", b: Buffer.from("z"), t: {} },
      { must: "x", s: "y", b: "z", t: "" },
    ],
    [
      { must: "x", b: new Uint8Array([97, 98, 99]).subarray(1) },
      { must: "x", b: "bc" },
    ],
    [{ must: "x", s: undefined as unknown as string }, { must: "x" }],
  ])("%# is written field by field, and read again", (element, files) => {
    const queue = open(schema);
    const name = queue.add(element);
    for (const [field, text] of Object.entries(files)) {
      expect(readFileSync(join(path, name, field), "utf8")).toBe(text);
    }
    expect(remainsBelow(path)).toHaveLength(1 + Object.keys(files).length);
    queue.lock(name);
    const expected: Fields = {};
    for (const [field, value] of Object.entries(element)) {
      if (value !== undefined) expected[field] = value instanceof Uint8Array ? Buffer.from(value) : value;
    }
    expect(queue.get(name)).toEqual(expected);
  });

  test.each<[string, unknown, string]>([
    ["without a field that it must have", {}, "Expected an element with the field `must`"],
    ["with an inherited one", Object.create({ must: "" }), "Expected an element with the field `must`"],
    ["with an undefined one", { must: undefined }, "Expected an element with the field `must`"],
    ["with an unknown field", { must: "", other: "" }, "Unknown field `other` of an element"],
    ["with a field that objects inherit", { must: "", toString: "" }, "Unknown field `toString`"],
    ["with null", { must: null }, "Expected the field `must` to be a string"],
    ["with a number", { must: 7 }, "Expected the field `must` to be a string"],
    ["with bytes as a string", { must: Buffer.from("x") }, "Expected the field `must` to be a string"],
    ["with a lone surrogate", { must: "\ud800" }, "Expected the field `must` to be a string without lone"],
    ["with a string as bytes", { must: "", b: "x" }, "Expected the field `b` to be a Buffer or Uint8Array"],
    ["with numbers as bytes", { must: "", b: [1] }, "Expected the field `b` to be"],
    ["with a string as a table", { must: "", t: "x" }, "Expected the field `t` to be an object of strings"],
    ["with a list as a table", { must: "", t: ["x"] }, "Expected the field `t` to be"],
    ["with bytes as a table", { must: "", t: Buffer.from("x") }, "Expected the field `t` to be"],
    ["with a number in a table", { must: "", t: { a: 1 } }, "Expected the field `t` to be"],
    ["with a lone surrogate in a table", { must: "", t: { a: "\udc00" } }, "Expected the field `t` to be"],
    ["with a lone surrogate as a key", { must: "", t: { "\udc00": "" } }, "Expected the field `t` to be"],
  ])("%s is a TypeError, and nothing is written", (_, element, text) => {
    const queue = open(schema);
    const add = () => queue.add(element as FieldsToAdd);
    expect(add).toThrow(TypeError);
    expect(add).toThrow(text);
    expect(remainsBelow(path)).toEqual([]);
  });

  test("that is not what it should be is not told in an error: it may be a secret", () => {
    expect(() => open(schema).add({ must: Buffer.from("secret") })).toThrow(/^(?!.*secret)/);
  });
});

/** Make an element of files, and read it. */
function read(schema: Types, files: Record<string, string | Buffer>): Fields {
  const name = "00000000/6553f000000000";
  mkdirSync(join(path, name), { recursive: true });
  for (const [field, data] of Object.entries(files)) writeFileSync(join(path, name, field), data);
  const queue = open(schema);
  queue.lock(name);
  return queue.get(name);
}

describe("an element on disk", () => {
  test("may lack what is optional, and have what is not in the schema", () => {
    const files = { body: "x", other: "y", "foreign.txt": "z" };
    expect(read({ body: "string", header: "table?" }, files)).toEqual({ body: "x" });
  });

  test("must have what is not optional", () => {
    expect(() => read({ body: "string", header: "table" }, { body: "x" })).toThrow(
      badData(`Expected an element with the field ${path}/00000000/6553f000000000/header`),
    );
  });

  test.each(["string", "table"])("must be UTF-8 as a %s", (type) => {
    for (const bytes of [
      [0xff],
      [0x61, 9, 0xc3],
      [0xed, 0xa0, 0x80],
      [0xc0, 0x80],
      [0xf4, 0x90, 0x80, 0x80],
    ]) {
      expect(() => read({ body: type }, { body: Buffer.from(bytes) })).toThrow(badData("body to be UTF-8"));
    }
  });

  test("keeps a byte order mark", () => {
    expect(read({ body: "string" }, { body: "\ufeffx" })).toEqual({ body: "\ufeffx" });
  });
});

describe("a table", () => {
  const tables: [Types, string][] = [
    [{}, ""],
    [{ "": "" }, "\t\n"],
    [{ a: "" }, "a\t\n"],
    [{ "": "a" }, "\ta\n"],
    [{ b: "2", a: "1", B: "3", 10: "4", 9: "5" }, "10\t4\n9\t5\nB\t3\na\t1\nb\t2\n"],
    [{ "a\tb": "c\td" }, "a\\tb\tc\\td\n"],
    [{ "a\nb": "\n" }, "a\\nb\t\\n\n"],
    [{ "\\": "\\\\", "\\t": "\\n" }, "\\\\\t\\\\\\\\\n\\\\t\t\\\\n\n"],
    [{ "\\\t": "\\\n" }, "\\\\\\t\t\\\\\\n\n"],
    [{ "\r": "\r\n", "=": "a=b", "\0": "\0" }, "\0\t\0\n\r\t\r\\n\n=\ta=b\n"],
    [{ "\u2028": "\u2029\x85\v\f" }, "\u2028\t\u2029\x85\v\f\n"],
    [{ é: "€", "\u{1f600}": "\u{1f601}" }, "é\t€\n\u{1f600}\t\u{1f601}\n"],
    // By code point as in Perl and Python, not by JavaScript's own order.
    [{ "\u{1f600}": "2", "\uff5e": "1" }, "\uff5e\t1\n\u{1f600}\t2\n"],
    // Sorted before they are escaped.
    [{ "\n": "1", A: "2" }, "\\n\t1\nA\t2\n"],
    [JSON.parse('{"__proto__":"x","constructor":"y"}') as Types, "__proto__\tx\nconstructor\ty\n"],
  ];

  test.each(tables)("is lines of keys and values: %j", (table, text) => {
    const queue = open({ table: "table" });
    const name = queue.add({ table });
    expect(readFileSync(join(path, name, "table"), "utf8")).toBe(text);
    queue.lock(name);
    const { table: found } = queue.get(name);
    expect(Object.entries(found!).sort()).toEqual(Object.entries(table).sort());
    expect(Object.getPrototypeOf(found)).toBeNull();
  });

  test.each<[string, string, Types]>([
    ["an unknown escape is kept literally", "\\x\t\\0\\\\n\\\n", { "\\x": "\\0\\n\\" }],
    ["the last of several lines with one key wins", "a\t1\nb\t2\na\t3\n", { a: "3", b: "2" }],
    ["lines need not be in order", "b\t1\na\t2\n", { a: "2", b: "1" }],
    ["the last line may lack its end", "a\t1\nb\t2", { a: "1", b: "2" }],
    ["empty lines at the end do not count", "a\t1\n\n\n", { a: "1" }],
    ["nothing but line ends is an empty table", "\n\n", {}],
  ])("%s", (_, text, table) => {
    expect(read({ table: "table" }, { table: text })).toEqual({ table });
  });

  test("of more lines than an array can have is read", () => {
    expect(read({ table: "table" }, { table: "\n".repeat(2 ** 27 + 1) })).toEqual({ table: {} });
  });

  test("of very many empty lines is refused at once", () => {
    const started = performance.now();
    const table = `${"\n".repeat(200_000)}x`;
    expect(() => read({ table: "table" }, { table })).toThrow("in line 1");
    // It was a minute.
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test.each<[string, string, number]>([
    ["a line without a tab", "a\n", 1],
    ["a line with two tabs", "a\tb\nc\td\te\n", 2],
    ["an empty line within", "a\tb\n\nc\td\n", 2],
    ["a space for a tab", "a b\n", 1],
    // As in Perl. Python passes over empty lines at the beginning.
    ["an empty line at the beginning", "\na\tb\n", 1],
  ])("with %s is DIRQ_BAD_DATA", (_, text, line) => {
    expect(() => read({ table: "table" }, { table: text })).toThrow(
      badData(`table is no table: Expected a key, a tab and a value in line ${line}`),
    );
  });
});
