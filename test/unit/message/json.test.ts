import { constants } from "node:buffer";
import { describe, expect, test } from "vitest";
import { Message, MessageError, parseJson } from "@spoolwire/message";

/** The error that reading ends in. */
function refusal(json: string | Uint8Array): MessageError {
  try {
    parseJson(json);
  } catch (error) {
    if (error instanceof MessageError) return error;
    throw error;
  }
  throw new Error(`Not refused: ${String(json)}`);
}

const read = (json: string) => {
  const { header, body } = Message.deserialize(Buffer.from(json));
  return { header: { ...header }, body };
};

describe("reads", () => {
  test.each<[string, string, { header?: Record<string, string>; body?: string | Buffer }]>([
    ["the empty message", "{}", {}],
    [
      "the empty message with all that may be left out",
      '{"header":{},"body":"","text":false,"encoding":""}',
      {},
    ],
    ["the empty text", '{"text":true}', { body: "" }],
    [
      "what Perl writes: no spaces, UTF-8 as it is, any order of keys",
      '{"body":"café ☺ 😀\\n","header":{"destination":"/queue/a","x":""},"text":true}',
      { header: { destination: "/queue/a", x: "" }, body: "café ☺ 😀\n" },
    ],
    [
      "what Perl writes for bytes: base64 of all of them",
      '{"body":"AP/+CQ==","encoding":"base64","header":{"a":"b"}}',
      { header: { a: "b" }, body: Buffer.of(0, 255, 254, 9) },
    ],
    [
      "what Perl writes for text that is encoded further: names sorted",
      '{"body":"Y2Fmw6k=","encoding":"base64+utf8","text":true}',
      { body: "café" },
    ],
    [
      "what Python writes: spaces after comma and colon, everything beyond ASCII escaped",
      '{"text": true, "body": "caf\\u00e9 \\u263a \\ud83d\\ude00", "header": {"k\\u00e9": "v \\u20ac"}}',
      { header: { ké: "v €" }, body: "café ☺ 😀" },
    ],
    [
      "what Python writes for text that is encoded further: names in order of application",
      '{"text": true, "encoding": "utf8+base64", "body": "Y2Fmw6k="}',
      { body: "café" },
    ],
    ["white space anywhere between", ' \t\r\n{ "body" : "x" } \n', { body: Buffer.from("x") }],
    ["of a key that is given twice the last", '{"body":"x","body":"y"}', { body: Buffer.from("y") }],
    [
      "NUL, escaped",
      '{"text":true,"header":{"a\\u0000":"\\u0000b"},"body":"\\u0000"}',
      {
        header: { "a\0": "\0b" },
        body: "\0",
      },
    ],
    ["bytes, one a character", '{"body":"\\u0000\\u00e9\\u00ff"}', { body: Buffer.of(0, 0xe9, 0xff) }],
    ["bytes, one a character, where Python would have c3 a9", '{"body":"é"}', { body: Buffer.of(0xe9) }],
  ])("%s", (_, json, { header = {}, body = Buffer.alloc(0) }) => {
    expect(read(json)).toStrictEqual({ header, body });
  });

  test.each(["__proto__", "constructor", "hasOwnProperty", "toString", "toJSON", "1", ""])(
    "a header called %j like any other",
    (name) => {
      const message = Message.destringify(`{"header":{${JSON.stringify(name)}:"v"}}`);
      expect(Object.entries(message.header)).toStrictEqual([[name, "v"]]);
      expect(message.stringify()).toBe(`{"header":{${JSON.stringify(name)}:"v"}}`);
    },
  );

  test.each(["1.0", "1e3", "-0", "0", "12345678901234567890", "1E+400", "-1.50e-7", "3"])(
    "the number %s as its text",
    (number) => {
      const json = `{"header":{"a":${number},"b" : ${number} ,"${number}":"${number}"},"text":true,"body":${number}}`;
      const message = Message.destringify(json);
      expect({ ...message.header }).toStrictEqual({ a: number, b: number, [number]: number });
      expect(message.body).toBe(number);
    },
  );

  test("numbers as their text beside strings that look like JSON with numbers", () => {
    const tricky = '1 "2" \\ \\" [3,-4] {"body":5}';
    const message = Message.destringify(JSON.stringify({ body: 6, header: { [tricky]: 7, "\\": tricky } }));
    expect(message.body).toStrictEqual(Buffer.from("6"));
    expect({ ...message.header }).toStrictEqual({ [tricky]: "7", "\\": tricky });
  });

  test("a number as a body as bytes if it is not text", () => {
    expect(Message.destringify('{"body":1.0}').body).toStrictEqual(Buffer.from("1.0"));
  });

  test("a part of a larger buffer and any other view of bytes", () => {
    const bytes = Buffer.from('xx{"body":"é","text":true}xx');
    expect(parseJson(bytes.subarray(2, -2)).body).toBe("é");
    expect(parseJson(new Uint8Array(bytes.subarray(2, -2))).body).toBe("é");
  });
});

