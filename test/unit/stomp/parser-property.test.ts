import fc from "fast-check";
import { expect, test } from "vitest";
import {
  encodeFrame,
  FrameParser,
  versions,
  type Frame,
  type ReceivedFrame,
  type Version,
} from "@spoolwire/stomp";
import { runFuzz } from "../../fuzz/fuzz.js";
import { stomp } from "../../fuzz/stomp.js";
import { cut, cutAtRandom, seeded } from "../../helpers/bytes.js";

/** What a header may hold in each version. */
const texts: Record<Version, fc.Arbitrary<string>> = {
  "1.0": fc.string({ unit: "binary" }).map((text) => text.replaceAll(/[\n\r\0]/g, "\\").trim()),
  "1.1": fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "\r")),
  "1.2": fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "\r\n")),
};

const frames = (version: Version) => {
  const name = texts[version]
    .map((text) => (version === "1.0" ? text.replaceAll(":", "\\").trim() : text))
    .filter((text) => text !== "" && text !== "content-length");
  return fc.array(
    fc.record({
      command: fc.constantFrom("SEND", "MESSAGE", "RECEIPT", "ERROR", "ACK"),
      headers: fc.array(fc.tuple(name, texts[version])).map((fields) => Object.fromEntries(fields)),
      body: fc.oneof(
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        fc.string({ unit: "binary" }),
      ),
    }),
    { minLength: 1, maxLength: 5 },
  );
};

/** What a frame is after it has been sent. */
function received({ command, headers, body }: Frame) {
  const bytes = Buffer.from(body as string);
  const length = bytes.length > 0 ? [["content-length", String(bytes.length)]] : [];
  return {
    command,
    headers: new Map([...Object.entries(headers), ...length] as [string, string][]),
    body: bytes,
  };
}

/** Frames and, at the end, whether an error came. Bodies are looked at only when all bytes are in. */
function parse(pieces: readonly Buffer[], version: Version) {
  const frames: ReceivedFrame[] = [];
  const parser = new FrameParser((frame) => frames.push(frame), { headers: 50, head: 2000, body: 2000 });
  parser.version = version;
  let error: unknown;
  try {
    for (const piece of pieces) parser.push(piece);
  } catch (thrown) {
    error = thrown;
  }
  const plain = frames.map(({ command, headers, body }) => ({
    command,
    headers: new Map(Object.entries(headers)),
    body: Buffer.from(body),
  }));
  return { frames: plain, error };
}

for (const version of versions) {
  test(`any frames in STOMP ${version} are the same after they were sent in any pieces`, () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1 });
    fc.assert(
      fc.property(
        frames(version),
        sizes,
        fc.array(fc.constantFrom("", "\n", "\n\n", "\r\n")),
        (sent, sizes, beats) => {
          const bytes = Buffer.concat(
            sent.flatMap((frame, index) => [Buffer.from(beats[index] ?? ""), encodeFrame(frame, version)]),
          );
          const expected = { frames: sent.map(received), error: undefined };
          expect(parse([bytes], version)).toStrictEqual(expected);
          expect(parse(cut(bytes, [1]), version)).toStrictEqual(expected);
          expect(parse(cut(bytes, sizes), version)).toStrictEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });
}

test("5000 damaged streams are frames and BROKER_PROTOCOL, the same in whatever pieces they come", async () => {
  const { outcomes } = await runFuzz(stomp, { seed: 1, rounds: 5000 });
  expect(Object.keys(outcomes)).toEqual(["frames", "refused"]);
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(1000);
});

test("a body is a view that no later bytes alter", () => {
  const random = seeded(4);
  const kept: { body: Buffer; copy: Buffer }[] = [];
  const parser = new FrameParser(({ body }) => kept.push({ body, copy: Buffer.from(body) }));
  const stream = Buffer.concat(
    Array.from({ length: 300 }, (_, index) =>
      encodeFrame({ command: "MESSAGE", headers: {}, body: Buffer.alloc(random(2000), index) }, "1.0"),
    ),
  );
  for (const piece of cutAtRandom(stream, random)) parser.push(piece);
  expect(kept).toHaveLength(300);
  for (const { body, copy } of kept) expect(body.equals(copy)).toBe(true);
});
