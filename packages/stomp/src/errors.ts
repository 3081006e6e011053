import { BrokerError } from "@spoolwire/message";

/** How much of what a peer sent an error quotes, characters. */
const QUOTE = 200;

export const protocolError = (message: string): BrokerError => new BrokerError("BROKER_PROTOCOL", message);

/** The peer's words on one short line: they go into an error text. */
export function quote(text: string): string {
  // Control characters must not reach a terminal.
  const line = text.replace(/[\0-\x1f\x7f-\x9f]+/g, " ").trim();
  return line.length > QUOTE ? `${line.slice(0, QUOTE)}…` : line;
}
