import { isUtf8 } from "node:buffer";
import { emptyHeader, type Header } from "@spoolwire/message";
import { protocolError, quote } from "./errors.js";
import { isHandshake, unescape, type ReceivedFrame, type Version } from "./frame.js";

/** Bounds on what a peer may make us hold. */
export interface FrameLimits {
  /** Most header lines of a frame (default 1,000). */
  readonly headers: number;
  /** Most bytes of command and headers together (default 256 KiB). */
  readonly head: number;
  /** Most bytes of a body (default 128 MiB, as RabbitMQ). */
  readonly body: number;
}

export const defaultLimits: FrameLimits = Object.freeze({
  headers: 1000,
  head: 256 * 1024,
  body: 128 * 1024 * 1024,
});

/** The longest command there is has 11 letters. */
const COMMAND = /^[A-Z]{3,16}$/;
const LONGEST_COMMAND = 16;

const LF = 10;
const CR = 13;

/** A MESSAGE whose body is beyond the limit, and was not kept. */
export interface TooLarge {
  readonly headers: Header;
  /** Bytes of the body. */
  readonly size: number;
}

/** The head of a frame whose body is still coming. */
interface Head {
  readonly command: string;
  readonly headers: Header;
  /** Bytes of the body; undefined: up to the first NUL. */
  readonly length: number | undefined;
  /** Bytes of a body beyond the limit that were passed over; undefined: the body is kept. */
  skipped: number | undefined;
}

/**
 * Turns bytes into frames, however they are cut. After an error it takes nothing more: what follows
 * broken bytes has no meaning.
 */
export class FrameParser {
  /** How headers are unescaped; whoever negotiates the version sets it. */
  version: Version = "1.0";
  readonly #limits: FrameLimits;
  readonly #onFrame: (frame: ReceivedFrame) => void;
  readonly #onTooLarge: ((message: TooLarge) => void) | undefined;
  /** Bytes that came and are not used up, in `#buffer` from `#start` to `#end`. */
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #end = 0;
  /** Up to here the bytes have been looked at for the end of the head or of the body. */
  #seen = 0;
  #head: Head | undefined;
  #broken = false;

  /**
   * @param onTooLarge told of a MESSAGE whose body is beyond the limit: its bytes are passed over as they come, and
   * what follows goes on. Without it, and for any other frame, that is an error.
   */
  constructor(
    onFrame: (frame: ReceivedFrame) => void,
    limits: FrameLimits = defaultLimits,
    onTooLarge?: (message: TooLarge) => void,
  ) {
    this.#onFrame = onFrame;
    this.#limits = limits;
    this.#onTooLarge = onTooLarge;
  }

