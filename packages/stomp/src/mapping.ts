import { Message, MessageError, type Header } from "@spoolwire/message";
import type { Frame, ReceivedFrame } from "./frame.js";

/**
 * Headers of one delivery, not of the message: they say nothing to who reads it later, and brokers refuse
 * or misread some of them on SEND. `message-id` is kept when a message comes in, since it tells where it
 * came from, and left out when it goes out.
 */
const OF_DELIVERY = new Set(["subscription", "ack", "redelivered", "receipt", "content-length"]);
const NOT_SENT = new Set([...OF_DELIVERY, "message-id", "transaction", "receipt-id"]);

/** The charsets in which a text body can be read and written again without loss. */
const CHARSETS: ReadonlyMap<string, BufferEncoding> = new Map([
  ["utf-8", "utf8"],
  ["utf8", "utf8"],
  ["us-ascii", "utf8"],
  ["ascii", "utf8"],
  ["iso-8859-1", "latin1"],
  ["latin1", "latin1"],
]);

/**
 * How the body of a content type is text: `text/…`, or anything with a charset (default UTF-8), whatever
 * the case and whatever parameters follow. Undefined: binary, or a charset that is left as bytes.
 */
function textEncoding(contentType: string | undefined): BufferEncoding | undefined {
  if (contentType === undefined) return undefined;
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)"?/i.exec(contentType)?.[1]?.toLowerCase();
  if (charset !== undefined) return CHARSETS.get(charset);
  return /^\s*text\//i.test(contentType) ? "utf8" : undefined;
}

/**
 * The message in a MESSAGE frame. A body that its content type calls text, but that is not, stays bytes.
 * Counterpart: messagify().
 */
export function toMessage(frame: ReceivedFrame): Message {
  const header = Object.create(null) as Header;
  for (const name in frame.headers) {
    if (!OF_DELIVERY.has(name)) header[name] = frame.headers[name] ?? "";
  }
  const encoding = textEncoding(frame.headers["content-type"]);
  return new Message({ header, body: (encoding && decode(frame.body, encoding)) ?? frame.body });
}

function decode(bytes: Buffer, encoding: BufferEncoding): string | undefined {
  if (encoding === "latin1") return bytes.toString("latin1");
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * The SEND frame of a message.
 * @throws MessageError MESSAGE_NOT_SENDABLE without a destination, or if body and content type contradict each other
 */
export function toFrame(message: Message): Frame {
  const headers = Object.create(null) as Header;
  for (const name in message.header) {
    if (!NOT_SENT.has(name)) headers[name] = message.header[name] ?? "";
  }
  if (!headers.destination) throw notSendable("A message to be sent needs a destination header, got none");
  return { command: "SEND", headers, body: encode(message.body, headers) };
}

function encode(body: string | Buffer, headers: Header): string | Buffer {
  const contentType = headers["content-type"];
  const encoding = textEncoding(contentType);
  if (typeof body !== "string") {
    if (encoding) throw contradiction("binary", contentType);
    return body;
  }
  if (contentType === undefined) headers["content-type"] = "text/unknown";
  else if (!encoding) throw contradiction("text", contentType);
  if (encoding !== "latin1") return body;
  if (/[^\0-\xff]/.test(body)) throw notSendable(`The body has characters that ${contentType} has not`);
  return Buffer.from(body, "latin1");
}

function contradiction(kind: string, contentType: string | undefined): Error {
  return notSendable(`A ${kind} body contradicts its content-type ${JSON.stringify(contentType)}`);
}

const notSendable = (message: string) => new MessageError("MESSAGE_NOT_SENDABLE", message);
