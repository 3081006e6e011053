import { describe, expect, test } from "vitest";
import { BrokerError, MessageError } from "@spoolwire/message";
import {
  encodeFrame,
  FrameParser,
  versions,
  type Frame,
  type ReceivedFrame,
  type Version,
} from "@spoolwire/stomp";

const encode = (headers: Record<string, string>, version: Version, command = "SEND") =>
  encodeFrame({ command, headers, body: "" }, version).toString();

/** The error that encoding ends in. */
function refusal(frame: Partial<Frame>, version: Version): MessageError {
  try {
    encodeFrame({ command: "SEND", headers: {}, body: "", ...frame }, version);
  } catch (error) {
    if (error instanceof MessageError) return error;
    throw error;
  }
  throw new Error(`Not refused: ${JSON.stringify(frame)}`);
}

describe("a frame", () => {
  test("is command, headers in their order, an empty line, body and NUL", () => {
    const frame = { command: "SEND", headers: { destination: "/queue/a", a: "1" }, body: "hello" };
    expect(encodeFrame(frame, "1.2").toString()).toBe(
      "SEND\ndestination:/queue/a\na:1\ncontent-length:5\n\nhello\0",
    );
  });

  test("has no content-length without a body", () => {
    expect(encode({ id: "1" }, "1.2", "ACK")).toBe("ACK\nid:1\n\n\0");
    expect(encode({}, "1.0", "DISCONNECT")).toBe("DISCONNECT\n\n\0");
  });

  test("has the content-length of the bytes that are sent", () => {
    const frame = { command: "SEND", headers: {}, body: "é☺😀" };
    expect(encodeFrame(frame, "1.2").toString()).toBe("SEND\ncontent-length:9\n\né☺😀\0");
    expect(encodeFrame({ ...frame, body: Buffer.of(0, 255) }, "1.1")).toStrictEqual(
      Buffer.from("SEND\ncontent-length:2\n\n\0\xff\0", "latin1"),
    );
  });

  test.each([["3"], ["3abc"], ["5"], [""], ["1\n2"]])(
    "ignores a content-length %j among its headers",
    (value) => {
      const headers = { "content-length": value, a: "b" };
      const frame = encodeFrame({ command: "SEND", headers, body: "hello" }, "1.2").toString();
      expect(frame).toBe("SEND\na:b\ncontent-length:5\n\nhello\0");
      expect(encode(headers, "1.2")).toBe("SEND\na:b\n\n\0");
    },
  );

  test("has headers and body in UTF-8", () => {
    expect(encodeFrame({ command: "SEND", headers: { é: "☺" }, body: "😀" }, "1.2")).toStrictEqual(
      Buffer.from("SEND\né:☺\ncontent-length:4\n\n😀\0", "utf8"),
    );
  });

  test("takes names like __proto__ and hasOwnProperty", () => {
    const headers = { ["__proto__"]: "1", hasOwnProperty: "2", constructor: "3" } as unknown as Record<
      string,
      string
    >;
    expect(encode(headers, "1.2")).toBe("SEND\n__proto__:1\nhasOwnProperty:2\nconstructor:3\n\n\0");
  });
});

describe("headers are escaped", () => {
  test("not at all in 1.0, where a value may hold colons and backslashes", () => {
    expect(encode({ "a\\c": "b:c\\n\\\\" }, "1.0")).toBe("SEND\na\\c:b:c\\n\\\\\n\n\0");
  });

  test("in 1.1: backslash, line feed and colon, in names and values; carriage return is data", () => {
    expect(encode({ "a:\\\n\r": "b:\\\n\r" }, "1.1")).toBe("SEND\na\\c\\\\\\n\r:b\\c\\\\\\n\r\n\n\0");
  });

  test("in 1.2: carriage return too", () => {
    expect(encode({ "a:\\\n\r": "b:\\\n\r" }, "1.2")).toBe("SEND\na\\c\\\\\\n\\r:b\\c\\\\\\n\\r\n\n\0");
  });

  test.each(["CONNECT", "STOMP", "CONNECTED"])("never in %s", (command) => {
    for (const version of versions) {
      expect(encode({ passcode: "a:b\\c" }, version, command)).toBe(`${command}\npasscode:a:b\\c\n\n\0`);
    }
  });
});

