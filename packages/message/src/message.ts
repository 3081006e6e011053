import type { Compression } from "./compression.js";
import { decodeBody, encodeBody } from "./encoding.js";
import { show } from "./errors.js";
import { emptyHeader, type Header } from "./header.js";
import { parseJson, writeJson, type MessageJson } from "./json.js";
import { checkLimits, defaultLimits, type MessageLimits } from "./limits.js";

/** How to write a message. */
export interface WriteOptions {
  /**
   * Compress the body if it has 256 bytes or more and gets shorter by it, base64 included; with `!` behind
   * the algorithm, any body that is not empty (default: never).
   */
  readonly compression?: Compression | undefined;
}

/**
 * A message: header fields and a body, which is text (a string) or binary (a Buffer).
 * Counterpart: Messaging::Message.
 *
 * @example
 * const message = new Message({ header: { destination: "/queue/app.data" }, body: "hello" });
 * Message.deserialize(message.serialize()).body; // "hello"
 */
export class Message {
  header: Header;
  body: string | Buffer;

  constructor(fields: { readonly header?: Readonly<Header>; readonly body?: string | Uint8Array } = {}) {
    const { header, body = "" } = fields;
    this.header = Object.assign(emptyHeader(), header);
    this.body = typeof body === "string" || Buffer.isBuffer(body) ? body : Buffer.from(body);
  }

  /** Whether the body is text. */
  get isText(): boolean {
    return typeof this.body === "string";
  }

  /** 1 + the length of the body + 2 + the lengths of name and value for each header field, in characters. */
  get size(): number {
    const { header, body } = this;
    let size = 1 + characters(body);
    for (const name in header) size += 2 + characters(name) + characters(header[name] ?? "");
    return size;
  }

  /** A message with the same content that shares nothing with this one. */
  copy(): Message {
    const { header, body } = this;
    return new Message({ header, body: typeof body === "string" ? body : Buffer.from(body) });
  }

  /**
   * The JSON form, as an object. Counterpart: jsonify().
   * @throws TypeError if a string holds half of a surrogate pair, which no encoding can hold, if the body is
   * neither a string nor a Buffer, or if the compression is none
   */
  jsonify({ compression }: WriteOptions = {}): MessageJson {
    const { header } = this;
    demandBody(this.body);
    if (typeof this.body === "string") demandText(this.body, "the body");
    const { body, encoding } = encodeBody(this.body, compression);
    let hasHeader = false;
    for (const name in header) {
      hasHeader = true;
      demandText(name, name);
      demandText(header[name], name);
    }
    const json: { -readonly [Key in keyof MessageJson]: MessageJson[Key] } = {};
    if (hasHeader) json.header = header;
    if (this.isText) json.text = true;
    if (encoding !== "") json.encoding = encoding;
    if (body !== "") json.body = body;
    return json;
  }

  /** The JSON form, as a string. Counterpart: stringify(). */
  stringify(options?: WriteOptions): string {
    return writeJson(this.jsonify(options));
  }

  /** The JSON form, as bytes in UTF-8. Counterpart: serialize(). */
  serialize(options?: WriteOptions): Buffer {
    return Buffer.from(this.stringify(options), "utf8");
  }

  /**
   * From the JSON form, as `parseJson` has checked it.
   * @throws MessageError MESSAGE_BAD_ENCODING
   */
  static dejsonify(json: MessageJson, limits?: MessageLimits): Message {
    return fromJson(json, limits && checkLimits(limits));
  }

  /** The inverse of `stringify`. @throws MessageError MESSAGE_BAD_JSON, MESSAGE_BAD_ENCODING */
  static destringify(json: string, limits?: MessageLimits): Message {
    return read(json, limits);
  }

  /** The inverse of `serialize`. @throws MessageError MESSAGE_BAD_JSON, MESSAGE_BAD_ENCODING */
  static deserialize(bytes: Uint8Array, limits?: MessageLimits): Message {
    return read(bytes, limits);
  }
}

function read(serialized: string | Uint8Array, limits: MessageLimits | undefined): Message {
  const checked = limits && checkLimits(limits);
  return fromJson(parseJson(serialized, checked), checked);
}

function fromJson(json: MessageJson, limits = defaultLimits): Message {
  const { header, body, text = false, encoding = "" } = json;
  const decoded = decodeBody(body, encoding, text, limits);
  return new Message(header ? { header, body: decoded } : { body: decoded });
}

/** Text without any, as most is, is seen at a glance: the engine keeps it in single bytes, which cannot be one. */
const SURROGATE = /[\ud800-\udbff]/;

/** As in Perl and Python: what JavaScript stores as a surrogate pair is one. */
function characters(text: string | Buffer): number {
  if (typeof text !== "string" || !SURROGATE.test(text)) return text.length;
  return text.length - (text.match(/[\ud800-\udbff]/g)?.length ?? 0);
}

/**
 * Code without types can give it anything, and what is much like a Buffer would be written as other bytes.
 * @throws TypeError
 */
export function demandBody(body: unknown): void {
  if (typeof body === "string" || Buffer.isBuffer(body)) return;
  throw new TypeError(`Expected the body to be a string or a Buffer, got ${show(body)}`);
}

function demandText(value: unknown, what: string): void {
  if (typeof value !== "string") {
    throw new TypeError(`Expected header ${JSON.stringify(what)} to be a string, got ${typeof value}`);
  }
  if (!value.isWellFormed())
    throw new TypeError(`Expected ${what} to be Unicode text, got half of a surrogate pair`);
}
