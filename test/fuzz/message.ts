import assert from "node:assert/strict";
import { Message, MessageError, MessageGenerator, type Compression } from "@spoolwire/message";
import { mutate, type Random } from "../helpers/bytes.js";
import type { Fuzz } from "./fuzz.js";
import { readAsReference, type Expected } from "./reference.js";

const compressions = ["zlib!", "lz4!", "snappy!"] as const;

/** Pieces that make damage meaningful. */
const words = [
  ...['"', "\\", "{", "}", "[", "]", ",", ":", "1", "-", "1e5", "1.50", "null", "true", "false", " ", "\n"],
  ...["\\u0000", "\\ud800", "\\ude00", "é", "☺", "😀", "\ufeff", "\0", "__proto__", "constructor"],
  ...["base64", "utf8", "zlib", "lz4", "snappy", "+", "=", "==", "AAAA", "-_", '"text":', '"body":'],
  ...['"header":', '"encoding":', '"text":true,', '"encoding":"zlib",', '{"a":"b"}', "[[[[", "x"],
];

/** Serialized messages, of which each input is a damaged copy. */
const originals: readonly Buffer[] = [
  ...[
    '{"text": true, "encoding": "utf8+base64", "body": "Y2Fmw6k=", "header": {"n": 1.50}}',
    '{"body": 12345678901234567890, "encoding": "utf8"}',
    '{"header":{"a":1,"b":"2"},"text":true,"body":3}',
    "{}",
  ].map((json) => Buffer.from(json)),
  ...Array.from({ length: 20 }, (_, seed) => {
    const message = new MessageGenerator({
      text: "0-1",
      bodyLength: "0-40",
      bodyEntropy: "0-4",
      headerCount: "0-3",
      headerNameLength: "1-9",
      headerNameEntropy: "1-4",
      headerValueLength: "0-9",
      headerValueEntropy: "1-4",
      seed,
    }).message();
    return [undefined, ...compressions].map((compression) => message.serialize({ compression }));
  }).flat(),
];

const bodies = ["", "a", "a".repeat(100), "abcabcabcabcabc, abc", "☺é😀".repeat(10), "\0\xff\x80".repeat(9)];

/** Bodies compressed, of which the bytes themselves are damaged. */
const packed = bodies.flatMap((body) =>
  compressions.map((compression) => {
    // Nothing is never compressed: a byte is put in its place.
    const { body: base64 = "" } = new Message({ body: body || "\0" }).jsonify({ compression });
    return { encoding: compression.slice(0, -1), bytes: Buffer.from(base64, "base64") };
  }),
);

const pick = <Item>(items: readonly Item[], random: Random): Item => items[random(items.length)] as Item;

/** One of the known forms with a part or two of another kind. */
function assemble(random: Random): Buffer {
  const parts = [
    null,
    true,
    false,
    0,
    -1.5,
    "",
    "a",
    "é",
    "☺",
    "QQ==",
    [],
    ["a"],
    {},
    { a: "b" },
    { a: { b: 1 } },
  ];
  const names = ["base64", "utf8", "zlib", "lz4", "snappy", "", "x"];
  const json: Record<string, unknown> = {};
  if (random(2)) json.text = random(4) ? random(2) === 0 : pick(parts, random);
  if (random(2)) json.body = pick(parts, random);
  if (random(2)) json.header = random(4) ? { a: pick(parts, random), b: "" } : pick(parts, random);
  if (random(2)) {
    const list = Array.from({ length: random(4) }, () => pick(names, random)).join("+");
    json.encoding = random(4) ? list : pick(parts, random);
  }
  if (random(20) === 0) json[pick(["Body", "x", "__proto__", ""], random)] = "a";
  return Buffer.from(JSON.stringify(json));
}

function repack(random: Random): Buffer {
  const { encoding, bytes } = pick(packed, random);
  const body = mutate(bytes, random, ["\0", "\0\0\0\0", "a", "aaaaaaaa", "\x7f", "\x01\0", "\x04\0"]);
  const json = { encoding: `base64+${encoding}`, text: random(2) === 0, body: body.toString("base64") };
  return Buffer.from(JSON.stringify(json));
}

function makeInput(random: Random): Buffer {
  switch (random(6)) {
    case 0:
      return assemble(random);
    case 1:
    case 2:
      return repack(random);
    default:
      return mutate(pick(originals, random), random, words);
  }
}

/** The message, or the code of the refusal; any other error is none of these. */
function read(input: Buffer): Message | MessageError {
  try {
    return Message.deserialize(input);
  } catch (error) {
    if (error instanceof MessageError) return error;
    throw error;
  }
}

export const message: Fuzz = {
  name: "message",
  summary: "damaged messages: read exactly as the reference has it, or refused with a MessageError",
  attempt(random) {
    const input = makeInput(random);
    try {
      const expected = readAsReference(input);
      const found = read(input);
      if (found instanceof MessageError) {
        assert(typeof expected !== "object", `refused, though it is a message: ${found.message}`);
        assert(found.message.length < 300 && !/[\0-\x1f]/.test(found.message), "an unreadable error text");
        return found.code;
      }
      assert(typeof expected !== "string", `taken for a message in spite of ${expected as string}`);
      if (expected) compare(found, expected);
      const compression: Compression | undefined = pick([undefined, ...compressions], random);
      assert.deepEqual(Message.deserialize(found.serialize({ compression })), found);
      return "message";
    } catch (error) {
      throw new Error(`on ${input.toString("base64")} (base64)`, { cause: error });
    }
  },
};

function compare({ header, body }: Message, expected: Expected): void {
  assert.deepEqual(Object.keys(header), Object.keys(expected.header));
  for (const [name, value] of Object.entries(expected.header)) {
    if (typeof value === "number") assert.equal(Number(header[name]), value);
    else assert.equal(header[name], value);
  }
  if (typeof expected.body === "number") assert.equal(Number(body.toString("latin1")), expected.body);
  else assert.deepEqual(body, expected.body);
}
