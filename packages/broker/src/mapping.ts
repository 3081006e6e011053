import { emptyHeader, type Header, type Message } from "@spoolwire/message";
import { toMessage, type Frame, type ReceivedFrame, type Version } from "@spoolwire/stomp";

/**
 * The message that a SEND brings, with all the application's headers. Its body is text if the content type
 * says so and the bytes are UTF-8; all other bodies are bytes, without a content type too. So text and
 * binary are told apart on disk as the agents do it, and either way the same bytes come out again.
 */
export function received(frame: ReceivedFrame): Message {
  const message = toMessage(frame);
  // A MESSAGE has one of its own.
  delete message.header["message-id"];
  // Text of another charset would come out as UTF-8: it stays bytes, as does what is no text.
  if (typeof message.body === "string" && Buffer.byteLength(message.body) === frame.body.length)
    return message;
  // The frame's body is a view of what the socket read, which must not stay in memory for it.
  message.body = Buffer.from(frame.body);
  return message;
}

/** Headers of one frame, not of the message. What the agents have put in a queue may hold them. */
const OF_FRAME = new Set([
  "receipt",
  "transaction",
  "content-length",
  "message-id",
  "subscription",
  "ack",
  "redelivered",
  "destination",
]);

/** What a MESSAGE says of one delivery. */
export interface DeliveryHeaders {
  readonly destination: string;
  readonly messageId: string;
  readonly subscription: string | undefined;
  readonly ack: string | undefined;
  readonly redelivered: boolean;
}

/** The MESSAGE frame of a message. */
export function messageFrame(message: Message, delivery: DeliveryHeaders, version: Version): Frame {
  const headers = emptyHeader();
  const { subscription, ack } = delivery;
  if (subscription !== undefined) headers.subscription = subscription;
  headers["message-id"] = delivery.messageId;
  headers.destination = delivery.destination;
  if (version === "1.2" && ack !== undefined) headers.ack = ack;
  if (delivery.redelivered) headers.redelivered = "true";
  for (const name in message.header) {
    if (OF_FRAME.has(name)) continue;
    const value = message.header[name] ?? "";
    if (version !== "1.0") headers[name] = value;
    // A name made of spaces is nothing to STOMP 1.0, which trims.
    else if (name.trim() !== "") headers[sayable(name.trim(), /[:\n\r]/g)] = sayable(value, /[\n\r]/g);
  }
  return { command: "MESSAGE", headers, body: message.body };
}

/** A header that no version can say, if there is one: NUL has no escape, and a header needs a name. */
export function unsayable(headers: Header): string | undefined {
  return Object.keys(headers).find(
    (name) => name === "" || name.includes("\0") || headers[name]?.includes("\0"),
  );
}

const ESCAPES: Readonly<Record<string, string>> = { ":": "\\c", "\n": "\\n", "\r": "\\r" };

/** STOMP 1.0 has no escapes: what it cannot say goes out as STOMP 1.2 would write it. */
const sayable = (text: string, special: RegExp): string =>
  text.replace(special, (character) => ESCAPES[character] ?? character);
