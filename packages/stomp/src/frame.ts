import type { Header } from "@spoolwire/message";
import { protocolError } from "./errors.js";

/** The versions of STOMP, oldest first. */
export const versions = ["1.0", "1.1", "1.2"] as const;
export type Version = (typeof versions)[number];

/** One STOMP frame. A body that is a string is sent in UTF-8; one that was received is always bytes. */
export interface Frame<Body = string | Buffer> {
  readonly command: string;
  readonly headers: Header;
  readonly body: Body;
}

/** A frame as it was received. */
export type ReceivedFrame = Frame<Buffer>;

/** These frames are never escaped, since the version is not yet agreed on. */
export const isHandshake = (command: string): boolean =>
  command === "CONNECT" || command === "STOMP" || command === "CONNECTED";

const NO_BODY = Buffer.alloc(0);
const SPECIAL = /[\\:\n\r\0]/;
const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", ":": "\\c", "\n": "\\n", "\r": "\\r" };
const UNESCAPES: Readonly<Record<string, string>> = { "\\\\": "\\", "\\c": ":", "\\n": "\n", "\\r": "\r" };

/**
 * A frame's bytes. `content-length` is that of the body which is sent, whatever the headers say of it.
 * @throws BrokerError BROKER_PROTOCOL if a header cannot be said in this version
 */
export function encodeFrame(frame: Frame, version: Version): Buffer {
  const { command, headers, body } = frame;
  const escaping = isHandshake(command) ? "1.0" : version;
  let head = `${command}\n`;
  for (const name in headers) {
    if (name === "content-length") continue;
    head += `${escape(name, escaping, "name")}:${escape(headers[name] ?? "", escaping, "value")}\n`;
  }
  const bytes = typeof body === "string" ? (body === "" ? NO_BODY : Buffer.from(body, "utf8")) : body;
  head += bytes.length > 0 ? `content-length:${bytes.length}\n\n` : "\n";
  const size = Buffer.byteLength(head);
  const buffer = Buffer.allocUnsafe(size + bytes.length + 1);
  buffer.write(head, 0, size, "utf8");
  buffer.set(bytes, size);
  buffer[buffer.length - 1] = 0;
  return buffer;
}

function escape(text: string, version: Version, part: "name" | "value"): string {
  if (part === "name" && text === "") throw protocolError("A header needs a name");
  if (!SPECIAL.test(text)) return text;
  if (version === "1.0" && part === "value" && !/[\n\r\0]/.test(text)) return text;
  return text.replace(/[\\:\n\r\0]/g, (character) => {
    // What cannot be escaped must not become the start of another header, or the end of the frame.
    if (character === "\0" || (version === "1.0" && character !== "\\")) throw unsayable(text, version);
    if (version === "1.0") return character;
    // STOMP 1.1 has no escape for a carriage return, and there it is data like any other.
    return version === "1.1" && character === "\r" ? character : (ESCAPES[character] ?? character);
  });
}

function unsayable(text: string, version: Version): Error {
  return protocolError(`Cannot send the header text ${JSON.stringify(text)} in STOMP ${version}`);
}

/**
 * What a header's text stands for.
 * @throws BrokerError BROKER_PROTOCOL on an escape that the version does not know
 */
export function unescape(text: string, version: Version): string {
  if (version === "1.0" || !text.includes("\\")) return text;
  return text.replace(/\\.?/gs, (escaped) => {
    const character = UNESCAPES[escaped];
    if (character === undefined || (version === "1.1" && escaped === "\\r")) {
      throw protocolError(`Unknown escape ${JSON.stringify(escaped)} in a STOMP ${version} header`);
    }
    return character;
  });
}
