import { afterEach, describe, expect, test, vi } from "vitest";
import { BrokerError } from "@spoolwire/message";
import { FrameParser, type FrameLimits, type ReceivedFrame, type Version } from "@spoolwire/stomp";
import { cut } from "../../helpers/bytes.js";

interface Options {
  readonly version?: Version;
  readonly limits?: FrameLimits;
}

/** Frames as plain values, out of bytes that come in these pieces. */
function parse(pieces: readonly (Buffer | string)[], { version = "1.2", limits }: Options = {}) {
  const frames: { command: string; headers: Record<string, string>; body: string }[] = [];
  const take = ({ command, headers, body }: ReceivedFrame) =>
    frames.push({ command, headers: { ...headers }, body: body.toString("latin1") });
  const parser = new FrameParser(take, limits);
  parser.version = version;
  for (const piece of pieces) parser.push(typeof piece === "string" ? Buffer.from(piece) : piece);
  return { frames, isInFrame: parser.isInFrame };
}

/** The error that parsing ends in. */
function refusal(bytes: Buffer | string, options?: Options): BrokerError {
  try {
    parse([bytes], options);
  } catch (error) {
    if (error instanceof BrokerError && error.code === "BROKER_PROTOCOL") return error;
    throw error;
  }
  throw new Error(`Not refused: ${bytes.toString()}`);
}

describe("bodies", () => {
  test("end after content-length bytes, NUL or not", () => {
    const { frames, isInFrame } = parse(["MESSAGE\ncontent-length:5\n\na\0b\0c\0RECEIPT\n\n\0"]);
    expect(frames.map(({ body }) => body)).toStrictEqual(["a\0b\0c", ""]);
    expect(isInFrame).toBe(false);
  });

  test("end at the first NUL without content-length", () => {
    const { frames } = parse(["MESSAGE\n\na\nb\0\nMESSAGE\n\n\n\n\0"]);
    expect(frames.map(({ body }) => body)).toStrictEqual(["a\nb", "\n\n"]);
  });

  test("are bytes of any kind", () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
    const { frames } = parse([
      Buffer.concat([Buffer.from("MESSAGE\ncontent-length:256\n\n"), all, Buffer.of(0)]),
    ]);
    expect(frames[0]?.body).toBe(all.toString("latin1"));
  });

  test("with spaces around a content-length, or zeros before it", () => {
    for (const length of [" 3 ", "003"]) {
      expect(parse([`MESSAGE\ncontent-length:${length}\n\na\0b\0`]).frames[0]?.body).toBe("a\0b");
    }
  });

  test.each([
    "3abc",
    "",
    " ",
    "-1",
    "+3",
    "1e1",
    "0x3",
    "3.0",
    "1,000",
    "٣",
    "9".repeat(16),
    "9".repeat(1000),
  ])("are refused with content-length:%s", (length) => {
    const { message } = refusal(`MESSAGE\ncontent-length:${length}\n\nabc\0`);
    expect(message).toMatch(/^Expected content-length to be a number of bytes, got "/);
    expect(message.length).toBeLessThan(300);
  });

  test("are refused without NUL behind content-length bytes", () => {
    expect(refusal("MESSAGE\ncontent-length:2\n\nabc\0").message).toBe(
      "Expected NUL after the 2 bytes of a MESSAGE frame's body",
    );
  });

  test("take the first of two contents-lengths, and the last in 1.0", () => {
    const twice = "MESSAGE\ncontent-length:1\ncontent-length:3\n\n";
    expect(parse([`${twice}a\0`]).frames[0]?.body).toBe("a");
    expect(parse([`${twice}a\0b\0`], { version: "1.0" }).frames[0]?.body).toBe("a\0b");
  });
});

