import { decodeContent, emptyHeader, encodeContent, Message, type Header } from "@spoolwire/message";
import type { MessageProperties, Options } from "amqplib";
import {
  isNumber,
  isShort,
  MOST_MS,
  notSendable,
  sentFields,
  SHORT,
  take,
  takeDestination,
  textOf,
} from "./fields.js";

/** A message as AMQP 0-9-1 has it. */
export interface Content {
  readonly destination: string;
  readonly content: Buffer;
  readonly properties: Options.Publish & { readonly headers: Header };
}

/** Header fields and the properties that are them; longer values stay in the table. */
const properties = [
  { field: "message-id", property: "messageId" },
  { field: "correlation-id", property: "correlationId" },
  { field: "reply-to", property: "replyTo" },
  { field: "content-encoding", property: "contentEncoding" },
  { field: "type", property: "type" },
  { field: "app-id", property: "appId" },
] as const;

/**
 * What is sent for a message.
 * @throws MessageError MESSAGE_NOT_SENDABLE
 */
export function toContent(message: Message, now = Date.now()): Content {
  const fields = sentFields(message.header);
  const destination = takeDestination(fields);
  const { content, contentType } = encodeContent(message.body, fields["content-type"]);
  if (contentType !== undefined) fields["content-type"] = contentType;
  const options: Options.Publish = {
    persistent: take(fields, "persistent", (value) => value === "true") === "true",
  };
  const type = take(fields, "content-type", isShort);
  if (type !== undefined) options.contentType = type;
  for (const { field, property } of properties) {
    const value = take(fields, field, isShort);
    if (value !== undefined) options[property] = value;
  }
  const priority = take(fields, "priority", isNumber(0, 255));
  if (priority !== undefined) options.priority = Number(priority);
  // The broker is told how long, and the field stays, since only it tells until when.
  const { expires = "" } = fields;
  if (isNumber(1, now + MOST_MS)(expires)) options.expiration = String(Math.max(0, Number(expires) - now));
  for (const name in fields) {
    if (isShort(name)) continue;
    throw notSendable(`Expected names of header fields of at most ${SHORT} bytes, got ${name}`);
  }
  const bytes = typeof content === "string" ? Buffer.from(content, "utf8") : content;
  return { destination, content: bytes, properties: { ...options, headers: fields } };
}

/** Where a message has come from. */
export interface Origin {
  readonly exchange: string;
  readonly routingKey: string;
  /** The queue is there, and is not to be declared as `/queue/NAME` is. */
  readonly isGiven?: boolean;
}

/** A message that has come. A body that its content type calls text, but that is not, stays bytes. */
export function fromContent(content: Buffer, given: MessageProperties, from: Origin): Message {
  const header = emptyHeader();
  header.destination = destinationOf(from);
  const set = (name: string, value: unknown) => {
    if (value !== undefined) header[name] = textOf(value);
  };
  for (const { field, property } of properties) set(field, given[property]);
  set("content-type", given.contentType);
  set("priority", given.priority);
  set("user-id", given.userId);
  if (typeof given.timestamp === "number") set("timestamp", given.timestamp * 1000);
  if (given.deliveryMode === 2) header.persistent = "true";
  // What the sender has said in words wins.
  const table = given.headers ?? {};
  for (const [name, value] of Object.entries(table)) set(name, value);
  return new Message({ header, body: decodeContent(content, header["content-type"]) });
}

/** The destination that would send it there again. */
function destinationOf({ exchange, routingKey, isGiven = false }: Origin): string {
  if (exchange === "") return `${isGiven ? "/amq" : ""}/queue/${routingKey}`;
  if (exchange === "amq.topic") return `/topic/${routingKey}`;
  return `/exchange/${exchange}/${routingKey}`;
}
