import type { Writable } from "node:stream";
import { write } from "@spoolwire/program";

/** Text is collected up to so many characters before it is written. */
const ENOUGH = 16_384;

/** Standard output of a command: it is never faster than its reader. */
export class Output {
  readonly #stream: Writable;
  #pending = "";

  constructor(stream: Writable) {
    this.#stream = stream;
  }

  /** Write a line, now or with those that follow. */
  async line(text: string): Promise<void> {
    this.#pending += `${text}\n`;
    if (this.#pending.length >= ENOUGH) await this.flush();
  }

  /** Write bytes; resolves when their reader has them (or the kernel, if it is a pipe). */
  async write(bytes: string | Uint8Array): Promise<void> {
    await this.flush();
    await write(this.#stream, bytes);
  }

  /** Write what is pending. */
  async flush(): Promise<void> {
    const text = this.#pending;
    this.#pending = "";
    if (text !== "") await write(this.#stream, text);
  }
}