describe("ends of lines", () => {
  const message = { command: "MESSAGE", headers: { a: "b", c: "d" }, body: "x\r\n" };

  test("are CR LF or LF in 1.2, line by line", () => {
    expect(parse(["MESSAGE\r\na:b\r\nc:d\r\n\r\nx\r\n\0"]).frames).toStrictEqual([message]);
    expect(parse(["MESSAGE\na:b\r\nc:d\n\r\nx\r\n\0"]).frames).toStrictEqual([message]);
    expect(parse(["MESSAGE\r\na:b\nc:d\r\n\nx\r\n\0"]).frames).toStrictEqual([message]);
  });

  test("are CR LF in any version if the command's is", () => {
    for (const version of ["1.0", "1.1"] as const) {
      expect(parse(["MESSAGE\r\na:b\r\nc:d\r\n\r\nx\r\n\0"], { version }).frames).toStrictEqual([message]);
    }
  });

  test("are CR LF or LF in handshakes", () => {
    const text = "CONNECTED\r\nversion:1.2\r\nserver:x\r\n\r\n\0";
    const frame = { command: "CONNECTED", headers: { version: "1.2", server: "x" }, body: "" };
    for (const version of ["1.0", "1.1", "1.2"] as const) {
      expect(parse([text], { version }).frames).toStrictEqual([frame]);
      expect(parse([text.replaceAll("\r", "")], { version }).frames).toStrictEqual([frame]);
    }
  });

  test("are LF in 1.1, where CR is data", () => {
    const { frames } = parse(["MESSAGE\na:b\r\nc\r:\rd\n\n\0"], { version: "1.1" });
    expect(frames[0]?.headers).toStrictEqual({ a: "b\r", "c\r": "\rd" });
  });

  test("between frames are heart-beats, and belong to no frame", () => {
    const { frames, isInFrame } = parse(["\n\r\n\n", "RECEIPT\n\n\0\n\n\n", "\r", "\nRECEIPT\n\n\0", "\n"]);
    expect(frames).toHaveLength(2);
    expect(isInFrame).toBe(false);
  });
});

describe("frames that are cut anywhere", () => {
  const stream = Buffer.from(
    "\r\nMESSAGE\r\nname:café-☺\r\npath:C\\c\\\\new\r\n\r\nbody ☺\0\n" +
      "MESSAGE\ncontent-length:7\nname:😀\n\n\0a\n\n\r\n\0\0\r\n\n" +
      "RECEIPT\nreceipt-id:1\n\r\n\0",
  );
  const whole = parse([stream]);

  test("are what they are in one piece", () => {
    const latin1 = (text: string) => Buffer.from(text).toString("latin1");
    expect(whole).toStrictEqual({
      frames: [
        { command: "MESSAGE", headers: { name: "café-☺", path: "C:\\new" }, body: latin1("body ☺") },
        { command: "MESSAGE", headers: { "content-length": "7", name: "😀" }, body: "\0a\n\n\r\n\0" },
        { command: "RECEIPT", headers: { "receipt-id": "1" }, body: "" },
      ],
      isInFrame: false,
    });
  });

  test("once, at each byte: in a character, in CR LF, in an escape, in a length", () => {
    for (let at = 0; at <= stream.length; at++) {
      expect(parse([stream.subarray(0, at), stream.subarray(at)])).toStrictEqual(whole);
    }
  });

  test("twice, at each two bytes", () => {
    for (let first = 0; first <= stream.length; first++) {
      for (let second = first; second <= stream.length; second++) {
        const pieces = [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)];
        expect(parse(pieces).frames).toStrictEqual(whole.frames);
      }
    }
  });

  test("at every byte", () => {
    expect(parse(cut(stream, [1]))).toStrictEqual(whole);
  });

  test("tell that one has begun until it is complete", () => {
    const message = Buffer.from("MESSAGE\ncontent-length:2\n\nab\0");
    for (let length = 0; length <= message.length; length++) {
      const { isInFrame } = parse([message.subarray(0, length)]);
      expect(isInFrame).toBe(length > 0 && length < message.length);
    }
  });
});

describe("headers", () => {
  test.each(["__proto__", "hasOwnProperty", "constructor", "toString", "1"])("may be called %s", (name) => {
    const frames: ReceivedFrame[] = [];
    new FrameParser((frame) => frames.push(frame)).push(Buffer.from(`MESSAGE\n${name}:v\n\n\0`));
    expect(Object.entries(frames[0]?.headers ?? {})).toStrictEqual([[name, "v"]]);
  });

  test("may be long and many", () => {
    const many = Object.fromEntries(
      Array.from({ length: 900 }, (_, index) => [`name${index}`, "x".repeat(index % 200)]),
    );
    const headers = { ...many, long: "y".repeat(100_000) };
    const head = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
    expect(parse([`MESSAGE\n${head.join("")}\n\0`]).frames[0]?.headers).toStrictEqual(headers);
  });

  test.each([
    ["without a colon", "abc", /Expected name:value as a MESSAGE header, got "abc"/],
    ["without a name", ":abc", /Expected name:value as a MESSAGE header, got ":abc"/],
    ["with NUL", "a:b\0", /Expected an empty line after the headers of MESSAGE, got NUL/],
    ["with control characters, which the error does not repeat", "\x1b[31m\x9b", /got "\[31m"/],
  ])("%s are refused", (_, line, message) => {
    for (const version of ["1.0", "1.1", "1.2"] as const) {
      expect(refusal(`MESSAGE\n${line}\nx:y\n\n\0`, { version }).message).toMatch(message);
    }
  });

  test("whose name is white space only are refused in 1.0, and are what they are later", () => {
    expect(refusal("MESSAGE\n :x\n\n\0", { version: "1.0" }).message).toMatch(/^Expected name:value/);
    expect(parse(["MESSAGE\n :x\n\n\0"], { version: "1.1" }).frames[0]?.headers).toStrictEqual({ " ": "x" });
  });

  test("that are not UTF-8 are refused", () => {
    for (const value of ["\xe9", "\xed\xa0\x80", "\xc0\x80", "\xf0\x9f\x98"]) {
      const { message } = refusal(Buffer.from(`MESSAGE\na:${value}\n\n\0`, "latin1"));
      expect(message).toBe("A frame's headers are not UTF-8");
    }
  });

  test("of a frame that NUL ends too early do not become those of the next", () => {
    expect(refusal("RECEIPT\nreceipt-id:1\0MESSAGE\nreceipt-id:2\n\n\0").message).toMatch(/got NUL$/);
  });
});

