import { BrokerError, MessageError, type Header } from "@spoolwire/message";

/** A frame that the broker will not serve; what it says goes to the client, and the connection ends. */
export class Refusal extends BrokerError {
  /** More headers for the ERROR frame. */
  readonly headers: Header;

  constructor(message: string, headers: Header = {}) {
    super("BROKER_REJECTED", message);
    this.headers = headers;
  }
}

/** Another broker serves the data directory. */
export class BusyError extends Error {
  override readonly name = "BusyError";
  readonly code = "BROKER_BUSY";
}

/** A line without control characters: a header cannot say them all, and a terminal must not see them. */
export const oneLine = (text: string): string => text.replace(/[\0-\x1f\x7f-\x9f]+/g, " ");

/** What a client has said, as an error quotes it. */
export const quote = (text: string): string =>
  oneLine(JSON.stringify(text.slice(0, MOST_QUOTED))) + (text.length > MOST_QUOTED ? "…" : "");

const MOST_QUOTED = 100;

/**
 * What an error means to a client. Of a file failure only the code: its text has paths of this host, which
 * are for the log.
 */
export function toldToClient(error: unknown): string {
  if (!(error instanceof Error)) return "The broker failed";
  if (error instanceof BrokerError || error instanceof MessageError) return oneLine(error.message);
  return `The broker cannot do this now (${(error as NodeJS.ErrnoException).code ?? error.name})`;
}
