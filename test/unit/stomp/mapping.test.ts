import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Message, MessageError, type Header } from "@spoolwire/message";
import { encodeFrame, FrameParser, toFrame, toMessage, type ReceivedFrame } from "@spoolwire/stomp";

const received = (headers: Header, body: string | Buffer = ""): ReceivedFrame => ({
  command: "MESSAGE",
  headers,
  body: Buffer.from(body as string),
});

const latin1 = Buffer.from("café", "latin1");

describe("the message in a frame", () => {
  test.each<[string | undefined, string]>([
    [undefined, "binary"],
    ["", "binary"],
    ["text/plain", "text"],
    ["TEXT/Plain", "text"],
    [" text/x.y", "text"],
    ["text/plain; x=y", "text"],
    ["text/plain;charset=utf-8", "text"],
    ["text/plain; charset=UTF-8", "text"],
    ['text/plain; charset="utf-8"; x=y', "text"],
    ["text/plain; x=y; CharSet = utf8", "text"],
    ["text/plain;charset=us-ascii", "text"],
    ["application/json;charset=utf-8", "text"],
    ["application/json", "binary"],
    ["application/octet-stream", "binary"],
    ["application/x; name=charset", "binary"],
    ["application/x-text/plain", "binary"],
    ["text", "binary"],
    ["text/plain;charset=koi8-r", "binary"],
    ["text/plain;charset=utf-16", "binary"],
    ["text/plain;charset=constructor", "binary"],
  ])("with content-type %j is %s", (contentType, kind) => {
    const headers = contentType === undefined ? {} : { "content-type": contentType };
    const { body, header } = toMessage(received(headers, "café"));
    expect(body).toStrictEqual(kind === "text" ? "café" : Buffer.from("café"));
    expect({ ...header }).toStrictEqual(headers);
  });

  test.each(["text/plain;charset=iso-8859-1", "text/plain; charset=LATIN1", "x/y;charset=ISO-8859-1"])(
    "with content-type %s is text in that charset",
    (contentType) => {
      expect(toMessage(received({ "content-type": contentType }, latin1)).body).toBe("café");
    },
  );

  test("stays bytes if it is not what its content-type says", () => {
    for (const bytes of [latin1, Buffer.from("\xed\xa0\x80", "latin1"), Buffer.from("é").subarray(0, 1)]) {
      const { body, header } = toMessage(received({ "content-type": "text/plain" }, bytes));
      expect(body).toStrictEqual(bytes);
      expect(header["content-type"]).toBe("text/plain");
    }
  });

  test("keeps a byte order mark, which belongs to the text", () => {
    expect(toMessage(received({ "content-type": "text/plain" }, "\ufeffx")).body).toBe("\ufeffx");
  });

  test("has the application's headers and message-id, and none that belong to one delivery", () => {
    const application = {
      destination: "/queue/a",
      "message-id": "ID:1",
      timestamp: "0",
      transaction: "t",
      "reply-to": "/queue/b",
      persistent: "true",
      ["__proto__"]: "x",
      Subscription: "not ours",
    };
    const delivery = {
      subscription: "0",
      ack: "1",
      redelivered: "true",
      receipt: "2",
      "content-length": "9",
    };
    const { header } = toMessage(received({ ...application, ...delivery }));
    expect(Object.entries(header)).toStrictEqual(Object.entries(application));
  });

  test("leaves the frame's headers to the frame", () => {
    const headers = { a: "b", subscription: "0" };
    toMessage(received(headers)).header.a = "c";
    expect(headers).toStrictEqual({ a: "b", subscription: "0" });
  });
});

/** The error that sending ends in. */
function refusal(header: Header, body: string | Buffer): MessageError {
  try {
    toFrame(new Message({ header, body }));
  } catch (error) {
    if (error instanceof MessageError) return error;
    throw error;
  }
  throw new Error(`Not refused: ${JSON.stringify(header)}`);
}