describe("refuses as MESSAGE_BAD_JSON, and says which", () => {
  test.each<[string, string | Buffer, RegExp]>([
    ["nothing", "", /nothing \(0 bytes\)/],
    ["no bytes", Buffer.alloc(0), /nothing \(0 bytes\)/],
    ["white space only", " \n", /JSON object, got " \\n": Unexpected end/],
    ["JSON that breaks off", '{"body":"abc', /got "\{\\"body\\":\\"abc": Unterminated string/],
    ["JSON that breaks off behind a key", '{"body":', /Unexpected end of JSON input/],
    ["more than one value", "{}{}", /got "\{\}\{\}": Unexpected/],
    ["a comma too many", '{"body":"",}', /got .*: Expected double-quoted property name/],
    ["a line feed in a string", '{"body":"\n"}', /Bad control character/],
    ["an unknown escape", '{"body":"\\x41"}', /Bad escaped character/],
    ["a list", "[]", /JSON object, got an array/],
    ["null", "null", /JSON object, got null/],
    ["a string", '"{}"', /JSON object, got "\{\}"$/],
    ["a number", "1", /JSON object, got 1/],
    ["true", "true", /JSON object, got true/],
    ["a byte order mark", "\ufeff{}", /byte order mark/],
    ["a byte order mark, as bytes", Buffer.from("\ufeff{}"), /byte order mark/],
    ["ISO 8859-1", Buffer.from('{"body":"é"}', "latin1"), /not UTF-8/],
    ["UTF-8 that breaks off", Buffer.from('{"body":"é').subarray(0, -1), /not UTF-8/],
    ["half a surrogate pair as UTF-8", Buffer.from('{"body":"\xed\xa0\x80"}', "latin1"), /not UTF-8/],
    ["NUL as two bytes", Buffer.from('{"body":"\xc0\x80"}', "latin1"), /not UTF-8/],
    ["UTF-16", Buffer.from("{}", "utf16le"), /Expected property name/],
    ["an unknown key", '{"headers":{}}', /Unknown key "headers", expected header, body, text or encoding/],
    ["a key in capitals", '{"Body":""}', /Unknown key "Body"/],
    ["an unknown key called __proto__", '{"__proto__":{}}', /Unknown key "__proto__"/],
    ["an unknown key called constructor", '{"constructor":1}', /Unknown key "constructor"/],
    ["text that is a number", '{"text":1}', /`text` to be true or false, got 1$/],
    ["text that is a number, beside a number that is a body", '{"text":1,"body":2}', /`text`.*got 1$/],
    ["text that is a string", '{"text":"true"}', /`text` to be true or false, got "true"/],
    ["text that is null", '{"text":null}', /`text` to be true or false, got null/],
    ["a body that is null", '{"body":null}', /`body` to be a string, got null/],
    ["a body that is true", '{"body":true}', /`body` to be a string, got true/],
    ["a body that is a list", '{"body":["x"]}', /`body` to be a string, got an array/],
    ["a body that is an object", '{"body":{}}', /`body` to be a string, got an object/],
    ["an encoding that is a number", '{"encoding":1}', /`encoding` to be a string, got 1/],
    ["an encoding that is null", '{"encoding":null}', /`encoding` to be a string, got null/],
    ["an encoding that is a list", '{"encoding":["utf8"]}', /`encoding` to be a string, got an array/],
    ["a header that is a list", '{"header":[]}', /`header` to be an object of strings, got an array/],
    ["a header that is null", '{"header":null}', /`header` to be an object of strings, got null/],
    ["a header that is a string", '{"header":"a:b"}', /`header` to be an object of strings, got "a:b"/],
    ["a header field that is null", '{"header":{"a":null}}', /header "a" to be a string, got null/],
    ["a header field that is false", '{"header":{"a":false}}', /header "a" to be a string, got false/],
    ["a header field that is a list", '{"header":{"a":[]}}', /header "a" to be a string, got an array/],
    ["a header field that is an object", '{"header":{"a":{}}}', /header "a" to be a string, got an object/],
    ["half a surrogate pair in the body", '{"body":"\\ud800"}', /half of a surrogate pair in `body`/],
    ["half a surrogate pair in the encoding", '{"encoding":"\\udc00"}', /surrogate pair in `encoding`/],
    ["half a surrogate pair in a field", '{"header":{"a":"x\\udfff"}}', /surrogate pair in header "a"/],
    ["half a surrogate pair in a name", '{"header":{"\\udbffx":"a"}}', /surrogate pair in header/],
  ])("%s", (_, json, message) => {
    const error = refusal(json);
    expect(error.code).toBe("MESSAGE_BAD_JSON");
    expect(error.message).toMatch(message);
  });

  test("lists within lists, however deep", () => {
    const deep = "[".repeat(100_000) + "]".repeat(100_000);
    expect(refusal(deep).message).toBe("Expected a JSON object, got an array");
    expect(refusal(`{"header":{"a":${deep}}}`).message).toBe(
      'Expected header "a" to be a string, got an array',
    );
    expect(refusal("[".repeat(100_000)).code).toBe("MESSAGE_BAD_JSON");
  });

  test("more bytes than a string can have", () => {
    const { length } = refusal(Buffer.alloc(constants.MAX_STRING_LENGTH + 1)).message;
    expect(length).toBeLessThan(200);
  });

  test("in a short line without control characters, whatever came", () => {
    for (const evil of ["\x1b[31m", "\x9b31m", "\x7f", "\r\n"]) {
      const jsons = [
        evil,
        `{${evil}`,
        `{"body":"${evil}`,
        `{${JSON.stringify(evil)}:1}`,
        `{"text":"${evil}"}`,
      ];
      for (const json of jsons.flatMap((json) => [json, json + "x".repeat(100_000)])) {
        const { message } = refusal(json);
        expect(message).toMatch(/^[^\0-\x1f\x7f-\x9f]{1,300}$/);
      }
    }
  });
});
