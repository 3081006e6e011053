import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  ConfigError,
  parseConfigGeneral,
  readConfiguration,
  toObject,
  type ConfigBlock,
  type ConfigNode,
} from "@spoolwire/program";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { inMemory } from "../../helpers/config-cases.js";

let top: string;
beforeAll(() => {
  top = temporaryDirectory("config");
});
afterAll(() => removeDirectory(top));

function write(name: string, text: string | Buffer): string {
  const path = join(top, name);
  writeFileSync(path, text);
  return path;
}

/** All lines of values and blocks, by their path in the tree. */
function lines(block: ConfigBlock, prefix = ""): Record<string, number[]> {
  const found: Record<string, number[]> = {};
  const visit = (path: string, node: ConfigNode) => {
    (found[path] ??= []).push(node.at.line);
    if (node.kind === "block") Object.assign(found, lines(node, `${path}/`));
  };
  for (const [name, nodes] of block.entries) for (const node of nodes) visit(prefix + name, node);
  return found;
}

/** What is wrong with a file, a line each, without its directory. */
async function faults(name: string, text: string | Buffer): Promise<string[]> {
  try {
    await readConfiguration(write(name, text));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.code).toBe("CONFIG_BAD_FILE");
    return error.message.replaceAll(`${top}/`, "").split("\n");
  }
  return [];
}

const apache = `a = 1
<b>
  c = x y

  c = 1.50
  d
</b>
e = true
e = <<EOT
two
lines
EOT
f = \\
  g
`;

const json = `{
  "a": 1,
  "b": {
    "c": ["x y",

          1.50],
    "d": null
  },
  "e": [true, "two\\nlines"],
  "f": "g"
}
`;

const yaml = `# the same
a: 1
b:
  c: [x y,

     1.50]
  d:
e:
  - true
  - |-
    two
    lines
f: g
`;

const same = { a: "1", b: { c: ["x y", "1.50"], d: null }, e: ["true", "two\nlines"], f: "g" };

test.each([
  ["x.conf", apache, { a: [1], b: [2], "b/c": [3, 5], "b/d": [6], e: [8, 9], f: [13] }],
  ["x.json", json, { a: [2], b: [3], "b/c": [4, 6], "b/d": [7], e: [9, 9], f: [10] }],
  ["x.yaml", yaml, { a: [2], b: [3], "b/c": [4, 6], "b/d": [7], e: [9, 10], f: [13] }],
  ["x.yml", yaml, { a: [2], b: [3], "b/c": [4, 6], "b/d": [7], e: [9, 10], f: [13] }],
])("%s is read to the same values, and every one knows its line", async (name, text, expected) => {
  const { tree } = await readConfiguration(write(name, text));
  expect(toObject(tree)).toEqual(same);
  expect(lines(tree)).toEqual(expected);
});

test("a value of an included file knows that file", () => {
  const files = inMemory({ "/d/x": "\nb = 1\n" });
  const { tree } = parseConfigGeneral("a = 1\n<<include x>>\nc = 1\n", "/d/main.conf", { files });
  const at = [...tree.entries.values()].map(([node]) => `${node?.at.file}:${node?.at.line}`);
  expect(at).toEqual(["/d/main.conf:1", "/d/x:2", "/d/main.conf:3"]);
});

describe("faults have their line:", () => {
  test.each([
    ["x.conf", "a = 1\n<b>\n</c>\n", ["x.conf:3: Expected </b> for the <b> of line 2, got </c>"]],
    ["x.conf", "<a>\n<b>\n</a>\n", ["x.conf:3: Expected </b> for the <b> of line 2, got </a>"]],
    ["x.conf", "<a>\n<b>\n", ["x.conf:1: Expected </a> for <a>", "x.conf:2: Expected </b> for <b>"]],
    [
      "x.conf",
      "a\n</a>\n= s3cret\n",
      ["x.conf:2: Expected <a> before </a>", "x.conf:3: Expected NAME = VALUE, got no name"],
    ],
    [
      "x.conf",
      "a = <<EOF\n\n",
      ["x.conf:1: Expected EOF at the end of the here-document, got the end of the file"],
    ],
    ["x.conf", "\n/* a\n\n", ["x.conf:2: Expected */ at the end of the comment, got the end of the file"]],
    ["x.conf", "a = b \\\n", ["x.conf:1: Expected a line after the backslash, got the end of the file"]],
    ["x.conf", "<<inclde x>>\n", ["x.conf:1: Expected <<include FILE>>"]],
    [
      "x.conf",
      "a\n<<include nowhere>>\n",
      ["x.conf:2: Expected a file to include, got nowhere: there is none"],
    ],
    ["x.conf", "a\n<<include x.conf>>\n", ["x.conf:2: Expected x.conf not to include itself"]],
    [
      "x.conf",
      `<<include ${"x".repeat(300)}>>\n</a>\n`,
      [
        expect.stringMatching(/^x\.conf:1: Cannot include x{300}: ENAMETOOLONG: /),
        "x.conf:2: Expected <a> before </a>",
      ],
    ],
    [
      "x.conf",
      "a = 1\n<b>\n</b>\n<b>\n</b>\n<b c>\n</b>\n",
      ["x.conf:6: Expected no <b NAME> after other values of b"],
    ],
    ["x.conf", Buffer.from("a = b\nc = \xff\n", "latin1"), ["x.conf:2: Expected UTF-8, got other bytes"]],
    ["x.json", "", ["x.json:1: Expected an object, got the end of the file"]],
    ["x.json", "\n[1]\n", ["x.json:2: Expected an object, got a list"]],
    ["x.json", '{"a": 1\n\n"b": 2}', ['x.json:3: Expected "," or "}", got a string']],
    ["x.json", '{"pass":\ns3cret}', ["x.json:2: Expected JSON, got something else"]],
    ["x.json", '{"pass": "s3cret" x}', ["x.json:1: Expected JSON, got something else"]],
    ["x.json", '{"a": [1,\n2,]}', ['x.json:2: Expected no "," before the end, got ]']],
    ["x.json", '{"a": 1,\n"a": 2}', ["x.json:2: Expected each name once in an object, got a string"]],
    ["x.json", '{"a": [\n[1]]}', ["x.json:2: Expected a value or an object, got a list"]],
    ["x.json", '{"a": "tab\there"}', ["x.json:1: Expected JSON, got something else"]],
    ["x.yaml", "- a\n- b\n", ["x.yaml:1: Expected names with values, got something else"]],
    ["x.yaml", "a: 1\nb: 2\na: 3\n", ["x.yaml:3: Expected a once, got it again"]],
    ["x.yaml", "a:\n  - - b\n", ["x.yaml:2: Expected a to hold no list in a list, got one"]],
    ["x.yaml", "a: &a {b: *a}\n", ["x.yaml:1: Expected at most 100 levels, got more"]],
    [
      "x.yaml",
      "a: 1\npass: *s3cret\n",
      ["x.yaml:2: Expected a value that begins with * to be in quotes, got an alias without its anchor"],
    ],
    ["x.yaml", "pass: s3cret: x\n", ["x.yaml:1: Nested mappings are not allowed in compact mappings"]],
  ])("%s %j", async (name, text, expected) => {
    expect(await faults(name, text)).toEqual(expected);
  });
});

