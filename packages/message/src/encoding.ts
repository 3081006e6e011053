import { algorithms, compress, decompress, parseCompression, type Compression } from "./compression.js";
import { MessageError, show } from "./errors.js";
import { defaultLimits } from "./limits.js";

/** The names that `encoding` may hold, joined with `+` in any order. */
const KNOWN: readonly string[] = ["base64", "utf8", ...algorithms];

/** Shorter bodies, in bytes, are compressed only by force. */
const WORTH_COMPRESSING = 256;

// Each expression looks for one character that must not be there: one for the whole body, with a repeated
// group, needs the stack for each character and fails on bodies of some megabytes.

/** What base64 does not have, apart from the padding at its end. */
const NOT_BASE64 = /[^A-Za-z0-9+/]/;

/** A binary body is put in JSON as it is if it has only tab, line feed, carriage return and printable ASCII. */
const NOT_PRINTABLE = /[^\t\n\r\x20-\x7e]/;

/** Beyond a byte. */
const WIDE = /[^\0-\xff]/;

const bad = (message: string, options?: ErrorOptions) =>
  new MessageError("MESSAGE_BAD_ENCODING", message, options);

/**
 * From the body's form in JSON to the body: base64 is undone first, then compression, then utf8, in
 * whatever order they are named. A binary body's characters are its bytes, as in Perl (Python reads
 * `"\u00e9"` as c3 a9).
 * @param body undefined: there is none, which needs no decoding
 * @throws MessageError MESSAGE_BAD_ENCODING
 */
export function decodeBody(
  body: string | undefined,
  encoding: string,
  text: boolean,
  { maxDecompressed } = defaultLimits,
): string | Buffer {
  const names = readNames(encoding);
  if (body === undefined) return text ? "" : Buffer.alloc(0);
  let bytes: Buffer | undefined;
  if (names.includes("base64")) {
    if (!isBase64(body)) throw bad("The body is not base64 (padded, in one piece, alphabet with + and /)");
    bytes = Buffer.from(body, "base64");
  }
  const algorithm = algorithms.find((name) => names.includes(name));
  if (algorithm) {
    bytes ??= toBytes(body, `A body with encoding ${algorithm}`);
    bytes = decompress(algorithm, bytes, maxDecompressed);
  }
  if (names.includes("utf8")) {
    bytes ??= toBytes(body, "A body with encoding utf8");
    try {
      body = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      throw bad("The body is not UTF-8, though its encoding says so", { cause: error });
    }
    bytes = undefined;
  }
  if (text) return bytes?.toString("latin1") ?? body;
  return bytes ?? toBytes(body, "A binary body");
}

function readNames(encoding: string): readonly string[] {
  if (encoding === "") return [];
  const names = encoding.split("+");
  for (const [index, name] of names.entries()) {
    if (!KNOWN.includes(name)) {
      throw bad(`Expected \`encoding\` to be made of ${KNOWN.join(", ")}, got ${show(encoding)}`);
    }
    if (names.indexOf(name) !== index) throw bad(`\`encoding\` names ${name} twice`);
  }
  const used = algorithms.filter((name) => names.includes(name));
  if (used.length > 1) throw bad(`\`encoding\` names ${used.join(" and ")}, of which there can be one`);
  return names;
}

/** A body in the form that it has in JSON. */
interface EncodedBody {
  readonly body: string;
  readonly encoding: string;
}

/**
 * From the body to its form in JSON, base64 only where bytes need it. The names are sorted, as Perl does.
 * @throws TypeError if the compression is none
 */
export function encodeBody(body: string | Buffer, compression?: Compression): EncodedBody {
  const plain = typeof body === "string" ? { body, encoding: "" } : encodeBytes(body);
  if (compression === undefined) return plain;
  const { algorithm, forced } = parseCompression(compression);
  const bytes = typeof body === "string" ? Buffer.from(body, "utf8") : body;
  if (bytes.length === 0 || (!forced && bytes.length < WORTH_COMPRESSING)) return plain;
  const packed = encodeBytes(compress(algorithm, bytes));
  if (!forced && packed.body.length >= Buffer.byteLength(plain.body)) return plain;
  const names: string[] = [algorithm];
  if (packed.encoding !== "") names.push(packed.encoding);
  // As many bytes as characters: it is ASCII, which is the same in UTF-8.
  if (bytes.length !== body.length) names.push("utf8");
  return { body: packed.body, encoding: names.sort().join("+") };
}

function encodeBytes(bytes: Buffer): EncodedBody {
  const characters = bytes.toString("latin1");
  if (NOT_PRINTABLE.test(characters)) return { body: bytes.toString("base64"), encoding: "base64" };
  return { body: characters, encoding: "" };
}

/** Strict: padded, without white space, of the standard alphabet. */
function isBase64(text: string): boolean {
  return text.length % 4 === 0 && !NOT_BASE64.test(text.replace(/={1,2}$/, ""));
}

function toBytes(characters: string, what: string): Buffer {
  const wide = WIDE.exec(characters);
  if (wide) {
    const point = characters.codePointAt(wide.index) ?? 0;
    throw bad(
      `${what} has one byte a character, got U+${point.toString(16).toUpperCase().padStart(4, "0")} at ${wide.index}`,
    );
  }
  return Buffer.from(characters, "latin1");
}
