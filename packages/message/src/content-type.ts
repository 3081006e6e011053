import { MessageError } from "./errors.js";
import { decodeUtf8 } from "./utf8.js";

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
 * The body that came with a content type: text if that says so. What it calls text, but is not, stays bytes.
 */
export function decodeContent(bytes: Buffer, contentType: string | undefined): string | Buffer {
  const encoding = textEncoding(contentType);
  if (encoding === undefined) return bytes;
  if (encoding === "latin1") return bytes.toString("latin1");
  return decodeUtf8(bytes) ?? bytes;
}

/**
 * The inverse of `decodeContent`: what is sent, and the content type that goes with it, which is `text/unknown` for
 * text without one. Text in UTF-8 stays a string.
 * @throws MessageError MESSAGE_NOT_SENDABLE if body and content type contradict each other
 */
export function encodeContent(
  body: string | Buffer,
  contentType: string | undefined,
): { readonly content: string | Buffer; readonly contentType: string | undefined } {
  const encoding = textEncoding(contentType);
  if (typeof body !== "string") {
    if (encoding) throw contradiction("binary", contentType);
    return { content: body, contentType };
  }
  if (contentType === undefined) return { content: body, contentType: "text/unknown" };
  if (!encoding) throw contradiction("text", contentType);
  if (encoding !== "latin1") return { content: body, contentType };
  if (/[^\0-\xff]/.test(body)) throw notSendable(`The body has characters that ${contentType} has not`);
  return { content: Buffer.from(body, "latin1"), contentType };
}

function contradiction(kind: string, contentType: string | undefined): Error {
  return notSendable(`A ${kind} body contradicts its content-type ${JSON.stringify(contentType)}`);
}

const notSendable = (message: string) => new MessageError("MESSAGE_NOT_SENDABLE", message);
