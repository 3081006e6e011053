import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import {
  Message,
  MessageError,
  openMessageQueue,
  type Compression,
  type MessageJson,
  type MessageLimits,
} from "@spoolwire/message";

const algorithms = ["lz4", "snappy", "zlib"] as const;

/** Bytes as hexadecimal digits, in groups for the reader. */
const hex = (digits: string) => Buffer.from(digits.replaceAll(" ", ""), "hex");

const read = (encoding: string, bytes: Buffer, more: MessageJson = {}, limits = {}) =>
  Message.destringify(
    JSON.stringify({ encoding: `base64+${encoding}`, body: bytes.toString("base64"), ...more }),
    limits,
  ).body;

function refusal(encoding: string, bytes: Buffer, limits = {}): MessageError {
  try {
    read(encoding, bytes, {}, limits);
  } catch (error) {
    if (error instanceof MessageError) return error;
    throw error;
  }
  throw new Error(`Not refused: ${encoding} ${bytes.toString("hex")}`);
}

// By hand, after the formats: a literal of 6, a copy of 18 from 6 before, a literal of 5.
const hello = "hello hello hello hello hello";
const lz4 = hex("1d000000 6e 68656c6c6f20 0600 50 68656c6c6f");
const snappy = hex("1d 14 68656c6c6f20 5a0600");
const zlib = hex("789c cb48cdc9c957c8c04e02 00a3100ae5");

describe("a compressed body is read", () => {
  test.each<[string, string, Buffer, string]>([
    ["from lz4, as Perl's Compress::LZ4 writes it", "lz4", lz4, hello],
    ["from lz4 without any match", "lz4", hex("03000000 30 616263"), "abc"],
    ["from lz4 of nothing", "lz4", hex("00000000 00"), ""],
    [
      "from lz4 with a match that goes on in more bytes",
      "lz4",
      hex("2c010000 1f61 0100 ff 19 00"),
      "a".repeat(300),
    ],
    ["from snappy, as Perl's Compress::Snappy writes it", "snappy", snappy, hello],
    [
      "from snappy with each kind of copy",
      "snappy",
      hex("10 0c61626364 0104 0e0800 0f04000000"),
      "abcd".repeat(4),
    ],
    [
      "from snappy with a literal whose length has a byte of its own",
      "snappy",
      hex("3d f03c" + "61".repeat(61)),
      "a".repeat(61),
    ],
    ["from snappy of nothing", "snappy", hex("00"), ""],
    ["from zlib, as Perl's Compress::Zlib writes it", "zlib", zlib, hello],
    ["from zlib that is not compressed", "zlib", hex("7801 01 0300 fcff 616263 024d0127"), "abc"],
    ["from zlib of nothing", "zlib", deflateSync(""), ""],
  ])("%s", (_, encoding, bytes, text) => {
    expect(read(encoding, bytes)).toStrictEqual(Buffer.from(text));
    expect(read(encoding, bytes, { text: true })).toBe(text);
  });

  test("with its encodings in any order, base64 undone first and utf8 last", () => {
    const body = deflateSync("café").toString("base64");
    for (const encoding of ["base64+utf8+zlib", "utf8+zlib+base64", "zlib+base64+utf8", "utf8+base64+zlib"]) {
      expect(Message.destringify(JSON.stringify({ encoding, body, text: true })).body).toBe("café");
      expect(Message.destringify(JSON.stringify({ encoding, body })).body).toStrictEqual(
        Buffer.from("café", "latin1"),
      );
    }
  });

  test("without base64, one byte a character", () => {
    const body = deflateSync("café").toString("latin1");
    const json = JSON.stringify({ encoding: "utf8+zlib", body, text: true });
    expect(Message.destringify(json).body).toBe("café");
  });

  test("to nothing where there is no body, as in Perl", () => {
    expect(Message.destringify('{"encoding":"zlib"}').body).toStrictEqual(Buffer.alloc(0));
    expect(Message.destringify('{"encoding":"base64+lz4","text":true}').body).toBe("");
  });
});

const claim = (length: number, block: Buffer) => {
  const bytes = Buffer.alloc(4 + block.length);
  bytes.writeUInt32LE(length);
  block.copy(bytes, 4);
  return bytes;
};

