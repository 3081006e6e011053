import assert from "node:assert/strict";
import { BrokerError } from "@spoolwire/message";
import { encodeFrame, FrameParser, versions, type ReceivedFrame, type Version } from "@spoolwire/stomp";
import { cutAtRandom, mutate } from "../helpers/bytes.js";
import type { Fuzz } from "./fuzz.js";

const frames = [
  { command: "CONNECTED", headers: { version: "1.2", "heart-beat": "0,0" }, body: "" },
  { command: "MESSAGE", headers: { destination: "/queue/a", "message-id": "1", a: "" }, body: "hello" },
  { command: "MESSAGE", headers: { b: "é😀", "x y": "1" }, body: Buffer.from("\0\xff\0\n\n", "latin1") },
  { command: "MESSAGE", headers: { ack: "5", subscription: "0" }, body: "x".repeat(1500) },
  { command: "RECEIPT", headers: { "receipt-id": "7" }, body: "" },
  { command: "ERROR", headers: { message: "no" }, body: "because" },
];

const words = [
  ...["\n", "\r\n", "\n\n", "\0", ":", "\\", "\\c", "\\r", "é", "😀", " ", "__proto__:x\n", "a".repeat(300)],
  ...["content-length:", "content-length:3\n", "content-length:1\n", "9999999999", "MESSAGE\n", "ERROR\r\n"],
];

const LIMITS = { headers: 50, head: 2000, body: 2000 };

interface Parsed {
  readonly frames: readonly object[];
  readonly error: unknown;
}

/** Frames, which are looked at only when all bytes are in, and the error at the end. */
function parse(pieces: readonly Buffer[], version: Version, skips: boolean): Parsed {
  const found: (ReceivedFrame | object)[] = [];
  const onTooLarge = skips ? (message: object) => void found.push(message) : undefined;
  const parser = new FrameParser((frame) => found.push(frame), LIMITS, onTooLarge);
  parser.version = version;
  try {
    for (const piece of pieces) parser.push(piece);
    return { frames: found, error: undefined };
  } catch (error) {
    return { frames: found, error };
  }
}

export const stomp: Fuzz = {
  name: "stomp",
  summary: "damaged streams of STOMP: frames and a BROKER_PROTOCOL, the same in whatever pieces they come",
  attempt(random) {
    const version = versions[random(versions.length)] ?? "1.2";
    const sent = Array.from({ length: 1 + random(3) }, () => frames[random(frames.length)]);
    const stream = Buffer.concat(sent.map((frame) => (frame ? encodeFrame(frame, version) : Buffer.of())));
    const mutant = mutate(stream, random, words);
    const skips = random(2) === 0;
    const whole = parse([mutant], version, skips);
    const inPieces = parse(cutAtRandom(mutant, random), version, skips);
    try {
      assert.deepEqual(inPieces.frames, whole.frames);
      assert.equal(inPieces.error === undefined, whole.error === undefined);
      for (const { error } of [whole, inPieces]) {
        const isPromised = error instanceof BrokerError && error.code === "BROKER_PROTOCOL";
        assert(error === undefined || isPromised, String(error));
      }
    } catch (error) {
      throw new Error(`on ${JSON.stringify(mutant.toString("latin1"))} in STOMP ${version}`, {
        cause: error,
      });
    }
    return whole.error ? "refused" : "frames";
  },
};
