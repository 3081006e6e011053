/** What can be wrong with a message. A promise: codes do not change. */
export type MessageErrorCode =
  /** Not the JSON form of a message. */
  | "MESSAGE_BAD_JSON"
  /** The body does not decode as its encoding says. */
  | "MESSAGE_BAD_ENCODING"
  /** An element of a normal queue that has not the fields of a message. */
  | "MESSAGE_BAD_FIELDS"
  /** Cannot be said in the protocol that it is to be sent with. */
  | "MESSAGE_NOT_SENDABLE";

/** Bytes that are no message; the text says what was expected and what came. */
export class MessageError extends Error {
  override readonly name = "MessageError";
  readonly code: MessageErrorCode;
  constructor(code: MessageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** How much of what came an error quotes, characters. */
const QUOTE = 60;

/** Control characters must not reach a terminal with an error text. */
export const printable = (text: string): string => text.replace(/[\0-\x1f\x7f-\x9f]+/g, " ");

/** How an error names what came, without quoting a whole message. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return "an array";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  return printable(JSON.stringify(value.slice(0, QUOTE))) + (value.length > QUOTE ? "…" : "");
}

/** What can go wrong between a message and a broker, whatever the protocol. A promise: codes do not change. */
export type BrokerErrorCode =
  /** No connection can be made. */
  | "BROKER_CONNECT"
  /** The broker refuses the credentials. */
  | "BROKER_AUTH"
  /** The broker did not answer in time. */
  | "BROKER_TIMEOUT"
  /** What the broker sends is not the protocol. */
  | "BROKER_PROTOCOL"
  /** The connection ended before its time. */
  | "BROKER_CLOSED"
  /** The broker refuses a request. */
  | "BROKER_REJECTED";

/** A failure of a broker, or of the way to it. */
export class BrokerError extends Error {
  override readonly name = "BrokerError";
  readonly code: BrokerErrorCode;
  /** Whether the same may succeed later: true for what may be a passing state of network or broker. */
  readonly canRetry: boolean;
  constructor(code: BrokerErrorCode, message: string, options: ErrorOptions & { canRetry?: boolean } = {}) {
    super(message, options);
    this.code = code;
    this.canRetry =
      options.canRetry ??
      (code === "BROKER_CONNECT" || code === "BROKER_TIMEOUT" || code === "BROKER_CLOSED");
  }
}