describe("what a version cannot say is refused and never sent as something else", () => {
  const secret = "secret";
  test.each<[string, Version, string, string]>([
    ["a line feed in 1.0", "1.0", "SEND", `${secret}\nreceipt:1`],
    ["a carriage return in 1.0", "1.0", "SEND", `${secret}\rx`],
    ["NUL in 1.0", "1.0", "SEND", `${secret}\0SEND`],
    ["NUL in 1.1", "1.1", "SEND", `${secret}\0SEND`],
    ["NUL in 1.2", "1.2", "SEND", `${secret}\0SEND`],
    ["a line feed in CONNECT", "1.2", "CONNECT", `${secret}\nhost:x`],
    ["a line feed in CONNECTED", "1.1", "CONNECTED", `${secret}\nversion:9`],
  ])("%s", (_, version, command, text) => {
    const inValue = refusal({ command, headers: { passcode: text } }, version);
    expect(inValue).toMatchObject({ name: "MessageError", code: "MESSAGE_NOT_SENDABLE" });
    expect(inValue.message).toMatch(
      /^Header "passcode" cannot be sent in STOMP 1\.[012]: its value holds "\\/,
    );
    expect(inValue.message).not.toContain(secret);
    const inName = refusal({ command, headers: { [text]: "x" } }, version);
    expect(inName.code).toBe("MESSAGE_NOT_SENDABLE");
    expect(inName.message).toMatch(/ its name holds "\\/);
    expect(inName.message).not.toMatch(/[\0-\x1f]/);
  });

  test("a colon in a name in 1.0 and in CONNECT", () => {
    expect(refusal({ headers: { "a:b": "c" } }, "1.0").message).toMatch(/its name holds ":"/);
    expect(refusal({ command: "CONNECT", headers: { "a:b": "c" } }, "1.2").message).toMatch(
      /its name holds ":"/,
    );
  });

  test("a header without a name", () => {
    for (const version of versions) {
      expect(refusal({ headers: { "": "x" } }, version).message).toMatch(/cannot be called ""/);
    }
  });

  test("in 1.0 a name that the other side would trim to another one", () => {
    for (const name of [" content-length", "destination\t", " "]) {
      expect(refusal({ headers: { [name]: "5" } }, "1.0").code).toBe("MESSAGE_NOT_SENDABLE");
      expect(encode({ [name]: "5" }, "1.1")).toBe(`SEND\n${name}:5\n\n\0`);
    }
  });

  test("half of a surrogate pair, which would become another character", () => {
    expect(refusal({ body: "\ud83d" }, "1.2").message).toMatch(/surrogate/);
    expect(refusal({ headers: { a: "\ud83d" } }, "1.2").message).toMatch(/surrogate/);
    expect(refusal({ headers: { "\ude00": "a" } }, "1.0").code).toBe("MESSAGE_NOT_SENDABLE");
  });
});

/** Parse a frame that came with this head. */
function parse(head: string, version: Version, command = "MESSAGE"): Record<string, string> {
  const frames: ReceivedFrame[] = [];
  const parser = new FrameParser((frame) => frames.push(frame));
  parser.version = version;
  parser.push(Buffer.from(`${command}\n${head}\n\0`));
  if (frames.length !== 1) throw new Error(`Expected one frame, got ${frames.length}`);
  return { ...frames[0]?.headers };
}

describe("headers are unescaped", () => {
  test("not at all in 1.0", () => {
    expect(parse("a\\c:b\\n\\\\\\x:y\\\n", "1.0")).toStrictEqual({ "a\\c": "b\\n\\\\\\x:y\\" });
  });

  test("in 1.1: backslash, line feed and colon, in names and values", () => {
    expect(parse("a\\c\\n\\\\:b\\c\\n\\\\\n", "1.1")).toStrictEqual({ "a:\n\\": "b:\n\\" });
  });

  test("in 1.2: carriage return too", () => {
    expect(parse("a\\r:b\\r\\n\n", "1.2")).toStrictEqual({ "a\r": "b\r\n" });
  });

  test("from left to right, once", () => {
    // One replacement after the other makes a line feed of this.
    expect(parse("path:C\\c\\\\new\n", "1.2")).toStrictEqual({ path: "C:\\new" });
    expect(parse("a:\\\\\\\\n\\\\c\n", "1.1")).toStrictEqual({ a: "\\\\n\\c" });
  });

  test("with further colons in a value, which some brokers send", () => {
    expect(parse("message-id:ID:a:1\n", "1.2")).toStrictEqual({ "message-id": "ID:a:1" });
  });

  test.each<[string, Version]>([
    ["\\r", "1.1"],
    ["\\t", "1.1"],
    ["\\t", "1.2"],
    ["\\N", "1.2"],
    ["\\é", "1.2"],
    ["\\0", "1.2"],
    ["\\", "1.1"],
    ["\\", "1.2"],
    ["\\\\\\", "1.2"],
  ])("but %s in %s is an error", (escaped, version) => {
    for (const line of [`a:${escaped}`, `a${escaped}:b`]) {
      expect(() => parse(`${line}\n`, version)).toThrow(BrokerError);
      expect(() => parse(`${line}\n`, version)).toThrow(/^Unknown escape "\\\\.* in a STOMP 1\.[12] header$/);
    }
    expect(parse(`a:${escaped}\n`, "1.0")).toStrictEqual({ a: escaped });
  });

  test.each(["CONNECT", "STOMP", "CONNECTED"])("never in %s", (command) => {
    for (const version of versions) {
      expect(parse("passcode:a\\nb\\\\\\x\n", version, command)).toStrictEqual({ passcode: "a\\nb\\\\\\x" });
    }
  });
});

describe("spaces and repeated headers", () => {
  const head = " a : 1 \na:2\t\nb\t:\n";
  test("in 1.0 are trimmed, and the last counts", () => {
    expect(parse(head, "1.0")).toStrictEqual({ a: "2", b: "" });
  });

  test.each(["1.1", "1.2"] as const)("in %s are kept, and the first counts", (version) => {
    expect(parse(`${head}a:3\n`, version)).toStrictEqual({ " a ": " 1 ", a: "2\t", "b\t": "" });
    expect(parse("a:\na:2\n", version)).toStrictEqual({ a: "" });
    expect(parse("a\\c:1\na\\c:2\n", version)).toStrictEqual({ "a:": "1" });
  });
});
