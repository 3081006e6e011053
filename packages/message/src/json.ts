import { isUtf8 } from "node:buffer";
import { MessageError } from "./errors.js";

/** The JSON form of a message; empty and false ones may be left out, `{}` is the empty message. */
export interface MessageJson {
  readonly header?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether the body is text; a body that is not has one byte a character. */
  readonly text?: boolean;
  /** How the body is encoded: names joined with `+`. */
  readonly encoding?: string;
}

const bad = (message: string, options?: ErrorOptions) =>
  new MessageError("MESSAGE_BAD_JSON", message, options);

/** How an error names what came, without quoting a whole message. */
function show(value: unknown): string {
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/**
 * Read the JSON form, as strictly as the reference does.
 * @throws MessageError MESSAGE_BAD_JSON
 */
export function parseJson(serialized: string | Uint8Array): MessageJson {
  if (typeof serialized !== "string") {
    if (!isUtf8(serialized)) throw bad("Expected a JSON object in UTF-8, got bytes that are not UTF-8");
    serialized = Buffer.from(serialized.buffer, serialized.byteOffset, serialized.length).toString("utf8");
  }
  if (serialized === "") throw bad("Expected a JSON object, got nothing (0 bytes)");
  let value = parse(serialized);
  if (hasNumbers(value)) value = parse(quoteNumbers(serialized));
  return check(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw bad(`Expected a JSON object, got ${show(text)}: ${(error as Error).message}`, { cause: error });
  }
}

function hasNumbers(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { body, header } = value as { body?: unknown; header?: unknown };
  if (typeof body === "number") return true;
  return (
    typeof header === "object" && header !== null && Object.values(header).some((v) => typeof v === "number")
  );
}

/** A number stands for its own text, digits that a double cannot hold included. The JSON is valid already. */
function quoteNumbers(json: string): string {
  return json.replace(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g, (token) =>
    token.startsWith('"') ? token : `"${token}"`,
  );
}

function check(value: unknown): MessageJson {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bad(`Expected a JSON object, got ${show(value)}`);
  }
  for (const [key, field] of Object.entries(value) as [string, unknown][]) {
    switch (key) {
      case "header":
        checkHeader(field);
        break;
      case "body":
      case "encoding":
        if (typeof field !== "string") throw bad(`Expected \`${key}\` to be a string, got ${show(field)}`);
        checkText(field, key);
        break;
      case "text":
        if (typeof field !== "boolean")
          throw bad(`Expected \`text\` to be true or false, got ${show(field)}`);
        break;
      default:
        throw bad(`Unknown key ${show(key)}, expected header, body, text or encoding`);
    }
  }
  return value;
}

function checkHeader(header: unknown): void {
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw bad(`Expected \`header\` to be an object of strings, got ${show(header)}`);
  }
  for (const [name, field] of Object.entries(header) as [string, unknown][]) {
    if (typeof field !== "string")
      throw bad(`Expected header ${show(name)} to be a string, got ${show(field)}`);
    checkText(name, "header");
    checkText(field, name);
  }
}

/** JSON can spell half of a surrogate pair, which no other form can hold. */
function checkText(text: string, what: string): void {
  if (!text.isWellFormed()) throw bad(`${show(what)} holds half of a surrogate pair`);
}
