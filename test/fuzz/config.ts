import assert from "node:assert/strict";
import {
  bindTree,
  ConfigError,
  perlVariables,
  readConfiguration,
  type ConfigBlock,
  type ConfigFiles,
  type OptionEntry,
} from "@spoolwire/program";
import { mutate } from "../helpers/bytes.js";
import type { Fuzz } from "./fuzz.js";

const entries = [
  { name: "outgoing-broker-uri", type: "string", help: "" },
  { name: "outgoing-broker-auth", type: "credential", many: true, help: "" },
  { name: "incoming-queue", type: "properties", help: "" },
  { name: "subscribe", type: "properties", many: true, help: "" },
  { name: "loop", type: "boolean", help: "" },
] as const satisfies readonly OptionEntry[];

/** Files that mutants are made of. */
const originals = [
  {
    name: "x.conf",
    text: `<prog>
loop = yes # comment
<outgoing broker>
  uri = "stomp://\${loop}:1" /* comment */
  <auth>
    scheme = plain
    name = \\$n
    pass = p \\
      q
  </auth>
</outgoing>
</prog>
incoming-queue = <<EOT
  path=/a
  EOT
<<include y>>
<subscribe/>
subscribe destination=/x
`,
  },
  {
    name: "x.json",
    text: '{"outgoing":\n{"broker-uri": "a\\u00e9\\n"},\n"subscribe": [{"a": 1.5e3, "b": null}, "c=d"], "loop": "on"}',
  },
  {
    name: "x.yaml",
    text: `incoming-queue: &a {path: 2.50, type: ~}
outgoing:
  broker-uri: "x\\n"
subscribe:
  - *a
  - destination: >-
      two
      lines
  - a='it''s'
loop: on # comment
`,
  },
];

const words = [
  ...[
    "\n",
    "\r\n",
    " ",
    "\t",
    "=",
    "#",
    "\\",
    '"',
    "'",
    "$a",
    "${",
    "<",
    ">",
    "</",
    "<a>",
    "</a>",
    "/>",
    "<<",
    "<<E\n",
  ],
  ...[
    "/*",
    "*/",
    "E\n",
    "<<include y>>",
    "[",
    "]",
    "{",
    "}",
    ":",
    ",",
    "- ",
    "&a ",
    "*a",
    "!!str ",
    "|",
    "---\n",
    "? ",
  ],
  ...["null", "1e9", "\0", "\ufeff", "é", "\ud800", "__proto__", "plain", "%", "%41", "loop", "subscribe"],
];

export const config: Fuzz = {
  name: "config",
  summary: "damaged configuration files: read with a line for every value, or refused with lines",
  async attempt(random) {
    const original = originals[random(originals.length)];
    assert(original);
    const { name } = original;
    const text = mutate(Buffer.from(original.text), random, words).toString("utf8");
    const most = text.split("\n").length;
    const where = `on ${name} ${JSON.stringify(text)}`;
    let tree: ConfigBlock;
    try {
      ({ tree } = await readConfiguration(name, {
        interpolate: perlVariables,
        files: filesWith(name, text),
      }));
    } catch (error) {
      assert(error instanceof ConfigError && error.code === "CONFIG_BAD_FILE", `${where}: ${String(error)}`);
      assert(error.problems.length > 0, where);
      for (const { at } of error.problems) assert(at && at.line >= 1 && at.line <= most, where);
      return `${name} refused`;
    }
    checkLines(tree, most, where);
    const { given, problems } = bindTree(tree, entries, "prog");
    for (const { at } of [...given, ...problems]) assert(at && at.line >= 1 && at.line <= most, where);
    for (const option of given)
      assert(
        entries.some((entry) => entry.name === option.name),
        where,
      );
    return problems.length > 0 ? `${name} misfit` : `${name} read`;
  },
};

/** What may be read: never the disk. */
const filesWith = (name: string, text: string): ConfigFiles => ({
  read: (path) => (path === name ? text : "<subscribe>\na = b\n</subscribe>\n"),
  find: (target) => (target === "y" ? ["y"] : undefined),
});

function checkLines({ entries }: ConfigBlock, most: number, where: string): void {
  for (const [name, nodes] of entries) {
    assert(name !== "" && nodes.length > 0, where);
    for (const node of nodes) {
      assert(node.at.line >= 1 && node.at.line <= most, where);
      if (node.kind === "block") checkLines(node, most, where);
    }
  }
}