describe("a compressed body is refused as MESSAGE_BAD_ENCODING, and the error says why", () => {
  test.each<[string, string, Buffer, RegExp]>([
    ["zlib of nothing at all", "zlib", hex(""), /^The body is not zlib, though its encoding says so: /],
    ["zlib that breaks off", "zlib", zlib.subarray(0, -1), /not zlib.*unexpected end/],
    [
      "zlib with a wrong checksum",
      "zlib",
      Buffer.concat([zlib.subarray(0, -1), hex("00")]),
      /not zlib.*check/,
    ],
    ["zlib that something follows", "zlib", Buffer.concat([zlib, hex("00ff")]), /2 bytes follow the end/],
    ["zlib twice", "zlib", Buffer.concat([zlib, zlib]), /follow the end/],
    ["deflate without the frame of zlib", "zlib", zlib.subarray(2), /not zlib/],
    ["gzip", "zlib", hex("1f8b0800000000000003030000000000000000"), /not zlib/],
    ["zlib with a dictionary", "zlib", hex("78bb 00000001 0300 00000001"), /not zlib/],
    ["lz4 of nothing at all", "lz4", hex(""), /ends within its length/],
    ["lz4 with a length only", "lz4", hex("00000000"), /ends within its length/],
    ["lz4 that breaks off", "lz4", lz4.subarray(0, -1), /not lz4, though its encoding says so: /],
    ["lz4 that breaks off in an offset", "lz4", lz4.subarray(0, 12), /not lz4/],
    ["lz4 that something follows", "lz4", Buffer.concat([lz4, hex("10 61")]), /not lz4/],
    ["lz4 that claims less than it holds", "lz4", claim(28, lz4.subarray(4)), /not lz4/],
    ["lz4 that claims more than it holds", "lz4", claim(30, lz4.subarray(4)), /claims 30 bytes and holds 29/],
    [
      "lz4 that claims what it can never hold",
      "lz4",
      claim(100_000_000, lz4.subarray(4)),
      /can hold 3825 at most/,
    ],
    ["lz4 with an offset of 0", "lz4", hex("0a000000 10 61 0000 00"), /not lz4|holds/],
    ["lz4 with an offset before its begin", "lz4", hex("0a000000 10 61 0200 00"), /not lz4/],
    ["a frame of lz4", "lz4", hex("04224d18 6440a7 00000000 05 5d cc 02"), /limit of|not lz4/],
    ["snappy of nothing at all", "snappy", hex(""), /ends within its length/],
    ["snappy whose length breaks off", "snappy", hex("80"), /ends within its length/],
    ["snappy whose length has no end", "snappy", hex("ffffffffff01"), /no number of 32 bits/],
    ["snappy that breaks off", "snappy", snappy.subarray(0, -1), /not snappy, though its encoding says so: /],
    ["snappy that claims less than it holds", "snappy", hex("01 08 616263"), /not snappy/],
    ["snappy that claims more than it holds", "snappy", hex("05 00 61"), /not snappy/],
    ["snappy that claims what it can never hold", "snappy", hex("80c2d72f 00 61"), /claims 100000000 bytes/],
    ["snappy with an offset of 0", "snappy", hex("0a 00 61 22 0000"), /not snappy/],
    ["snappy with an offset before its begin", "snappy", hex("0a 00 61 22 0200"), /not snappy/],
    ["snappy with a literal of nearly 4 GiB", "snappy", hex("0a fc f0ffffff 01020304"), /not snappy/],
    ["a frame of snappy", "snappy", hex("ff060000 734e61507059"), /not snappy/],
  ])("%s", (_, encoding, bytes, message) => {
    const error = refusal(encoding, bytes);
    expect(error.code).toBe("MESSAGE_BAD_ENCODING");
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(200);
  });

  test.each(["zlib+lz4", "lz4+base64+snappy", "snappy+zlib+lz4"])("two algorithms: %s", (encoding) => {
    expect(() => Message.destringify(JSON.stringify({ encoding }))).toThrow(
      /names .* and .*, of which there can be one/,
    );
  });

  test("one algorithm twice", () => {
    expect(() => Message.destringify('{"encoding":"zlib+zlib"}')).toThrow(/names zlib twice/);
  });

  test.each(algorithms)("an empty body that is said to be %s, as in Perl", (algorithm) => {
    expect(() => Message.destringify(`{"encoding":"${algorithm}","body":""}`)).toThrow(MessageError);
  });

  test("characters that are no bytes", () => {
    expect(() => Message.destringify('{"encoding":"zlib","body":"☺"}')).toThrow(
      /^A body with encoding zlib has one byte a character, got U\+263A/,
    );
  });

  test("bytes that are not UTF-8 when decompressed", () => {
    expect(() => read("zlib+utf8", deflateSync(Buffer.of(0xff)))).toThrow(/not UTF-8, though/);
  });
});