  /**
   * Take bytes and hand over each frame that they complete. The bytes must not change afterwards: bodies
   * are views of them.
   * @throws BrokerError BROKER_PROTOCOL
   */
  push(chunk: Buffer): void {
    if (this.#broken) return;
    this.#append(chunk);
    try {
      while (this.#start < this.#end && this.#step());
    } catch (error) {
      this.#broken = true;
      throw error;
    }
  }

  /** True if a frame has begun and is not complete. */
  get isInFrame(): boolean {
    return this.#head !== undefined || this.#start < this.#end;
  }

  #append(chunk: Buffer): void {
    const left = this.#end - this.#start;
    if (left === 0) {
      this.#buffer = chunk;
      this.#start = this.#seen = 0;
      this.#end = chunk.length;
      return;
    }
    if (this.#end + chunk.length > this.#buffer.length) {
      // Doubled, so that a frame that comes byte by byte is not copied once a byte. Never written over:
      // bodies that were handed over look into the old buffer.
      const wanted = this.#head?.length ?? 0;
      const grown = Buffer.allocUnsafe(
        Math.max(2 * (left + chunk.length), Math.min(wanted, this.#limits.body) + 1),
      );
      grown.set(this.#buffer.subarray(this.#start, this.#end));
      this.#buffer = grown;
      this.#seen -= this.#start;
      this.#start = 0;
      this.#end = left;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** One head or one body; false: more bytes are needed. */
  #step(): boolean {
    if (!this.#head) return this.#stepHead();
    return this.#head.skipped === undefined ? this.#stepBody(this.#head) : this.#stepOver(this.#head);
  }

  #stepHead(): boolean {
    const buffer = this.#buffer;
    const end = this.#end;
    if (this.#seen <= this.#start) {
      // Between frames: ends of lines are heart-beats.
      while (this.#start < end && (buffer[this.#start] === LF || buffer[this.#start] === CR)) this.#start++;
      this.#seen = this.#start;
    }
    let position = this.#seen;
    for (; position < end; position++) {
      if (buffer[position] !== LF) continue;
      // An empty line ends the head, with or without a carriage return.
      const next = buffer[position + 1];
      if (position + 1 >= end || (next === CR && position + 2 >= end)) break;
      if (next === LF || (next === CR && buffer[position + 2] === LF)) {
        this.#head = this.#parseHead(this.#start, position);
        this.#start = this.#seen = position + (next === LF ? 2 : 3);
        return true;
      }
    }
    this.#seen = position;
    this.#checkBeginning(position - this.#start);
    return false;
  }

  /** Something that is not STOMP is told at its first bytes, not when some limit or time-out is reached. */
  #checkBeginning(length: number): void {
    if (length > this.#limits.head)
      throw protocolError(`A frame's head is longer than ${this.#limits.head} bytes`);
    const first = this.#buffer.toString(
      "latin1",
      this.#start,
      this.#start + Math.min(length, LONGEST_COMMAND + 1),
    );
    const line = first.split(/\r?\n/, 1)[0] ?? "";
    if (!/^[A-Z]*\r?$/.test(line) || line.length > LONGEST_COMMAND) throw notStomp(line);
  }

  #parseHead(start: number, end: number): Head {
    if (end - start > this.#limits.head) {
      throw protocolError(`A frame's head is longer than ${this.#limits.head} bytes`);
    }
    const text = this.#decode(start, end);
    const lines = text.split("\n");
    let command = lines[0] ?? "";
    // A command never ends in CR, so one that does comes from a peer with CRLF line ends. STOMP 1.2 allows
    // both line by line; in 1.0 and 1.1 a CR behind a value is data otherwise.
    const isCrlf = command.endsWith("\r");
    if (isCrlf) command = command.slice(0, -1);
    if (!COMMAND.test(command)) throw notStomp(command);
    // It would be the end of a frame without an empty line, and what follows no headers of this one.
    if (text.includes("\0"))
      throw protocolError(`Expected an empty line after the headers of ${command}, got NUL`);
    if (lines.length - 1 > this.#limits.headers) {
      throw protocolError(`A ${command} frame has more than ${this.#limits.headers} headers`);
    }
    const version = isHandshake(command) ? "1.0" : this.version;
    const stripsCr = isCrlf || version === "1.2";
    // As the original reads STOMP 1.0: trimmed, and of two headers the last.
    const isTrimmed = this.version === "1.0";
    const headers = emptyHeader();
    for (let index = 1; index < lines.length; index++) {
      let line = lines[index] ?? "";
      if (stripsCr && line.endsWith("\r")) line = line.slice(0, -1);
      const colon = Math.max(0, line.indexOf(":"));
      const name = isTrimmed ? line.slice(0, colon).trim() : line.slice(0, colon);
      if (name === "")
        throw protocolError(`Expected name:value as a ${command} header, got "${quote(line)}"`);
      if (isTrimmed) headers[name] = line.slice(colon + 1).trim();
      else headers[unescape(name, version)] ??= unescape(line.slice(colon + 1), version);
    }
    const length = this.#bodyLength(command, headers["content-length"]);
    const isTooLarge = length !== undefined && length > this.#limits.body;
    return { command, headers, length, skipped: isTooLarge ? 0 : undefined };
  }

  #decode(start: number, end: number): string {
    const text = this.#buffer.toString("latin1", start, end);
    if (!/[\x80-\xff]/.test(text)) return text;
    if (!isUtf8(this.#buffer.subarray(start, end))) throw protocolError("A frame's headers are not UTF-8");
    return this.#buffer.toString("utf8", start, end);
  }

  #bodyLength(command: string, value: string | undefined): number | undefined {
    if (value === undefined) return undefined;
    if (!/^\d{1,15}$/.test(value.trim())) {
      throw protocolError(`Expected content-length to be a number of bytes, got "${quote(value)}"`);
    }
    const length = Number(value);
    if (length > this.#limits.body && !this.#maySkip(command)) {
      throw this.#tooLong(command, `${length} bytes`);
    }
    return length;
  }

  #stepBody(head: Head): boolean {
    const { command, headers, length } = head;
    let end: number;
    if (length === undefined) {
      // Not beyond what came: there is no telling how far it is to a NUL in the room that is left.
      const found = this.#buffer.subarray(this.#seen, this.#end).indexOf(0);
      end = found >= 0 ? this.#seen + found : this.#end;
      if (end - this.#start > this.#limits.body) {
        if (!this.#maySkip(command)) throw this.#tooLong(command, "no end");
        head.skipped = 0;
        return true;
      }
      if (end === this.#end) {
        this.#seen = end;
        return false;
      }
    } else {
      end = this.#start + length;
      if (end >= this.#end) return false;
      this.#checkEnd(end, command, length);
    }
    const body = this.#buffer.subarray(this.#start, end);
    this.#start = this.#seen = end + 1;
    this.#head = undefined;
    this.#onFrame({ command, headers, body });
    return true;
  }

  /** Pass over what came of a body that is not kept. */
  #stepOver(head: Head): boolean {
    const { command, headers, length, skipped = 0 } = head;
    const came = this.#buffer.subarray(this.#start, this.#end);
    const found = length === undefined ? came.indexOf(0) : length - skipped;
    const isWhole = found >= 0 && found < came.length;
    const passed = isWhole ? found : came.length;
    head.skipped = skipped + passed;
    this.#start += passed;
    this.#seen = this.#start;
    if (!isWhole) return false;
    this.#checkEnd(this.#start, command, head.skipped);
    this.#seen = ++this.#start;
    this.#head = undefined;
    this.#onTooLarge?.({ headers, size: head.skipped });
    return true;
  }

  #checkEnd(end: number, command: string, length: number): void {
    if (this.#buffer[end] === 0) return;
    throw protocolError(`Expected NUL after the ${length} bytes of a ${command} frame's body`);
  }

  #maySkip(command: string): boolean {
    return this.#onTooLarge !== undefined && command === "MESSAGE";
  }

  #tooLong(command: string, got: string): Error {
    return protocolError(
      `Expected the body of a ${command} frame to have at most ${this.#limits.body} bytes, got ${got}`,
    );
  }
}

function notStomp(line: string): Error {
  return protocolError(`Expected a STOMP frame, got "${quote(line)}"`);
}
