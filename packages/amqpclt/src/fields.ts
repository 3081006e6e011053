import { emptyHeader, MessageError, type Header } from "@spoolwire/message";

/** Most bytes of a short string of AMQP 0-9-1, such as the name of a field or of a queue. */
export const SHORT = 255;

/** UTF-8 has at most three bytes for what JavaScript counts as one. */
export const isShort = (value: string) => value.length <= SHORT / 3 || Buffer.byteLength(value) <= SHORT;

/** Most milliseconds that a message may be told to live. */
export const MOST_MS = 2 ** 32 - 1;

/** Header fields of one delivery in other protocols: they say nothing here. */
const NOT_SENT = new Set(["subscription", "ack", "redelivered", "receipt", "content-length"]);

/** The fields that are sent, to be taken out one by one where they have a place of their own. */
export function sentFields(header: Readonly<Header>): Header {
  const fields = emptyHeader();
  for (const name in header) {
    if (NOT_SENT.has(name)) continue;
    const value = header[name] ?? "";
    // Both libraries read a table into an object, where this is not a key.
    if (name === "__proto__") throw notSendable("A header field __proto__ cannot be sent with AMQP");
    if (!name.isWellFormed() || !value.isWellFormed()) {
      throw notSendable(`Expected the header to be Unicode text, got half of a surrogate pair in ${name}`);
    }
    fields[name] = value;
  }
  return fields;
}

/** The value of a field that is taken out, if `fits`; else it stays among the others. */
export function take(fields: Header, name: string, fits: (value: string) => boolean): string | undefined {
  const value = fields[name];
  if (value === undefined || !fits(value)) return undefined;
  delete fields[name];
  return value;
}

/** A number that reads back to the same text. */
export const isNumber = (least: number, most: number) => (value: string) =>
  /^\d{1,16}$/.test(value) &&
  String(Number(value)) === value &&
  Number(value) >= least &&
  Number(value) <= most;

export const notSendable = (message: string): MessageError =>
  new MessageError("MESSAGE_NOT_SENDABLE", message);

/** The destination of a message that is sent. @throws MessageError without one */
export function takeDestination(fields: Header): string {
  const { destination } = fields;
  if (!destination) throw notSendable("A message to be sent needs a destination header, got none");
  delete fields.destination;
  return destination;
}

/**
 * The text for a value of another type, which comes from other programs: numbers in decimal, a time as milliseconds
 * since 1970, bytes as they are if they are UTF-8, else in base64; lists and tables as JSON, nothing as "".
 */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return `${value}`;
  const said = plain(value);
  if (typeof said !== "object") return textOf(said);
  return JSON.stringify(said, function (this: Record<string, unknown>, key, json: unknown) {
    // Before a form of its own for JSON, such as those of times and bytes.
    const own = this[key];
    const inner = plain(own);
    return inner === own ? plain(json) : inner;
  });
}

function bytesText(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) ? text : bytes.toString("base64");
}

/** What JSON has for a value: times are numbers, and bytes and what no number holds are text. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Date) return value.getTime();
  if (Buffer.isBuffer(value)) return bytesText(value);
  // AMQP 0-9-1 has times in seconds, and its library names the types that JavaScript has not.
  const { "!": type, value: given } = (value ?? {}) as { readonly "!"?: unknown; readonly value?: unknown };
  if (type === "timestamp" && typeof given === "number") return given * 1000;
  return (type === "decimal" ? decimalText(given) : undefined) ?? value;
}

/** Undefined: it is none, but a table that looks like one. */
function decimalText(value: unknown): string | undefined {
  const { places, digits } = (value ?? {}) as { readonly places?: unknown; readonly digits?: unknown };
  if (typeof places !== "number" || typeof digits !== "number" || !(places >= 0 && places < 256))
    return undefined;
  const text = String(digits).padStart(places + 1, "0");
  const point = text.length - places;
  return places === 0 ? text : `${text.slice(0, point)}.${text.slice(point)}`;
}
