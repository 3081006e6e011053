import { decodeContent, emptyHeader, encodeContent, Message, MessageError } from "@spoolwire/message";
import type { Frame, ReceivedFrame } from "./frame.js";

/**
 * Headers of one delivery, not of the message: they say nothing to who reads it later, and brokers refuse
 * or misread some of them on SEND. `message-id` is kept when a message comes in, since it tells where it
 * came from, and left out when it goes out.
 */
const OF_DELIVERY = new Set(["subscription", "ack", "redelivered", "receipt", "content-length"]);
const NOT_SENT = new Set([...OF_DELIVERY, "message-id", "transaction", "receipt-id"]);

/**
 * The message in a MESSAGE frame. A body that its content type calls text, but that is not, stays bytes.
 * Counterpart: messagify(), which keeps all headers.
 * @param keepsAll also those of one delivery, such as `ack` and `subscription` (default false)
 */
export function toMessage(frame: ReceivedFrame, keepsAll = false): Message {
  const header = emptyHeader();
  for (const name in frame.headers) {
    if (keepsAll || !OF_DELIVERY.has(name)) header[name] = frame.headers[name] ?? "";
  }
  return new Message({ header, body: decodeContent(frame.body, frame.headers["content-type"]) });
}

/**
 * The SEND frame of a message.
 * @throws MessageError MESSAGE_NOT_SENDABLE without a destination, or if body and content type contradict each other
 */
export function toFrame(message: Message): Frame {
  const headers = emptyHeader();
  for (const name in message.header) {
    if (!NOT_SENT.has(name)) headers[name] = message.header[name] ?? "";
  }
  if (!headers.destination) {
    throw new MessageError(
      "MESSAGE_NOT_SENDABLE",
      "A message to be sent needs a destination header, got none",
    );
  }
  const { content, contentType } = encodeContent(message.body, headers["content-type"]);
  if (contentType !== undefined) headers["content-type"] = contentType;
  return { command: "SEND", headers, body: content };
}
