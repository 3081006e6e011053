import type { Terminal } from "./program.js";

/** How often the line changes, milliseconds. */
const EVERY_MS = 200;

/** How long work is under way before there is a line, milliseconds: short work needs none. */
const QUIET_MS = 500;

/** How far long work has come: one line that is written over, if the stream is a terminal; else nothing. */
export class Progress {
  readonly #stream: Terminal;
  #next = performance.now() + QUIET_MS;
  #shown = false;

  constructor(stream: Terminal) {
    this.#stream = stream;
  }

  /** Show this now, unless something has just been shown; cheap to call for every piece of work. */
  show(text: () => string): void {
    if (!this.#stream.isTTY || performance.now() < this.#next) return;
    this.#next = performance.now() + EVERY_MS;
    this.#shown = true;
    // One line of the terminal: a longer one could not be taken away again. Some do not know their width.
    const { columns = 0 } = this.#stream;
    this.#stream.write(`\r\x1b[K${text().slice(0, (columns > 0 ? columns : 80) - 1)}`);
  }

  /** Take the line away, before the next is written or the program ends. */
  clear(): void {
    if (this.#shown) this.#stream.write("\r\x1b[K");
    this.#shown = false;
  }
}
