import fc from "fast-check";
import { expect, test } from "vitest";
import { Message, MessageError } from "@spoolwire/message";
import { mutate, seeded } from "../../helpers/bytes.js";

/** Any well-formed text: halves of surrogate pairs are never on their own. */
const text = fc.string({ unit: "binary" });
const bytes = fc.uint8Array().map((array) => Buffer.from(array));
/** `Object.fromEntries` makes `__proto__` a field like any other. */
const header = fc.array(fc.tuple(text, text)).map((fields) => Object.fromEntries(fields));

const message = fc
  .record({
    header,
    body: fc.oneof(
      text,
      bytes,
      text.map((latin) => Buffer.from(latin, "latin1")),
    ),
  })
  .map((fields) => new Message(fields));

test("any message is the same after stringify and serialize", () => {
  fc.assert(
    fc.property(message, (original) => {
      expect(Message.destringify(original.stringify())).toStrictEqual(original);
      expect(Message.deserialize(original.serialize())).toStrictEqual(original);
      expect(Message.dejsonify(original.jsonify())).toStrictEqual(original);
    }),
    { numRuns: 500 },
  );
});

test("any message is the same when its JSON is written as Python does", () => {
  fc.assert(
    fc.property(message, (original) => {
      const spaced = JSON.stringify(original.jsonify(), undefined, 1).replaceAll(/\n */g, " ");
      const ascii = spaced.replaceAll(
        /[\x7f-\uffff]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
      );
      expect(Message.deserialize(Buffer.from(ascii, "latin1"))).toStrictEqual(original);
    }),
  );
});

test("long text is written as JSON.stringify does, whatever is in its lines", () => {
  const plain = `${"x".repeat(59)}\n`.repeat(30);
  const check = (something: string) => {
    for (const body of [plain + something, something + plain, plain + something + plain]) {
      expect(new Message({ body }).stringify()).toBe(JSON.stringify({ text: true, body }));
    }
  };
  for (let code = 0; code < 0x100; code++) check(String.fromCharCode(code));
  check("\n".repeat(100));
  fc.assert(fc.property(text, check));
});

test("its size is the same on both sides and its JSON never alters by being read and written", () => {
  fc.assert(
    fc.property(message, (original) => {
      const once = Message.deserialize(original.serialize());
      expect(once.size).toBe(original.size);
      expect(once.serialize()).toStrictEqual(original.serialize());
    }),
  );
});

test("damaged JSON is a message or a MessageError, and nothing else", () => {
  const random = seeded(1);
  const words = [
    '"',
    "\\",
    "{",
    "}",
    "[",
    ",",
    ":",
    "1",
    "-",
    "1e5",
    "null",
    "true",
    "false",
    "\\u0000",
  ].concat([
    "\\ud800",
    "é",
    "\ufeff",
    "base64",
    "utf8",
    "+",
    "=",
    '"text":',
    '"body":',
    '"header":',
    '"encoding":',
    " ",
    "__proto__",
  ]);
  const originals = [
    new Message({ header: { a: "1", b: "é" }, body: "text ☺ 😀\n" }),
    new Message({ header: { "x-y": "\\" }, body: Buffer.of(0, 1, 2, 250, 255) }),
    new Message({ body: Buffer.from("plain\r\n") }),
  ].map((original) => original.serialize());
  originals.push(
    Buffer.from('{"text": true, "encoding": "utf8+base64", "body": "Y2Fmw6k=", "header": {"n": 1.50}}'),
    Buffer.from('{"body": 12345678901234567890, "encoding": "utf8"}'),
  );
  const outcomes = { message: 0, MESSAGE_BAD_JSON: 0, MESSAGE_BAD_ENCODING: 0 };
  for (let round = 0; round < 5000; round++) {
    const mutant = mutate(originals[random(originals.length)] ?? Buffer.alloc(0), random, words);
    let read: Message;
    try {
      read = Message.deserialize(mutant);
    } catch (error) {
      if (!(error instanceof MessageError))
        throw new Error(`On ${mutant.toString("latin1")}`, { cause: error });
      outcomes[error.code as keyof typeof outcomes]++;
      continue;
    }
    outcomes.message++;
    expect(Message.deserialize(read.serialize())).toStrictEqual(read);
  }
  expect(outcomes.message).toBeGreaterThan(100);
  expect(outcomes.MESSAGE_BAD_JSON).toBeGreaterThan(1000);
  expect(outcomes.MESSAGE_BAD_ENCODING).toBeGreaterThan(50);
  expect(Object.keys(outcomes)).toHaveLength(3);
});
