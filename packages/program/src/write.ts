import { writeSync } from "node:fs";
import type { Writable } from "node:stream";
import { isPlainFile } from "./daemon.js";

/**
 * Write to a stream. Resolves when its reader has all of it, or the kernel if it is a pipe or a file. A failure is for
 * whoever awaits it: if nobody does, it is none.
 * @throws the stream's error, EPIPE if its reader is gone, ENOSPC if a disk is full
 */
export function write(stream: Writable, bytes: string | Uint8Array): Promise<void> {
  const written = isOutputFile(stream) ? writeToFile(stream.fd, bytes) : writeToStream(stream, bytes);
  written.catch(ignore);
  return written;
}

function writeToStream(stream: Writable, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // What comes after a failure is told nothing but that there was one.
    stream.write(bytes, (error) => (error ? reject(stream.errored ?? error) : resolve()));
  });
}

/** Node's own stream to a file takes what a full disk has room for as all of it. */
async function writeToFile(fd: number, bytes: string | Uint8Array): Promise<void> {
  const buffer = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  for (let done = 0; done < buffer.length;) done += writeSync(fd, buffer, done);
}

const isOutputFile = (stream: Writable): stream is typeof process.stdout =>
  (stream === process.stdout && isPlainFile(1)) || (stream === process.stderr && isPlainFile(2));

/** See to it that a stream's failure does not end the process: who writes learns of it by `write`. May be called again. */
export function surviveErrors(stream: Writable): void {
  if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore);
}

const ignore = () => undefined;