describe("the limit on what a body decompresses to", () => {
  test.each(algorithms)("is exact for %s", (algorithm) => {
    const json = new Message({ body: Buffer.alloc(5000) }).stringify({ compression: `${algorithm}!` });
    expect((Message.destringify(json, { maxDecompressed: 5000 }).body as Buffer).length).toBe(5000);
    expect(() => Message.destringify(json, { maxDecompressed: 4999 })).toThrow(/limit of 4999/);
  });

  test.each(algorithms)("keeps a small message in %s from using much memory", (algorithm) => {
    const bomb = new Message({ body: Buffer.alloc(200 * 1024 * 1024) });
    const json = bomb.serialize({ compression: algorithm });
    bomb.body = "";
    const before = process.memoryUsage().rss;
    expect(() => Message.deserialize(json)).toThrow(/limit of 134217728/);
    expect(process.memoryUsage().rss - before).toBeLessThan(180 * 1024 * 1024);
  });

  test("is checked before there is memory for a length that lies", () => {
    const started = performance.now();
    for (let round = 0; round < 1000; round++) {
      refusal("lz4", claim(0xffffffff, lz4.subarray(4)));
      refusal("lz4", claim(128 * 1024 * 1024, lz4.subarray(4)));
      refusal("snappy", Buffer.concat([hex("ffffffff0f"), snappy.subarray(1)]));
      refusal("snappy", Buffer.concat([hex("80808040"), snappy.subarray(1)]));
    }
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test.each([
    [
      { maxDecompressed: 0 },
      RangeError,
      /`maxDecompressed` to be an integer from 1 to \d+, got 0 \(number\)/,
    ],
    [{ maxDecompressed: 1.5 }, RangeError, /`maxDecompressed`/],
    [{ maxDecompressed: Infinity }, RangeError, /got Infinity/],
    [{ maxDecompressed: "1" as unknown as number }, TypeError, /got "1" \(string\)/],
    [{ maxHeaderCount: -1 }, RangeError, /`maxHeaderCount`/],
    [{ maxHeader: 1 }, TypeError, /Unknown limit `maxHeader`, expected one of maxDecompressed, maxHead/],
  ] as [MessageLimits, ErrorConstructor, RegExp][])(
    "is refused when it is none: %o",
    (limits, type, message) => {
      const attempt = () => Message.destringify("{}", limits);
      expect(attempt).toThrow(type);
      expect(attempt).toThrow(message);
    },
  );
});

describe("a body is compressed", () => {
  const long = "a text that compresses well, ".repeat(20);

  test.each(algorithms)("with %s if it is worth it, with the names sorted", (compression) => {
    const json = new Message({ body: `☺${long}` }).jsonify({ compression });
    expect(json.encoding).toBe(["base64", compression, "utf8"].sort().join("+"));
    expect(json.body?.length).toBeLessThan(long.length);
    const bytes = new Message({ body: Buffer.from(long) }).jsonify({ compression });
    expect(bytes.encoding).toBe(`base64+${compression}`);
    expect(bytes.text).toBeUndefined();
  });

  test("without naming utf8 where the text is ASCII, as Perl does", () => {
    const json = new Message({ body: long }).jsonify({ compression: "zlib" });
    expect(json).toMatchObject({ text: true, encoding: "base64+zlib" });
  });

  test("from 256 bytes up", () => {
    for (const body of ["a".repeat(255), Buffer.alloc(255), "é".repeat(127)]) {
      expect(new Message({ body }).jsonify({ compression: "zlib" }).encoding ?? "").not.toMatch(/zlib/);
    }
    for (const body of ["a".repeat(256), Buffer.alloc(256), "é".repeat(128)]) {
      expect(new Message({ body }).jsonify({ compression: "zlib" }).encoding).toMatch(/zlib/);
    }
  });

  test("only if the result is shorter, base64 included", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...algorithms),
        fc.oneof(
          fc.string({ maxLength: 2000 }),
          fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
        ),
        fc.nat({ max: 40 }),
        (compression, piece, times) => {
          const body =
            typeof piece === "string" ? piece.repeat(times) : Buffer.concat(Array<Buffer>(times).fill(piece));
          const plain = new Message({ body }).jsonify().body ?? "";
          const json = new Message({ body }).jsonify({ compression });
          if (json.encoding?.includes(compression)) {
            expect(json.body?.length).toBeLessThan(Buffer.byteLength(plain));
          } else {
            expect(json).toStrictEqual(new Message({ body }).jsonify());
          }
        },
      ),
    );
    const random = Buffer.from(Array.from({ length: 1000 }, (_, index) => (index * index * 7919) >> 3));
    expect(new Message({ body: random }).jsonify({ compression: "lz4" }).encoding).toBe("base64");
  });

  test.each(algorithms)("with %s by force, whatever it makes of it, except nothing", (algorithm) => {
    const compression: Compression = `${algorithm}!`;
    expect(new Message({ body: "a" }).jsonify({ compression }).encoding).toBe(`base64+${algorithm}`);
    expect(new Message({ body: "" }).jsonify({ compression })).toStrictEqual({ text: true });
    expect(new Message({ body: Buffer.alloc(0) }).jsonify({ compression })).toStrictEqual({});
  });

  test("and read again, whatever it is", () => {
    fc.assert(
      fc.property(
        fc.constantFrom<Compression>("lz4", "snappy", "zlib", "lz4!", "snappy!", "zlib!"),
        fc.oneof(
          fc.string({ unit: "binary", maxLength: 1000 }),
          fc.uint8Array({ maxLength: 1000 }).map((bytes) => Buffer.from(bytes)),
        ),
        fc.integer({ min: 1, max: 5 }),
        (compression, piece, times) => {
          const body =
            typeof piece === "string" ? piece.repeat(times) : Buffer.concat(Array<Buffer>(times).fill(piece));
          const original = new Message({ header: { a: "b" }, body });
          expect(Message.deserialize(original.serialize({ compression }))).toStrictEqual(original);
          expect(Message.destringify(original.stringify({ compression }))).toStrictEqual(original);
          expect(Message.dejsonify(original.jsonify({ compression }))).toStrictEqual(original);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("and refused when the algorithm is none, or the text none", () => {
    for (const compression of ["gzip", "", "!", "zlib!!", "ZLIB", "constructor"] as unknown[]) {
      expect(() => new Message().stringify({ compression: compression as Compression })).toThrow(
        /^Expected `compression` to be one of lz4, snappy, zlib, with ! where it is forced, got /,
      );
    }
    const half = new Message({ body: "\ud800".repeat(300) });
    expect(() => half.stringify({ compression: "zlib" })).toThrow(/half of a surrogate pair/);
  });
});

describe("a DQS queue", () => {
  const open = (options: object) => {
    const path = mkdtempSync(join(tmpdir(), "spoolwire-compression-"));
    onTestFinished(() => rmSync(path, { recursive: true }));
    return openMessageQueue({ path, ...options });
  };

  test.each(algorithms)("compresses with %s what it adds", (compression) => {
    const queue = open({ compression });
    const message = new Message({ body: "x".repeat(10_000) });
    const name = queue.addMessage(message);
    expect(readFileSync(join(queue.path, name))).toStrictEqual(message.serialize({ compression }));
    queue.lock(name);
    expect(queue.getMessage(name)).toStrictEqual(message);
  });

  test("has limits on what it reads", () => {
    const queue = open({ compression: "zlib!", maxDecompressed: 100, maxHeaderCount: 1 });
    const [long, many] = [
      queue.addMessage(new Message({ body: "x".repeat(101) })),
      queue.addMessage(new Message({ header: { a: "", b: "" } })),
    ];
    queue.lock(long);
    queue.lock(many);
    expect(() => queue.getMessage(long)).toThrow(/is no message: .* limit of 100 bytes/);
    expect(() => queue.getMessage(many)).toThrow(/is no message: Expected at most 1 header fields, got 2/);
  });

  test("refuses what is no compression and no limit, before it makes a directory", () => {
    const path = join(tmpdir(), "spoolwire-compression-none");
    expect(() => openMessageQueue({ path, compression: "bzip2" as "zlib" })).toThrow(/`compression`/);
    expect(() => openMessageQueue({ path, maxDecompressed: -1 })).toThrow(/`maxDecompressed`/);
    expect(() => openMessageQueue({ path, create: false })).toThrow(/ENOENT/);
  });
});

describe("what else bad input may cost", () => {
  const header = (count: number) =>
    `{"header":{${Array.from({ length: count }, (_, index) => `"${index}":""`).join(",")}}}`;

  test("is bounded by the number of header fields", () => {
    expect(Object.keys(Message.destringify(header(10_000)).header).length).toBe(10_000);
    expect(() => Message.destringify(header(10_001))).toThrow(/at most 10000 header fields, got 10001/);
    expect(() => Message.destringify(header(10_001))).toThrow(MessageError);
    expect(Message.destringify(header(10_001), { maxHeaderCount: 10_001 }).isText).toBe(false);
  });

  test.each<[string, (deep: string) => string]>([
    ["as the message", (deep) => deep],
    ["as the body", (deep) => `{"body":${deep}}`],
    ["as the header", (deep) => `{"header":${deep}}`],
    ["as a field", (deep) => `{"header":{"a":${deep}}}`],
    ["under an unknown key", (deep) => `{"x":${deep}}`],
  ])("is little for what is nested a million deep %s", (_, wrap) => {
    const depth = 1_000_000;
    for (const deep of [
      "[".repeat(depth) + "]".repeat(depth),
      '{"a":'.repeat(depth) + "1" + "}".repeat(depth),
    ]) {
      expect(() => Message.destringify(wrap(deep))).toThrow(MessageError);
      expect(() => Message.destringify(wrap(deep).slice(0, depth))).toThrow(MessageError);
    }
  });
});