describe("limits", () => {
  const limits = { headers: 3, head: 100, body: 10 };

  test("of what is just allowed", () => {
    const head = `MESSAGE\na:1\nb:2\nc:${"x".repeat(100 - "MESSAGE\na:1\nb:2\nc:".length)}`;
    expect(head).toHaveLength(100);
    expect(parse([`${head}\n\n${"y".repeat(10)}\0`], { limits }).frames).toHaveLength(1);
    expect(parse([`MESSAGE\ncontent-length:10\n\n${"y".repeat(10)}\0`], { limits }).frames).toHaveLength(1);
  });

  test.each([
    ["headers", "MESSAGE\na:1\nb:2\nc:3\nd:4\n\n\0", "A MESSAGE frame has more than 3 headers"],
    ["the head", `MESSAGE\na:${"x".repeat(100)}\n\n\0`, "A frame's head is longer than 100 bytes"],
    ["a head without an end", `MESSAGE\na:${"x".repeat(100)}`, "A frame's head is longer than 100 bytes"],
    [
      "a body that is announced",
      "MESSAGE\ncontent-length:11\n\n",
      /^Expected the body of a MESSAGE frame .* 10 bytes, got 11 bytes$/,
    ],
    [
      "a body by its NUL",
      `MESSAGE\n\n${"y".repeat(11)}\0`,
      /^Expected the body of a MESSAGE frame .* 10 bytes, got no end$/,
    ],
    ["a body without an end", `MESSAGE\n\n${"y".repeat(11)}`, /10 bytes, got no end$/],
  ])("of %s", (_, bytes, message) => {
    expect(refusal(bytes, { limits }).message).toMatch(message);
    // The same byte by byte.
    expect(() => parse(cut(Buffer.from(bytes), [1]), { limits })).toThrow(BrokerError);
  });

  test("on a MESSAGE's body pass it over, if somebody is told, and what follows goes on", () => {
    const large = "y\nMESSAGE\n\nz".repeat(3);
    const bytes = Buffer.from(
      "RECEIPT\n\n\0" +
        `MESSAGE\nid:1\ncontent-length:${large.length}\n\n${large}\0\n` +
        `MESSAGE\nid:2\n\n${large}\0` +
        `MESSAGE\nid:3\n\n${"z".repeat(10)}\0\n`,
    );
    for (const size of [1, 2, 3, 7, 16, 50, bytes.length]) {
      const told: unknown[] = [];
      const parser = new FrameParser(
        ({ command, headers }) => told.push(headers.id ?? command),
        limits,
        ({ headers, size }) => told.push([headers.id, size]),
      );
      for (const piece of cut(bytes, [size])) parser.push(piece);
      expect(told).toStrictEqual(["RECEIPT", ["1", large.length], ["2", large.length], "3"]);
      expect(parser.isInFrame).toBe(false);
    }
  });

  test("on a body that is passed over are no excuse for a wrong length, nor for another frame", () => {
    const onTooLarge = vi.fn();
    const parser = () => new FrameParser(() => undefined, limits, onTooLarge);
    const bytes = Buffer.from(`MESSAGE\ncontent-length:11\n\n${"y".repeat(12)}\0`);
    expect(() => parser().push(bytes)).toThrow("Expected NUL after the 11 bytes of a MESSAGE frame's body");
    for (const length of ["content-length:11\n", ""]) {
      const error = Buffer.from(`ERROR\n${length}\n${"y".repeat(11)}\0`);
      expect(() => parser().push(error)).toThrow(
        "Expected the body of a ERROR frame to have at most 10 bytes",
      );
    }
    expect(onTooLarge).not.toHaveBeenCalled();
  });

  test("are by default 1,000 headers, 256 KiB of head and 128 MiB of body", () => {
    expect(refusal(`MESSAGE\n${"a:b\n".repeat(1001)}\n\0`).message).toMatch(/more than 1000 headers/);
    expect(parse([`MESSAGE\n${"a:b\n".repeat(1000)}\n\0`]).frames).toHaveLength(1);
    expect(refusal("x".padStart(256 * 1024 + 9, "MESSAGE\na:")).message).toMatch(/longer than 262144 bytes/);
    expect(refusal("MESSAGE\ncontent-length:134217729\n\n").message).toMatch(/at most 134217728 bytes/);
  });
});

