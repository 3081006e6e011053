import { describe, expect, test } from "vitest";
import { BrokerError, Message, MessageError, type Header } from "@spoolwire/message";

describe("a message", () => {
  test("is empty and binary or text by its body alone", () => {
    expect(new Message().stringify()).toBe('{"text":true}');
    expect(new Message({ body: "" }).isText).toBe(true);
    expect(new Message({ body: Buffer.alloc(0) }).isText).toBe(false);
    expect(new Message({ body: Buffer.alloc(0) }).stringify()).toBe("{}");
  });

  test("writes header, text, encoding and body, and leaves out what is empty or false", () => {
    const header = { b: "1", a: "" };
    expect(new Message({ header, body: "x" }).stringify()).toBe(
      '{"header":{"b":"1","a":""},"text":true,"body":"x"}',
    );
    expect(new Message({ header, body: Buffer.of(0) }).stringify()).toBe(
      '{"header":{"b":"1","a":""},"encoding":"base64","body":"AA=="}',
    );
  });

  test("serializes to UTF-8 without a byte order mark", () => {
    const bytes = new Message({ header: { é: "☺" }, body: "😀" }).serialize();
    expect(bytes.toString("latin1")).toBe(
      '{"header":{"\xc3\xa9":"\xe2\x98\xba"},"text":true,"body":"\xf0\x9f\x98\x80"}',
    );
  });

  test("keeps bytes of its own when it is made of a Uint8Array that is no Buffer", () => {
    const bytes = new Uint8Array([1, 2]);
    const { body } = new Message({ body: bytes });
    bytes[0] = 9;
    expect(body).toStrictEqual(Buffer.of(1, 2));
  });

  test("has a header of its own, without a prototype", () => {
    const given: Header = { a: "1" };
    const message = new Message({ header: given });
    message.header.a = "2";
    expect(given.a).toBe("1");
    expect(message.header.constructor).toBeUndefined();
    expect("hasOwnProperty" in message.header).toBe(false);
  });

  test("takes __proto__ as a name for a header field in all forms", () => {
    const message = new Message({ header: { ["__proto__"]: "x" } });
    expect(Object.keys(message.header)).toStrictEqual(["__proto__"]);
    expect(Object.keys(message.copy().header)).toStrictEqual(["__proto__"]);
    expect(Object.keys(Message.dejsonify(message.jsonify()).header)).toStrictEqual(["__proto__"]);
    expect(message.size).toBe(1 + 2 + 9 + 1);
  });

  test("shares nothing with its copy", () => {
    const message = new Message({ header: { a: "1" }, body: Buffer.from("abc") });
    const copy = message.copy();
    expect(copy).toStrictEqual(message);
    copy.header.a = "2";
    copy.header.b = "3";
    (copy.body as Buffer)[0] = 0x7a;
    expect(message).toStrictEqual(new Message({ header: { a: "1" }, body: Buffer.from("abc") }));
    expect(new Message({ body: "text" }).copy()).toStrictEqual(new Message({ body: "text" }));
  });

  test("cannot be written with a header field that is no string", () => {
    for (const value of [1, null, undefined, {}, ["x"]]) {
      const message = new Message({ header: { a: value as string } });
      expect(() => message.stringify()).toThrow(
        new TypeError(`Expected header "a" to be a string, got ${typeof value}`),
      );
    }
  });

  test("cannot be written with a body that is neither a string nor a Buffer", () => {
    for (const body of [new Uint8Array([1, 2]), new ArrayBuffer(2), {}, 12, null, undefined]) {
      const message = new Message();
      message.body = body as Buffer;
      const words = /^Expected the body to be a string or a Buffer, got /;
      expect(() => message.serialize()).toThrow(words);
      expect(() => message.stringify({ compression: "zlib!" })).toThrow(words);
    }
  });

  test("cannot be written with half of a surrogate pair", () => {
    for (const half of ["\ud83d", "x\ude00", "\ude00\ud83d"]) {
      expect(() => new Message({ body: half }).serialize()).toThrow(/^Expected the body to be Unicode text/);
      expect(() => new Message({ header: { a: half } }).serialize()).toThrow(
        /^Expected a to be Unicode text/,
      );
      expect(() => new Message({ header: { [half]: "a" } }).serialize()).toThrow(/be Unicode text/);
    }
    expect(new Message({ body: "\ud83d\ude00" }).stringify()).toBe('{"text":true,"body":"😀"}');
  });
});

describe("the size of a message", () => {
  test.each<[string, number, ConstructorParameters<typeof Message>[0]]>([
    ["nothing", 1, {}],
    ["a text, in characters", 5, { body: "café" }],
    ["a text beyond the basic plane, in characters as Perl and Python count them", 4, { body: "a😀b" }],
    ["bytes", 6, { body: Buffer.from("café") }],
    ["header fields", 1 + (2 + 1 + 2) + (2 + 2 + 0), { header: { a: "bc", dé: "" } }],
    ["both", 1 + 3 + (2 + 1 + 1), { header: { "😀": "é" }, body: "xyz" }],
  ])("counts %s", (_, size, fields) => {
    expect(new Message(fields).size).toBe(size);
  });
});

describe("errors", () => {
  test("have a name and a code, and keep their cause", () => {
    const cause = new Error("why");
    const error = new MessageError("MESSAGE_BAD_JSON", "what", { cause });
    expect(error).toMatchObject({ name: "MessageError", code: "MESSAGE_BAD_JSON", message: "what", cause });
    expect(new BrokerError("BROKER_CLOSED", "gone", { cause }).cause).toBe(cause);
  });

  test.each([
    ["BROKER_CONNECT", true],
    ["BROKER_AUTH", false],
    ["BROKER_TIMEOUT", true],
    ["BROKER_PROTOCOL", false],
    ["BROKER_CLOSED", true],
    ["BROKER_REJECTED", false],
  ] as const)("%s may be tried again: %s, unless it is said", (code, canRetry) => {
    expect(new BrokerError(code, "x").canRetry).toBe(canRetry);
    expect(new BrokerError(code, "x", { canRetry: !canRetry }).canRetry).toBe(!canRetry);
  });
});
