import { MessageError, type Header } from "@spoolwire/message";
import { protocolError, quote } from "./errors.js";

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

/** Up to so many characters text is cheaper to copy once more than to make into bytes by itself. */
const SHORT = 1024;

/** These frames are never escaped, since the version is not yet agreed on. */
export const isHandshake = (command: string): boolean =>
  command === "CONNECT" || command === "STOMP" || command === "CONNECTED";

const SPECIAL = /[\\:\n\r\0]/;
/** What stands for a special character of a header; one that is not here cannot be sent in that version. */
const ESCAPES: Readonly<Record<Version, Readonly<Record<string, string>>>> = {
  "1.0": { "\\": "\\" },
  // There is no escape for a carriage return in STOMP 1.1, where it is data like any other.
  "1.1": { "\\": "\\\\", ":": "\\c", "\n": "\\n", "\r": "\r" },
  "1.2": { "\\": "\\\\", ":": "\\c", "\n": "\\n", "\r": "\\r" },
};
const UNESCAPES: Readonly<Record<string, string>> = { "\\\\": "\\", "\\c": ":", "\\n": "\n", "\\r": "\r" };

/**
 * A frame's bytes. `content-length` is that of the body which is sent, whatever the headers say of it.
 * @param receipt asks for this one, whatever the headers say; it needs no escape
 * @throws MessageError MESSAGE_NOT_SENDABLE if a header cannot be said in this version, or text is not Unicode
 */
export function encodeFrame(frame: Frame, version: Version, receipt?: string): Buffer {
  const { command, headers, body } = frame;
  const escaping = isHandshake(command) ? "1.0" : version;
  let head = `${command}\n`;
  for (const name in headers) {
    if (name === "content-length" || (name === "receipt" && receipt !== undefined)) continue;
    // Trimmed by the peer, ` content-length` would count.
    if (name === "" || (escaping === "1.0" && name !== name.trim())) {
      throw notSendable(`A header cannot be called ${JSON.stringify(name)} in STOMP ${escaping}`);
    }
    const value = headers[name] ?? "";
    head += `${escape(name, escaping, name, "name")}:${escape(value, escaping, name, "value")}\n`;
  }
  if (receipt !== undefined) head += `receipt:${receipt}\n`;
  if (!head.isWellFormed() || (typeof body === "string" && !body.isWellFormed())) {
    throw notSendable(`A ${command} frame has half of a surrogate pair, which UTF-8 cannot hold`);
  }
  if (typeof body === "string" && body.length <= SHORT) {
    return Buffer.from(`${head}${lengthLine(Buffer.byteLength(body))}${body}\0`, "utf8");
  }
  const length = Buffer.byteLength(body);
  head += lengthLine(length);
  const size = Buffer.byteLength(head);
  const buffer = Buffer.allocUnsafe(size + length + 1);
  buffer.write(head, 0, size, "utf8");
  if (typeof body === "string") buffer.write(body, size, length, "utf8");
  else buffer.set(body, size);
  buffer[size + length] = 0;
  return buffer;
}

/** The end of a frame's headers. */
const lengthLine = (length: number) => (length > 0 ? `content-length:${length}\n\n` : "\n");

/** The error names the header and does not quote its value, which may be a password. */
function escape(text: string, version: Version, name: string, part: "name" | "value"): string {
  if (!SPECIAL.test(text)) return text;
  return text.replace(/[\\:\n\r\0]/g, (character) => {
    if (version === "1.0" && part === "value" && character === ":") return character;
    const escaped = ESCAPES[version][character];
    if (escaped !== undefined) return escaped;
    // What cannot be escaped must not become the start of another header, or the end of the frame.
    const what = `its ${part} holds ${JSON.stringify(character)}`;
    throw notSendable(`Header "${quote(name)}" cannot be sent in STOMP ${version}: ${what}`);
  });
}

const notSendable = (message: string) => new MessageError("MESSAGE_NOT_SENDABLE", message);

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