describe("the frame of a message", () => {
  const destination = "/queue/a";

  test("is a SEND with the application's headers only", () => {
    const kept = { destination, persistent: "true", "reply-to": "/queue/b", ["__proto__"]: "x" };
    const dropped = {
      ...{ subscription: "0", ack: "1", redelivered: "true", receipt: "2", "content-length": "99999" },
      ...{ "message-id": "ID:1", transaction: "t", "receipt-id": "3" },
    };
    const message = new Message({ header: { ...dropped, ...kept }, body: Buffer.from("x") });
    const { command, headers, body } = toFrame(message);
    expect(command).toBe("SEND");
    expect(Object.entries(headers)).toStrictEqual(Object.entries(kept));
    expect(body).toStrictEqual(Buffer.from("x"));
    expect(Object.keys(message.header)).toHaveLength(12);
  });

  test("has text/unknown as content-type of a text that has none", () => {
    const message = new Message({ header: { destination }, body: "" });
    expect({ ...toFrame(message).headers }).toStrictEqual({ destination, "content-type": "text/unknown" });
    expect({ ...message.header }).toStrictEqual({ destination });
  });

  test("has no content-type for bytes that have none", () => {
    expect({ ...toFrame(new Message({ header: { destination }, body: latin1 })).headers }).toStrictEqual({
      destination,
    });
  });

  test.each([
    "text/plain",
    "TEXT/X.Y; a=b",
    "application/json; charset=utf-8",
    "text/plain;charset=us-ascii",
  ])("has a text with content-type %s in UTF-8", (contentType) => {
    const frame = toFrame(new Message({ header: { destination, "content-type": contentType }, body: "é☺" }));
    expect(frame.headers["content-type"]).toBe(contentType);
    expect(encodeFrame(frame, "1.2").includes("content-length:5\n\né☺\0")).toBe(true);
  });

  test("has a text in ISO 8859-1 if its content-type says so", () => {
    const header = { destination, "content-type": "text/plain;charset=iso-8859-1" };
    expect(toFrame(new Message({ header, body: "café" })).body).toStrictEqual(latin1);
    const { code, message } = refusal(header, "☺");
    expect(code).toBe("MESSAGE_NOT_SENDABLE");
    expect(message).toMatch(/characters that text\/plain;charset=iso-8859-1 has not/);
  });

  test.each(["application/json", "application/octet-stream", "text/plain;charset=koi8-r", "text", ""])(
    "is refused for a text with content-type %j",
    (contentType) => {
      const { code, message } = refusal({ destination, "content-type": contentType }, "x");
      expect(code).toBe("MESSAGE_NOT_SENDABLE");
      expect(message).toBe(`A text body contradicts its content-type ${JSON.stringify(contentType)}`);
    },
  );

  test.each(["text/plain", "Text/x.y;a=b", "application/json;charset=utf-8", "text/plain;charset=latin1"])(
    "is refused for bytes with content-type %j",
    (contentType) => {
      const { code, message } = refusal({ destination, "content-type": contentType }, Buffer.from("x"));
      expect(code).toBe("MESSAGE_NOT_SENDABLE");
      expect(message).toBe(`A binary body contradicts its content-type ${JSON.stringify(contentType)}`);
    },
  );

  test("is sent for bytes in a charset that is left as bytes", () => {
    const header = { destination, "content-type": "text/plain;charset=koi8-r" };
    expect(toFrame(new Message({ header, body: latin1 })).body).toStrictEqual(latin1);
  });

  test.each([{}, { destination: "" }, { Destination: "/queue/a" }] as Header[])(
    "is refused without a destination: %j",
    (header) => {
      const { code, message } = refusal(header, "x");
      expect(code).toBe("MESSAGE_NOT_SENDABLE");
      expect(message).toMatch(/needs a destination/);
    },
  );
});

test("any message that can be sent arrives with the same body and headers", () => {
  const text = fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "0"));
  const name = text.filter((text) => text !== "").map((text) => `x-${text}`);
  const header = fc.array(fc.tuple(name, text)).map((fields) => Object.fromEntries(fields));
  const body = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(header, body, (fields, body) => {
      const sent = new Message({ header: { ...fields, destination: "/queue/a" }, body });
      const frames: ReceivedFrame[] = [];
      const parser = new FrameParser((frame) => frames.push(frame));
      parser.version = "1.2";
      parser.push(encodeFrame(toFrame(sent), "1.2"));
      const [arrived] = frames.map((frame) => toMessage(frame));
      const header = { ...sent.header, ...(sent.isText && { "content-type": "text/unknown" }) };
      expect(arrived).toStrictEqual(new Message({ header, body }));
    }),
    { numRuns: 300 },
  );
});
