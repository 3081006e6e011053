import { closeSync, constants, openSync } from "node:fs";
import { Socket } from "node:net";
import { LineCutter } from "./lines.js";

/** So many of the last lines are kept for those who ask later. */
const KEPT = 200;

/**
 * What a service writes, line by line, through a named pipe.
 *
 * Both ends of it are open here and in the service: neither the end of a service nor our own closes it. If we are
 * killed the service goes on, waits at most when the pipe is full (64 kB), and our successor reads on where we
 * stopped. With the pipes that Node makes, a service would be ended by its next line.
 */
export class ServiceOutput {
  readonly path: string;
  readonly #socket: Socket;
  readonly #cutter: LineCutter;
  readonly #last: string[] = [];
  readonly #followers = new Set<(line: string) => void>();

  /** @param path of the named pipe, which is there @throws its own error if it cannot be opened */
  constructor(path: string, line: (line: string) => void) {
    this.path = path;
    this.#cutter = new LineCutter((text) => {
      this.#last.push(text);
      if (this.#last.length > KEPT) this.#last.shift();
      line(text);
      for (const follower of this.#followers) follower(text);
    });
    const descriptor = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
    this.#socket = new Socket({ fd: descriptor, readable: true, writable: false });
    this.#socket.on("data", (chunk: Buffer) => {
      this.#cutter.take(chunk);
      // A piece at a time: who writes without end does not keep us from all else.
      this.#socket.pause();
      setImmediate(() => this.#socket.resume());
    });
    this.#socket.on("error", () => undefined).unref();
  }

  /** Hand a descriptor for the service to `use`; it is closed when that returns. */
  open<Result>(use: (descriptor: number) => Result): Result {
    const descriptor = openSync(this.path, constants.O_RDWR);
    try {
      return use(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }

  /** The last lines, the newest last. */
  get lines(): readonly string[] {
    return this.#last;
  }

  /** What was written before counts no more; a line that it had no time to end does not begin the next one's. */
  forget(): void {
    this.#cutter.end();
    this.#last.length = 0;
  }

  /** Be told each line from now on. What is returned ends that. */
  follow(follower: (line: string) => void): () => void {
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  close(): void {
    this.#cutter.end();
    this.#socket.destroy();
  }
}
