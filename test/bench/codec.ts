// Frames to bytes and back, without a network: against stompit, and against the least that would do.
import type { Header } from "@spoolwire/message";
import { encodeFrame, FrameParser } from "@spoolwire/stomp";
import { rate, type Bench, type Contest, type Rates } from "./bench.js";
import { bodies } from "./bodies.js";
import * as sketch from "./sketch.js";
import * as stompit from "./stompit.js";

/** What a socket hands over at once. */
const CHUNK = 64 * 1024;

/** About so many bytes are made, and parsed again and again. */
const STREAM = 16 * CHUNK;

/** What the agent sends for a message in text. */
const sent: Header = {
  destination: "/queue/bench",
  persistent: "true",
  "content-type": "text/plain",
  receipt: "12345",
};

/** What a broker makes of it for a subscription. */
const received: Header = {
  subscription: "0",
  destination: "/queue/bench",
  "message-id": "T_0@@session-ZkvPDnY4GPrBcqjYJ0zT0g@@12345",
  ack: "T_0@@session-ZkvPDnY4GPrBcqjYJ0zT0g@@12345",
  persistent: "true",
  "content-type": "text/plain",
};

export const codec: Bench = {
  name: "codec",
  summary: "STOMP frames to bytes and back, 100 bytes and 10 kB, without a network",
  size: 10_000,
  rounds: 9,
  places: [],
  contests: (size) => Object.entries(bodies).map(([name, body]) => contest(name, body, size)),
};

function contest(name: string, body: string, size: number): Contest {
  const frame = sketch.encode("MESSAGE", received, body);
  // The same whole frames again and again, cut where a socket cuts them.
  const perStream = Math.min(size, Math.ceil(STREAM / frame.length));
  const stream = Buffer.concat(Array.from({ length: perStream }, () => frame));
  const cut = Array.from({ length: Math.ceil(stream.length / CHUNK) }, (_, index) =>
    stream.subarray(index * CHUNK, (index + 1) * CHUNK),
  );
  const streams = Math.ceil(size / perStream);
  const chunks = Array.from({ length: streams }, () => cut).flat();

  /** Encode `size` frames, decode about as many; `decode` returns how many it has found. */
  const measure = async (encode: () => unknown, decode: () => number | Promise<number>): Promise<Rates> => {
    const encoded = await rate(size, encode);
    let found = 0;
    const decoded = await rate(streams * perStream, async () => (found = await decode()));
    if (found !== streams * perStream) throw new Error(`Decoded ${found} frames of ${streams * perStream}`);
    return { encode: encoded / 1000, decode: decoded / 1000 };
  };
  const repeat = (work: () => void) => () => {
    for (let index = 0; index < size; index++) work();
  };
  return {
    name,
    unit: "thousand frames/s",
    ours: () =>
      measure(
        repeat(() => encodeFrame({ command: "SEND", headers: sent, body }, "1.2")),
        () => {
          let found = 0;
          const parser = new FrameParser(() => found++);
          parser.version = "1.2";
          for (const chunk of chunks) parser.push(chunk);
          return found;
        },
      ),
    baselines: {
      stompit: () =>
        measure(
          () => stompit.encode("SEND", sent, body, size),
          () => stompit.decode(chunks),
        ),
      sketch: () =>
        measure(
          repeat(() => sketch.encode("SEND", sent, body)),
          () => {
            let found = 0;
            for (let index = 0; index < streams; index++) sketch.decode(stream, () => found++);
            return found;
          },
        ),
    },
  };
}
