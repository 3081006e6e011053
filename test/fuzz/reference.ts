// What is a message and what is none, as the reference has it, written down once more without regard to
// speed: an oracle for the one that is tested.
import { inflateSync } from "node:zlib";
import { readLz4, readSnappy } from "./blocks.js";

/** What a message must hold; a number stands for any text of its value. */
export interface Expected {
  readonly header: Readonly<Record<string, string | number>>;
  readonly body: string | number | Buffer;
}

/** @returns undefined where the oracle cannot tell, a string that says why it is no message */
export function readAsReference(serialized: Buffer): Expected | string | undefined {
  let json: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(serialized);
    if (text.codePointAt(0) === 0xfeff) return "a byte order mark";
    json = JSON.parse(text);
  } catch (error) {
    return String(error);
  }
  if (!isObject(json)) return "no object";
  const { header = {}, body, text = false, encoding = "", ...others } = json;
  if (Object.keys(others).length > 0) return "unknown keys";
  if (!isObject(header)) return "a header that is no object";
  for (const [name, value] of Object.entries(header)) {
    if (!name.isWellFormed() || !isScalar(value)) return "a bad header";
  }
  if (typeof text !== "boolean") return "a text that is no boolean";
  if (typeof encoding !== "string") return "an encoding that is no string";
  const names = new Set(encoding === "" ? [] : encoding.split("+"));
  if (encoding !== "" && names.size !== encoding.split("+").length) return "an encoding twice";
  const algorithms = ["zlib", "lz4", "snappy"].filter((name) => names.has(name));
  if (algorithms.length > 1) return "two algorithms";
  for (const name of names) {
    if (!["base64", "utf8", "zlib", "lz4", "snappy"].includes(name)) return "an unknown encoding";
  }
  const fields = header as Expected["header"];
  if (!("body" in json)) return { header: fields, body: text ? "" : Buffer.alloc(0) };
  if (!isScalar(body)) return "a bad body";
  if (typeof body === "number") {
    return encoding === "" ? { header: fields, body } : undefined;
  }
  const decoded = decode(body, names, algorithms[0], text);
  return decoded === undefined ? "a body that does not decode" : { header: fields, body: decoded };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isScalar = (value: unknown): value is string | number =>
  typeof value === "number" || (typeof value === "string" && value.isWellFormed());

function decode(
  body: string,
  names: ReadonlySet<string>,
  algorithm: string | undefined,
  text: boolean,
): string | Buffer | undefined {
  // Characters all along: bytes are those up to 255.
  let characters: string | undefined = body;
  if (names.has("base64")) characters = decodeBase64(characters);
  if (algorithm !== undefined && characters !== undefined) characters = decompress(algorithm, characters);
  if (names.has("utf8") && characters !== undefined) {
    const bytes = toBytes(characters);
    const decoded = bytes?.toString("utf8");
    characters = decoded !== undefined && bytes?.equals(Buffer.from(decoded)) ? decoded : undefined;
  }
  return text || characters === undefined ? characters : toBytes(characters);
}

function decodeBase64(text: string): string | undefined {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const digits = [...text.slice(0, text.length - padding)].map((digit) => alphabet.indexOf(digit));
  if (text.length % 4 !== 0 || digits.includes(-1)) return undefined;
  const bits = digits.map((digit) => digit.toString(2).padStart(6, "0")).join("");
  const bytes = bits.match(/.{8}/g) ?? [];
  return String.fromCharCode(...bytes.map((byte) => Number.parseInt(byte, 2)));
}

function decompress(algorithm: string, characters: string): string | undefined {
  const bytes = toBytes(characters);
  if (bytes === undefined) return undefined;
  if (algorithm === "lz4") {
    return bytes.length < 4
      ? undefined
      : readLz4(bytes.subarray(4), bytes.readUInt32LE())?.toString("latin1");
  }
  if (algorithm === "snappy") {
    const size = 1 + bytes.findIndex((byte) => byte < 128);
    if (size === 0 || size > 5) return undefined;
    const digits = [...bytes.subarray(0, size)].reverse();
    const length = digits.reduce((sum, digit) => sum * 128 + (digit & 127), 0);
    return length >= 2 ** 32 ? undefined : readSnappy(bytes.subarray(size), length)?.toString("latin1");
  }
  // What still inflates without its last byte has something behind its end.
  return inflate(bytes.subarray(0, -1)) === undefined ? inflate(bytes)?.toString("latin1") : undefined;
}

function inflate(bytes: Buffer): Buffer | undefined {
  try {
    return inflateSync(bytes);
  } catch {
    return undefined;
  }
}

function toBytes(characters: string): Buffer | undefined {
  for (let index = 0; index < characters.length; index++) {
    if (characters.charCodeAt(index) > 255) return undefined;
  }
  return Buffer.from(characters, "latin1");
}
