import { emptyHeader, MessageError, type Header } from "@spoolwire/message";

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
  if (value instanceof Date) return String(value.getTime());
  if (Buffer.isBuffer(value)) return bytesText(value);
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return `${value}`;
  return JSON.stringify(value, (_key, inner: unknown) => plain(inner));
}

function bytesText(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) ? text : bytes.toString("base64");
}

/** JSON has no bytes, and Buffer a form of its own in it. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  const { type, data } = (value ?? {}) as { type?: unknown; data?: unknown };
  return type === "Buffer" && Array.isArray(data) ? bytesText(Buffer.from(data as number[])) : value;
}