test.each([
  "pass: !s3cret\n",
  "pass: !<s3cret> x\n",
  "pass: !!s3cret x\n",
  "pass: *s3cret\n",
  "pass: |s3cret\n",
  "pass: >s3cret\n",
  "pass: }s3cret\n",
  "pass: @s3cret\n",
  "pass: 'x's3cret\n",
  'pass: "\\Us3cret"\n',
  "%s3cret\n---\n",
])("a fault of %j does not show the secret", async (text) => {
  const found = await faults("x.yaml", text);
  expect(found).not.toEqual([]);
  expect(found.join()).not.toContain("s3c");
});

test("aliases take a time that grows with the document, not with its square", async () => {
  const lines = Array.from({ length: 9900 }, (_, n) => `b${n}: *a\n`);
  const { tree } = await readConfiguration(write("x.yaml", `a: &a x\n${lines.join("")}`));
  expect(toObject(tree)).toMatchObject({ b0: "x", b9899: "x" });
});

test("an alias stands for the last of its anchors before it", async () => {
  const { tree } = await readConfiguration(
    write("x.yaml", "a: &x {c: &y 1}\nb: *y\nd: &y 2\ne: *x\nf: *y\n"),
  );
  expect(toObject(tree)).toEqual({ a: { c: "1" }, b: "1", d: "2", e: { c: "1" }, f: "2" });
});

describe("there is a limit", () => {
  const files = inMemory(
    Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`/${n}`, `<<include ${n + 1}>>\n`])),
  );

  test.each([
    [
      "of files within one another",
      "<<include 1>>\n",
      "/31:1: Expected files to include one another at most 32 deep",
    ],
    ["of blocks within one another", "<a>\n".repeat(101), "/main:101: Expected blocks at most 100 deep"],
    ["of bytes", "a = b\n".repeat(1_000_000), "/main:1: Expected at most 1000 files of 4194304 bytes"],
  ])("%s", (_, text, message) => {
    expect(() => parseConfigGeneral(text, "/main", { files })).toThrow(message);
  });

  test("of bytes of a file, however long it is", async () => {
    await expect(readConfiguration("/dev/zero")).rejects.toThrow(
      "/dev/zero:1: Expected at most 4194304 bytes, got more",
    );
  });

  test.each([
    ["x.json", '{"a":'.repeat(10_000)],
    ["x.yaml", "{a: ".repeat(10_000)],
    ["x.yaml", Array.from({ length: 150 }, (_, n) => `${" ".repeat(n)}a:\n`).join("")],
  ])("of levels in %s", async (name, text) => {
    expect((await faults(name, text)).join()).toMatch(/^x\.\w+:\d+: Expected at most 100 levels/);
  });

  test("and a text without an end is refused as fast as any", async () => {
    const text = `{"a": "${"x".repeat(100_000)}`;
    expect(await faults("x.json", text)).toEqual(["x.json:1: Expected JSON, got something else"]);
    expect(await faults("x.json", text.replaceAll("xx", "\\n"))).toHaveLength(1);
  });

  test("of values that aliases stand for", async () => {
    const names = [..."abcdefghij"];
    const text = names.map((name, n) => {
      const before = n === 0 ? "x" : `*${names[n - 1] ?? ""}`;
      return `${name}: &${name} {p: ${before}, q: ${before}, r: ${before}, s: ${before}}\n`;
    });
    expect((await faults("x.yaml", text.join(""))).join()).toContain(
      "Expected at most 10000 values, got more",
    );
  });
});
