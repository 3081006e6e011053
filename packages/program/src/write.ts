import type { Writable } from "node:stream";

/**
 * Write to a stream. Resolves when its reader has it, or the kernel if it is a pipe. A failure is for whoever awaits
 * it: if nobody does, it is none.
 * @throws the stream's error, EPIPE if its reader is gone
 */
export function write(stream: Writable, bytes: string | Uint8Array): Promise<void> {
  const written = new Promise<void>((resolve, reject) => {
    // What comes after a failure is told nothing but that there was one.
    stream.write(bytes, (error) => (error ? reject(stream.errored ?? error) : resolve()));
  });
  written.catch(ignore);
  return written;
}

/** See to it that a stream's failure does not end the process: who writes learns of it by `write`. May be called again. */
export function surviveErrors(stream: Writable): void {
  if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
}

const ignore = () => undefined;