describe("what is not STOMP", () => {
  test.each<[string, string | Buffer]>([
    ["an HTTP answer", "HTTP/1.1 400 Bad Request\r\n"],
    ["an HTTP request", "GET / HTTP/1.1\r\n"],
    ["a TLS alert", Buffer.of(0x15, 3, 3, 0, 2, 2, 70)],
    ["a TLS handshake", Buffer.of(0x16, 3, 1, 2)],
    ["an AMQP greeting", Buffer.from("AMQP\0\0\x09\x01", "latin1")],
    ["an SSH greeting", "SSH-2.0-OpenSSH_9.2"],
    ["an SMTP greeting", "220 mail ESMTP"],
    ["a lower-case command", "connected\n"],
    ["a command of one letter", "M\n\n"],
    ["a command that is too long", "A".repeat(17)],
    ["a command with a space", "MESSAGE \n"],
    ["NUL", "\0"],
    ["NUL behind a frame", "RECEIPT\n\n\0\0"],
    ["a lone high byte", Buffer.of(0xff)],
    ["a byte order mark", "\ufeffCONNECTED\n"],
  ])("is told at its first bytes: %s", (_, bytes) => {
    const { message } = refusal(bytes);
    expect(message).toMatch(/^Expected a STOMP frame, got "/);
    expect(message).not.toMatch(/[\0-\x1f\x7f-\x9f]/);
    expect(message.length).toBeLessThan(300);
  });

  test("is followed by nothing that could be taken for a frame", () => {
    const frames: ReceivedFrame[] = [];
    const parser = new FrameParser((frame) => frames.push(frame));
    expect(() => parser.push(Buffer.from("RECEIPT\n\n\0GET / HTTP/1.1\n"))).toThrow(BrokerError);
    parser.push(Buffer.from("MESSAGE\n\n\0"));
    expect(frames.map(({ command }) => command)).toStrictEqual(["RECEIPT"]);
  });

  test("nor is a frame handed over after a handler has thrown", () => {
    let calls = 0;
    const parser = new FrameParser(() => {
      calls++;
      throw new RangeError("mine");
    });
    expect(() => parser.push(Buffer.from("RECEIPT\n\n\0RECEIPT\n\n\0"))).toThrow(new RangeError("mine"));
    parser.push(Buffer.from("RECEIPT\n\n\0"));
    expect(calls).toBe(1);
  });
});

describe("a large body in small pieces", () => {
  afterEach(() => vi.restoreAllMocks());

  /** Bytes that the parser reserves, and so copies at most, and those that it searches for an end. */
  function work(head: string, size: number, piece: number): number {
    const pieces = cut(Buffer.concat([Buffer.from(head), Buffer.alloc(size, "x"), Buffer.of(0)]), [piece]);
    const reserve = vi.spyOn(Buffer, "allocUnsafe");
    const search = vi.spyOn(Buffer.prototype, "indexOf");
    let length = 0;
    const parser = new FrameParser(({ body }) => (length = body.length));
    for (const bytes of pieces) parser.push(bytes);
    expect(length).toBe(size);
    const reserved = reserve.mock.calls.map(([wanted]) => wanted);
    const searched = search.mock.calls.map(([, from], index) => {
      const { length } = search.mock.contexts[index] as unknown as Buffer;
      return length - Number(from ?? 0);
    });
    return [...reserved, ...searched].reduce((sum, bytes) => sum + bytes, 0);
  }

  test("with content-length is copied once: 50 MB in 64 kB", () => {
    const size = 50_000_000;
    expect(work(`MESSAGE\ncontent-length:${size}\n\n`, size, 65_536)).toBeLessThan(1.01 * size);
  });

  test("without content-length makes work in proportion", () => {
    for (const size of [2_000_000, 4_000_000]) {
      expect(work("MESSAGE\n\n", size, 1000)).toBeLessThan(6 * size);
    }
  });
});
