import { describe, expect, test } from "vitest";
import { Message, MessageError, type MessageJson } from "@spoolwire/message";

const decode = (json: MessageJson) => Message.destringify(JSON.stringify(json)).body;

function refusal(json: MessageJson): MessageError {
  try {
    decode(json);
  } catch (error) {
    if (error instanceof MessageError) return error;
    throw error;
  }
  throw new Error(`Not refused: ${JSON.stringify(json)}`);
}

const coffee = Buffer.from("café");
const base64 = coffee.toString("base64");
const latin1 = coffee.toString("latin1");

describe("a body is decoded", () => {
  test.each<[string, MessageJson, string | Buffer]>([
    ["as text without an encoding", { text: true, body: "café" }, "café"],
    ["as text from utf8, one byte a character", { text: true, encoding: "utf8", body: latin1 }, "café"],
    ["as text from base64, one byte a character", { text: true, encoding: "base64", body: base64 }, latin1],
    ["as text from base64+utf8", { text: true, encoding: "base64+utf8", body: base64 }, "café"],
    ["as text from utf8+base64", { text: true, encoding: "utf8+base64", body: base64 }, "café"],
    ["as bytes without an encoding", { body: latin1 }, coffee],
    ["as bytes from base64", { encoding: "base64", body: base64 }, coffee],
    ["as bytes from utf8, as Perl does", { encoding: "utf8", body: latin1 }, Buffer.from("café", "latin1")],
    ["as bytes from utf8+base64", { encoding: "utf8+base64", body: base64 }, Buffer.from("café", "latin1")],
    ["as bytes from base64+utf8", { encoding: "base64+utf8", body: base64 }, Buffer.from("café", "latin1")],
    ["to nothing", { encoding: "base64+utf8" }, Buffer.alloc(0)],
    ["from base64 with + and /", { encoding: "base64", body: "++//" }, Buffer.of(0xfb, 0xef, 0xff)],
    ["to a text with a byte order mark", { text: true, encoding: "utf8", body: "\xef\xbb\xbfx" }, "\ufeffx"],
  ])("%s", (_, json, body) => {
    expect(decode(json)).toStrictEqual(body);
  });
});

describe("a body is refused as MESSAGE_BAD_ENCODING, and the error says which", () => {
  test.each<[string, MessageJson, RegExp]>([
    [
      "an unknown encoding",
      { encoding: "rot13", body: "x" },
      /made of base64, utf8, lz4, snappy, zlib, got "rot13"/,
    ],
    ["one that is not there yet", { encoding: "base64+brotli" }, /made of .*, got "base64\+brotli"/],
    ["an encoding in capitals", { encoding: "UTF8", body: "x" }, /got "UTF8"/],
    ["another separator", { encoding: "base64,utf8", body: "" }, /got "base64,utf8"/],
    ["an empty name", { encoding: "base64+", body: "" }, /got "base64\+"/],
    ["a name of Object.prototype", { encoding: "constructor" }, /got "constructor"/],
    ["base64 named twice", { encoding: "base64+base64", body: base64 }, /`encoding` names base64 twice/],
    ["utf8 named twice", { encoding: "utf8+base64+utf8", body: base64 }, /`encoding` names utf8 twice/],
    ["base64 without padding", { encoding: "base64", body: "QQ" }, /not base64/],
    ["base64 with half of its padding", { encoding: "base64", body: "QQ=" }, /not base64/],
    ["base64 with padding only", { encoding: "base64", body: "====" }, /not base64/],
    ["base64 with three characters of padding", { encoding: "base64", body: "Q===" }, /not base64/],
    ["base64 with padding inside", { encoding: "base64", body: "QQ==QQ==" }, /not base64/],
    ["base64 of one character too many", { encoding: "base64", body: "QUJDR" }, /not base64/],
    ["base64 on two lines", { encoding: "base64", body: "QUJD\nQUI=" }, /not base64/],
    ["base64 with a line feed behind it", { encoding: "base64", body: "QUI=\n" }, /not base64/],
    [
      "base64 with line feeds that make up the length",
      { encoding: "base64", body: "QUJD\n\n\n\n" },
      /not base64/,
    ],
    ["base64 with spaces", { encoding: "base64", body: "QU JD QU" }, /not base64/],
    ["base64 of the alphabet for URLs", { encoding: "base64", body: "-_-_" }, /not base64/],
    ["base64 with a full-width letter", { encoding: "base64", body: "ＱUJD" }, /not base64/],
    ["base64 with NUL", { encoding: "base64", body: "QUJ\0" }, /not base64/],
    ["utf8 that is none", { text: true, encoding: "utf8", body: "\xff" }, /not UTF-8, though/],
    ["utf8 that breaks off", { text: true, encoding: "utf8", body: latin1.slice(0, -1) }, /not UTF-8/],
    ["utf8 with half a surrogate pair", { encoding: "utf8", body: "\xed\xa0\x80" }, /not UTF-8/],
    ["utf8 that is decoded already", { text: true, encoding: "utf8", body: "☺" }, /utf8 .*got U\+263A at 0/],
    ["bytes above 255", { body: "aĀ" }, /binary body has one byte a character, got U\+0100 at 1/],
    ["bytes above 65535", { body: "😀" }, /got U\+1F600 at 0/],
    ["bytes above 255 that were encoded as utf8", { encoding: "utf8", body: "\xc4\x80" }, /binary.*U\+0100/],
  ])("%s", (_, json, message) => {
    const error = refusal(json);
    expect(error.code).toBe("MESSAGE_BAD_ENCODING");
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(200);
  });

  test("an encoding of any length, in a short line", () => {
    expect(refusal({ encoding: "x".repeat(100_000) }).message.length).toBeLessThan(200);
  });
});

describe("a body is encoded", () => {
  test("as text without an encoding, whatever its characters", () => {
    expect(new Message({ body: "é☺😀\0\n" }).jsonify()).toStrictEqual({ text: true, body: "é☺😀\0\n" });
  });

  test("as bytes without an encoding only if each is tab, line feed, carriage return or printable ASCII", () => {
    for (let byte = 0; byte < 256; byte++) {
      const isPlain = byte === 9 || byte === 10 || byte === 13 || (byte >= 0x20 && byte <= 0x7e);
      const body = Buffer.of(0x41, byte, 0x42);
      expect(new Message({ body }).jsonify()).toStrictEqual(
        isPlain ? { body: body.toString("latin1") } : { encoding: "base64", body: body.toString("base64") },
      );
    }
  });

  test("and decoded whatever its size", () => {
    // Regular expressions with a repeated group run out of stack on bodies like these.
    const size = 10_000_000;
    const binary = Buffer.alloc(size, 0xff);
    const json = new Message({ body: binary }).stringify();
    expect((Message.destringify(json).body as Buffer).equals(binary)).toBe(true);
    const printable = Buffer.alloc(size, 'plain text, 1 line with a \\ and a "\n');
    const plain = new Message({ body: printable }).stringify();
    expect((Message.destringify(plain).body as Buffer).equals(printable)).toBe(true);
    const withNumber = Message.destringify(`{"header":{"n":1.0},${plain.slice(1)}`);
    expect((withNumber.body as Buffer).equals(printable)).toBe(true);
    expect(withNumber.header.n).toBe("1.0");
  });
});
