import type { Message } from "@spoolwire/message";
import type { Settle, Sink } from "./sink.js";

/** Where messages go in a dry run: each is shown in one line, and that is all. */
export class DrySink implements Sink {
  readonly name = "dry run";
  readonly #print: (line: string) => Promise<void>;
  readonly #check: (message: Message) => void;

  /** @param check throws MessageError if the message could not be sent */
  constructor(print: (line: string) => Promise<void>, check: (message: Message) => void) {
    this.#print = print;
    this.#check = check;
  }

  async start(): Promise<void> {}

  send(message: Message, settle: Settle): Promise<void> {
    this.#check(message);
    const { header, body } = message;
    const kind = typeof body === "string" ? "bytes of text" : "bytes";
    const shown = this.#print(`${printable(JSON.stringify(header))} ${Buffer.byteLength(body)} ${kind}`);
    settle();
    return shown;
  }

  async stop(): Promise<void> {}
}

/** JSON escapes all control characters but these, which a terminal obeys too. */
const printable = (json: string) =>
  json.replace(/[\x7f-\x9f]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
