import type { Socket } from "node:net";
import { BrokerError } from "@spoolwire/message";
import { encodeFrame, type Frame, type ReceivedFrame, type Version } from "./frame.js";
import type { Trace } from "./trace.js";
import { Heart, type HeartBeat } from "./heartbeat.js";
import { FrameParser, type FrameLimits, type TooLarge } from "./parser.js";

/** Frames that wait are joined up to this size, bytes: one write for many small frames, and none in two parts. */
const JOIN = 64 * 1024;

/** Above so many bytes not yet taken by the network, a sender should wait. */
const HIGH_WATER = 1024 * 1024;

export interface WireHandlers {
  /** A frame came. What it throws ends the connection with that error. */
  onFrame(frame: ReceivedFrame): void;
  /** A MESSAGE came whose body is beyond the limit; without this it ends the connection. */
  readonly onTooLarge?: (message: TooLarge) => void;
  /** The connection is over: called exactly once, without an error if `end` was called before. */
  onClosed(error?: Error): void;
}

/** Frames over a socket, for either side: encoding, parsing, heart-beats, back-pressure. */
export class Wire {
  readonly #socket: Socket;
  readonly #handlers: WireHandlers;
  readonly #parser: FrameParser;
  readonly #trace: Trace | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #flushing = false;
  /** Bytes that were sent and that the network has not taken; what the end of the connection cuts off stays here. */
  #unwritten = 0;
  /** Those who wait for a change of that. */
  #onWritten: (() => void)[] = [];
  #heart: Heart | undefined;
  #error: Error | undefined;
  #ended = false;
  #closed = false;
  #paused = false;
  #lastSent = performance.now();
  #lastReceived = performance.now();

  /** @param socket one that is set up */
  constructor(socket: Socket, handlers: WireHandlers, limits?: FrameLimits, trace?: Trace) {
    this.#socket = socket;
    this.#trace = trace;
    this.#handlers = handlers;
    const { onTooLarge } = handlers;
    this.#parser = new FrameParser(
      (frame) => {
        if (socket.destroyed) return;
        trace?.frame("received", frame);
        handlers.onFrame(frame);
      },
      limits,
      onTooLarge && ((message) => !socket.destroyed && onTooLarge(message)),
    );
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("error", (error) => {
      if (!this.#ended) this.#error ??= closedError(error.message, error);
    });
    socket.on("end", () => {
      const where = this.#parser.isInFrame ? " in the middle of a frame" : "";
      if (!this.#ended) this.#error ??= closedError(`the other side closed it${where}`);
      socket.end();
    });
    socket.on("close", () => this.#close());
  }

  get version(): Version {
    return this.#parser.version;
  }

  set version(version: Version) {
    this.#parser.version = version;
  }

  /** Bytes that wait to be taken by the network. */
  get backlog(): number {
    return this.#waitingBytes + this.#socket.writableLength;
  }

  /**
   * Send a frame, in order. False: so much waits by now that the sender should await `drained`.
   * After the end of the connection frames go nowhere; `onClosed` has told or will tell.
   * @param receipt asks for this one; it needs no escape
   * @throws MessageError if the frame cannot be said in the agreed version
   */
  send(frame: Frame, receipt?: string): boolean {
    const bytes = encodeFrame(frame, this.version, receipt);
    this.#trace?.frame("sent", receipt === undefined ? frame : asking(frame, receipt));
    this.#enqueue(bytes);
    return this.backlog < HIGH_WATER;
  }

  /** Resolves when there is room again, or the connection is over. */
  async drained(): Promise<void> {
    this.#flush();
    if (this.#closed || this.#socket.writableLength < HIGH_WATER) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#socket.off("drain", done).off("close", done);
        resolve();
      };
      this.#socket.on("drain", done).on("close", done);
    });
  }

  /** Resolves to whether the network has taken all that was sent: when it has, or when the connection is over. */
  async flushed(): Promise<boolean> {
    this.#flush();
    while (this.#unwritten > 0 && !this.#closed) {
      await new Promise<void>((resolve) => void this.#onWritten.push(resolve));
    }
    return this.#unwritten === 0;
  }

  /** Keep the agreed beat from now on. */
  startHeart(agreed: HeartBeat): void {
    this.#lastReceived = performance.now();
    this.#heart = new Heart(agreed, {
      sentAt: () => this.#lastSent,
      // A peer whom we do not listen to is not silent.
      receivedAt: () => (this.#paused ? performance.now() : this.#lastReceived),
      beat: () => this.#enqueue(Buffer.from("\n")),
      silent: (ms) =>
        this.destroy(new BrokerError("BROKER_TIMEOUT", `No heart-beat for ${(ms / 1000).toFixed(1)} s`)),
    });
  }

  /** Stop reading: the peer is slowed by TCP. Frames of bytes already read still come. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#lastReceived = performance.now();
    this.#socket.resume();
  }

  /** Send what waits, then close. May be called twice. */
  end(): void {
    this.#ended = true;
    this.#flush();
    this.resume();
    this.#socket.end();
  }

  /** Close at once. */
  destroy(error?: Error): void {
    this.#error ??= error;
    this.#ended ||= error === undefined;
    this.#socket.destroy();
  }

  #enqueue(bytes: Buffer): void {
    if (this.#waitingBytes + bytes.length > JOIN) this.#flush();
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#unwritten += bytes.length;
    if (!this.#flushing) {
      this.#flushing = true;
      // Not before what is ready by now has been sent too: a write costs more than a frame.
      setImmediate(() => this.#flush());
    }
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#waiting.length === 0) return;
    const bytes =
      this.#waiting.length === 1 ? this.#waiting[0] : Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#lastSent = performance.now();
    if (!bytes || !this.#socket.writable) return;
    this.#trace?.tell("io", `sent ${bytes.length} bytes`);
    this.#socket.write(bytes, (error) => {
      if (!error) this.#unwritten -= bytes.length;
      this.#wakeWriters();
    });
  }

  #wakeWriters(): void {
    for (const wake of this.#onWritten.splice(0)) wake();
  }

  #receive(chunk: Buffer): void {
    this.#lastReceived = performance.now();
    this.#trace?.tell("io", `received ${chunk.length} bytes`);
    try {
      this.#parser.push(chunk);
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #close(): void {
    this.#closed = true;
    this.#heart?.stop();
    this.#wakeWriters();
    this.#handlers.onClosed(this.#error ?? (this.#ended ? undefined : closedError("it was closed")));
  }
}

const asking = (frame: Frame, receipt: string): Frame => ({
  ...frame,
  headers: { ...frame.headers, receipt },
});

function closedError(why: string, cause?: Error): BrokerError {
  return new BrokerError("BROKER_CLOSED", `The connection ended: ${why}`, { cause });
}
