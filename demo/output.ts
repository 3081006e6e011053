import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { Message } from "@spoolwire/message";

/** The header field that tells which line of the input a message is. */
export const LINE = "demo-line";

const NEWLINE = 10;

/**
 * What has come out: a file of messages as lines of JSON, to which one consumer after the other writes. One that is
 * killed may leave half a line, and what it had not removed yet comes again: at least once is what was promised.
 */
export class Output {
  /** The lines of the input that have come, by their number. */
  readonly lines = new Map<number, Buffer>();
  /** Messages that came once more. */
  repeated = 0;
  /** Lines that a killed consumer did not finish. */
  cut = 0;
  /** Messages that came after one that was behind them in the input. */
  late = 0;
  readonly #path: string;
  #offset = 0;
  #rest = Buffer.alloc(0);
  #last = -1;

  constructor(path: string) {
    this.#path = path;
  }

  /** Read what has come since. @throws if a line came twice, and not the same */
  read(): void {
    if (!existsSync(this.#path)) return;
    const descriptor = openSync(this.#path, "r");
    try {
      const chunk = Buffer.alloc(1 << 16);
      for (let size; (size = readSync(descriptor, chunk, 0, chunk.length, this.#offset)) > 0;) {
        this.#offset += size;
        this.#take(chunk.subarray(0, size));
      }
    } finally {
      closeSync(descriptor);
    }
  }

  /** The input again: each line once, in order. */
  bytes(): Buffer {
    return Buffer.concat([...this.lines].sort(([one], [other]) => one - other).map(([, line]) => line));
  }

  #take(chunk: Buffer): void {
    const bytes = Buffer.concat([this.#rest, chunk]);
    let from = 0;
    for (let end; (end = bytes.indexOf(NEWLINE, from)) >= 0; from = end + 1) {
      if (end > from) this.#note(bytes.toString("utf8", from, end));
    }
    this.#rest = Buffer.from(bytes.subarray(from));
  }

  #note(json: string): void {
    let message: Message;
    try {
      message = Message.destringify(json);
    } catch {
      this.cut++;
      return;
    }
    const number = Number(message.header[LINE]);
    const line = Buffer.from(message.body);
    const before = this.lines.get(number);
    if (before && !before.equals(line)) throw new Error(`Line ${number + 1} came twice, and not the same`);
    if (before) this.repeated++;
    else if (number < this.#last) this.late++;
    this.#last = Math.max(this.#last, number);
    this.lines.set(number, line);
  }
}
