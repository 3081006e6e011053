// The codec of stompit, driven without its connection. It has no types of its own.
import { once } from "node:events";
import { createRequire } from "node:module";
import { type Duplex, Readable, Writable } from "node:stream";
import type { Header } from "@spoolwire/message";

interface Incoming extends Duplex {
  setVersion(version: string): void;
}

interface Outgoing {
  setVersion(version: string): void;
  frame(command: string, headers: Header): Writable;
}

const require = createRequire(import.meta.url);
const IncomingFrameStream = require("stompit/lib/IncomingFrameStream.js") as new () => Incoming;
const OutgoingFrameStream = require("stompit/lib/OutgoingFrameStream.js") as new (to: Writable) => Outgoing;

/** Write so many frames to nowhere. Returns the number of bytes. */
export async function encode(command: string, headers: Header, body: string, count: number): Promise<number> {
  let bytes = 0;
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      done();
    },
  });
  const outgoing = new OutgoingFrameStream(sink);
  outgoing.setVersion("1.2");
  for (let index = 0; index < count; index++) {
    await new Promise<void>((resolve) => outgoing.frame(command, headers).end(body, () => resolve()));
  }
  return bytes;
}

/** Read all frames in these chunks, one after the other as stompit's connection does. Returns their number. */
export async function decode(chunks: readonly Buffer[]): Promise<number> {
  const incoming = new IncomingFrameStream();
  incoming.setVersion("1.2");
  Readable.from(chunks).pipe(incoming);
  let frames = 0;
  for await (const frame of incoming as AsyncIterable<Readable>) {
    await once(frame.resume(), "end");
    frames++;
  }
  return frames;
}
