import { constants } from "node:buffer";
import { MessageError, printable, show } from "./errors.js";
import { defaultLimits } from "./limits.js";
import { decodeUtf8 } from "./utf8.js";

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

/** The JSON form as text. */
export function writeJson(json: MessageJson): string {
  const { body = "", ...rest } = json;
  if (body.length < LONG) return JSON.stringify(json);
  const others = JSON.stringify(rest).slice(1, -1);
  return `{${others}${others === "" ? "" : ","}"body":${quoteLong(body)}}`;
}

/** Text of so many characters is worth a look at whether it can be quoted in pieces. */
const LONG = 1024;

/** Lines of so many characters on average are. */
const LINE = 32;

/** All that JSON demands to be escaped, but for line feeds; the likely ones first. */
const ESCAPED = ['"', "\\", ...Array.from({ length: 32 }, (_, code) => String.fromCharCode(code))].filter(
  (character) => character !== "\n",
);

/**
 * What `JSON.stringify` makes of text, which handles it by the character: text in lines, without quotes, takes a third
 * of the time if each character that matters is searched for, as that is done at the speed of the memory.
 */
function quoteLong(text: string): string {
  if (ESCAPED.some((character) => text.includes(character))) return JSON.stringify(text);
  const lines: string[] = [];
  let from = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", from)) {
    if (lines.push(text.slice(from, at)) > text.length / LINE) return JSON.stringify(text);
    from = at + 1;
  }
  lines.push(text.slice(from));
  return `"${lines.join("\\n")}"`;
}

/**
 * Read the JSON form, as strictly as the reference does.
 * @param limits as `checkLimits` gives them
 * @throws MessageError MESSAGE_BAD_JSON
 */
export function parseJson(serialized: string | Uint8Array, limits = defaultLimits): MessageJson {
  const text = typeof serialized === "string" ? serialized : toText(serialized);
  if (text === "") throw bad("Expected a JSON object, got nothing (0 bytes)");
  if (text.startsWith("\ufeff")) throw bad("Expected a JSON object, got a byte order mark before it");
  const value = parse(text);
  return (checkHasNumbers(value, limits) ? parse(quoteNumbers(text)) : value) as MessageJson;
}

function toText(bytes: Uint8Array): string {
  if (bytes.length > constants.MAX_STRING_LENGTH) {
    throw bad(`Expected a JSON object of at most ${constants.MAX_STRING_LENGTH} bytes, got ${bytes.length}`);
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) throw bad("Expected a JSON object in UTF-8, got bytes that are not UTF-8");
  return text;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = printable((error as Error).message);
    throw bad(`Expected a JSON object, got ${show(text)}: ${why}`, { cause: error });
  }
}

/**
 * A number stands for its own text, digits that a double cannot hold included. The JSON is valid already,
 * so a quote opens or closes a string unless a backslash stands before it. One expression for a whole
 * string would need the stack for each of its characters.
 */
function quoteNumbers(json: string): string {
  let inString = false;
  return json.replace(/\\["\\]|"|-?\d[\d.eE+-]*/g, (token) => {
    if (token === '"') inString = !inString;
    return inString || token === '"' ? token : `"${token}"`;
  });
}

/** Whether all is as it must be but for numbers, which stand where strings should. */
function checkHasNumbers(value: unknown, { maxHeaderCount } = defaultLimits): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bad(`Expected a JSON object, got ${show(value)}`);
  }
  let hasNumbers = false;
  // `in`, as lists of entries would cost as much as the parsing.
  for (const key in value) {
    const field = (value as Record<string, unknown>)[key];
    switch (key) {
      case "header": {
        if (typeof field !== "object" || field === null || Array.isArray(field)) {
          throw bad(`Expected \`header\` to be an object of strings, got ${show(field)}`);
        }
        let count = 0;
        for (const name in field) {
          if (++count > maxHeaderCount) throw tooMany(maxHeaderCount, field);
          const text = (field as Record<string, unknown>)[name];
          checkWellFormed(name, () => "header");
          if (typeof text === "number") hasNumbers = true;
          else checkString(text, () => `header ${show(name)}`);
        }
        break;
      }
      case "body":
        if (typeof field === "number") hasNumbers = true;
        else checkString(field, () => "`body`");
        break;
      case "encoding":
        checkString(field, () => "`encoding`");
        break;
      case "text":
        if (typeof field !== "boolean") {
          throw bad(`Expected \`text\` to be true or false, got ${show(field)}`);
        }
        break;
      default:
        throw bad(`Unknown key ${show(key)}, expected header, body, text or encoding`);
    }
  }
  return hasNumbers;
}

const tooMany = (most: number, header: object) =>
  bad(`Expected at most ${most} header fields, got ${Object.keys(header).length}`);

/** `what` is asked for only if something is wrong: every header of every message comes through here. */
function checkString(value: unknown, what: () => string): void {
  if (typeof value !== "string") throw bad(`Expected ${what()} to be a string, got ${show(value)}`);
  checkWellFormed(value, what);
}

/** JSON can spell half of a surrogate pair, which no other form can hold. */
function checkWellFormed(text: string, what: () => string): void {
  if (!text.isWellFormed()) throw bad(`Expected Unicode text, got half of a surrogate pair in ${what()}`);
}
