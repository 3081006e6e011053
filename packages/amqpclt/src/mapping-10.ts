import { decodeContent, emptyHeader, encodeContent, Message } from "@spoolwire/message";
import { checkCounts } from "./counts.js";
import { isNumber, MOST_MS, notSendable, sentFields, take, takeDestination, textOf } from "./fields.js";
import { rhea } from "./libraries.js";

/** A message as AMQP 1.0 has it. */
export interface Encoded {
  readonly destination: string;
  /** Header, properties, application properties and body. */
  readonly bytes: Buffer;
}

/** What a decoded message may have. */
type Decoded = Readonly<Record<string, unknown>>;

/** A section of the body other than a value, as the library has it. */
interface Section {
  readonly content: unknown;
  readonly multiple?: boolean;
  readonly typecode: number;
}

const DATA = 0x75;

/** The library's class of sections, which it does not name: a map may have their fields too. */
const isSection = (body: object): body is Section =>
  body.constructor === (rhea().message.data_section(Buffer.alloc(0)) as object).constructor;

/** Header fields and the properties that are them; whether those are symbols, which are ASCII. */
const properties = [
  { field: "message-id", property: "message_id", isSymbol: false },
  { field: "correlation-id", property: "correlation_id", isSymbol: false },
  { field: "reply-to", property: "reply_to", isSymbol: false },
  { field: "subject", property: "subject", isSymbol: false },
  { field: "group-id", property: "group_id", isSymbol: false },
  { field: "content-type", property: "content_type", isSymbol: true },
  { field: "content-encoding", property: "content_encoding", isSymbol: true },
] as const;

/** The last time that JavaScript has. */
const MOST_TIME = 8.64e15;

/**
 * What is sent for a message.
 * @throws MessageError MESSAGE_NOT_SENDABLE
 */
export function toEncoded(message: Message, now = Date.now()): Encoded {
  const fields = sentFields(message.header);
  const destination = takeDestination(fields);
  const isUntyped = fields["content-type"] === undefined;
  const { content } = encodeContent(message.body, fields["content-type"]);
  const said: Record<string, unknown> = { to: destination };
  // Text that has no content type is text as a value; the body of a content type is data.
  if (typeof content === "string" && !content.isWellFormed()) {
    throw notSendable("Expected the body to be Unicode text, got half of a surrogate pair");
  }
  const isValue = typeof content === "string" && isUntyped;
  said.body = isValue ? content : rhea().message.data_section(Buffer.from(content));
  for (const { field, property, isSymbol } of properties) {
    const value = take(fields, field, (text) => !isSymbol || /^[\0-\x7f]*$/.test(text));
    if (value !== undefined) said[property] = value;
  }
  if (take(fields, "persistent", (value) => value === "true") !== undefined) said.durable = true;
  const priority = take(fields, "priority", isNumber(0, 255));
  if (priority !== undefined) said.priority = Number(priority);
  const timestamp = take(fields, "timestamp", isNumber(0, MOST_TIME));
  if (timestamp !== undefined) said.creation_time = Number(timestamp);
  const expires = take(fields, "expires", isNumber(1, MOST_TIME));
  if (expires !== undefined) {
    said.absolute_expiry_time = Number(expires);
    said.ttl = Math.min(MOST_MS, Math.max(0, Number(expires) - now));
  }
  if (Object.keys(fields).length > 0) said.application_properties = fields;
  return { destination, bytes: rhea().message.encode(said) };
}

/**
 * A message that has come. A body that its content type calls text, but that is not, stays bytes.
 * @throws MessageError MESSAGE_NOT_SENDABLE if it is none
 */
export function fromEncoded(bytes: Buffer, address: string): Message {
  const decoded = decode(bytes);
  const header = emptyHeader();
  header.destination = address;
  const set = (name: string, value: unknown) => {
    if (value !== undefined && value !== null) header[name] = textOf(value);
  };
  set("destination", decoded.to);
  for (const { field, property } of properties) set(field, decoded[property]);
  set("user-id", decoded.user_id);
  set("priority", decoded.priority);
  set("timestamp", decoded.creation_time);
  set("expires", decoded.absolute_expiry_time);
  if (decoded.durable === true) header.persistent = "true";
  // What the sender has said in words wins.
  const table = (decoded.application_properties ?? {}) as Record<string, unknown>;
  for (const [name, value] of Object.entries(table)) header[name] = textOf(value);
  return new Message({ header, body: bodyOf(decoded.body, header["content-type"]) });
}

/** @throws MessageError MESSAGE_NOT_SENDABLE */
function decode(bytes: Buffer): Decoded {
  let decoded: Decoded;
  try {
    checkCounts(bytes);
    decoded = rhea().message.decode(bytes);
  } catch (error) {
    throw notSendable(
      `Expected a message of AMQP 1.0, got one that cannot be read: ${(error as Error).message}`,
    );
  }
  if (Object.keys(decoded).length === 0)
    throw notSendable("Expected a message of AMQP 1.0, got an empty one");
  return decoded;
}

function bodyOf(body: unknown, contentType: string | undefined): string | Buffer {
  if (Buffer.isBuffer(body)) return body;
  if (body === undefined || body === null) return "";
  if (typeof body !== "object" || !isSection(body)) return textOf(body);
  const { content, multiple = false, typecode } = body;
  if (typecode !== DATA) return textOf(content);
  const parts = (multiple ? content : [content]) as unknown[];
  if (!parts.every((part) => Buffer.isBuffer(part)))
    throw notSendable("Expected the body's data to be bytes");
  return decodeContent(parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts), contentType);
}
