/** What can be wrong with a message. A promise: codes do not change. */
export type MessageErrorCode =
  /** Not the JSON form of a message. */
  | "MESSAGE_BAD_JSON"
  /** The body does not decode as its encoding says. */
  | "MESSAGE_BAD_ENCODING"
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
