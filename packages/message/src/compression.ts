import { createRequire } from "node:module";
import type * as zlib from "node:zlib";
import type * as lz4 from "lz4-napi";
import type * as snappy from "snappy";
import { MessageError, printable, show } from "./errors.js";

export const algorithms = ["lz4", "snappy", "zlib"] as const;

/** How the bytes of a body may be compressed. */
export type Algorithm = (typeof algorithms)[number];

/** An algorithm, used where it makes the body shorter; with `!`, wherever there is a body. */
export type Compression = Algorithm | `${Algorithm}!`;

interface Codec {
  compress(bytes: Buffer): Buffer;
  /** @param most bytes; more are refused before there is memory for them */
  decompress(bytes: Buffer, most: number): Buffer;
}

const bad = (message: string, options?: ErrorOptions) =>
  new MessageError("MESSAGE_BAD_ENCODING", message, options);

// Loaded at first use: most programs never compress, and a native module takes 10 to 25 ms of their start.
const require = createRequire(import.meta.url);

const loaders: Readonly<Record<Algorithm, () => Codec>> = {
  /** RFC 1950. Perl and Python overlook what follows the stream; here nothing may. */
  zlib() {
    const { deflateSync, inflateSync } = require("node:zlib") as typeof zlib;
    return {
      compress: (bytes) => deflateSync(bytes),
      decompress(bytes, most) {
        let done: { buffer: Buffer; engine: { bytesWritten: number } };
        try {
          done = inflateSync(bytes, { maxOutputLength: most, info: true }) as unknown as typeof done;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ERR_BUFFER_TOO_LARGE") throw error;
          throw bad(`The body decompresses to more than the limit of ${most} bytes`, { cause: error });
        }
        const rest = bytes.length - done.engine.bytesWritten;
        if (rest > 0) throw new Error(`${rest} bytes follow the end of the stream`);
        return done.buffer;
      },
    };
  },

  /**
   * The length as 4 bytes, little-endian, and a raw block. A block that ends in a match is taken, though no
   * writer makes one and liblz4, which Perl and Python have, refuses it: all that it holds is there.
   */
  lz4() {
    const { compressSync, uncompressSync } = require("lz4-napi") as typeof lz4;
    return {
      compress: (bytes) => compressSync(bytes),
      decompress(bytes, most) {
        if (bytes.length < 5) throw new Error("it ends within its length");
        const length = bytes.readUInt32LE();
        // A byte of the block lengthens a match by 255 at most.
        checkClaim(length, (bytes.length - 4) * 255, most);
        return checkLength(uncompressSync(bytes), length);
      },
    };
  },

  /** The length as a varint and a raw block, without framing. */
  snappy() {
    // Not snappyjs: where the block is shorter than its length it fills up with zeros, where it is longer
    // it forgets the rest, and a literal of about 2^32 bytes makes it loop for ever.
    const { compressSync, uncompressSync } = require("snappy") as typeof snappy;
    return {
      // Copied: buffers of its own are given back only when the event loop turns, which a loop over a queue
      // may not let it do.
      compress: (bytes) => compressSync(bytes, { copyOutputData: true }),
      decompress(bytes, most) {
        const length = readVarint(bytes);
        // A copy has 3 bytes and makes 64 at most.
        checkClaim(length, Math.ceil((bytes.length * 64) / 3), most);
        return checkLength(uncompressSync(bytes, { copyOutputData: true }) as Buffer, length);
      },
    };
  },
};

const codecs: Partial<Record<Algorithm, Codec>> = {};

const codec = (algorithm: Algorithm): Codec => (codecs[algorithm] ??= loaders[algorithm]());

/** @throws whatever keeps the codec from being loaded on this system */
export function compress(algorithm: Algorithm, bytes: Buffer): Buffer {
  return codec(algorithm).compress(bytes);
}

/**
 * The inverse of `compress`, for bytes from anywhere.
 * @param most bytes that may come out
 * @throws MessageError MESSAGE_BAD_ENCODING; whatever keeps the codec from being loaded on this system
 */
export function decompress(algorithm: Algorithm, bytes: Buffer, most: number): Buffer {
  // Outside the `try`: a system without the codec says nothing about the message.
  const loaded = codec(algorithm);
  try {
    return loaded.decompress(bytes, most);
  } catch (error) {
    if (error instanceof MessageError) throw error;
    const why = printable((error as Error).message);
    throw bad(`The body is not ${algorithm}, though its encoding says so: ${why}`, { cause: error });
  }
}

/**
 * Take a compression option apart.
 * @throws TypeError
 */
export function parseCompression(compression: Compression): { algorithm: Algorithm; forced: boolean } {
  const algorithm = algorithms.find((name) => compression === name || compression === `${name}!`);
  if (algorithm !== undefined) return { algorithm, forced: compression.endsWith("!") };
  throw new TypeError(
    `Expected \`compression\` to be one of ${algorithms.join(", ")}, with ! where it is forced, got ${show(compression)}`,
  );
}

/** A length that lies must not cost the memory that it claims. */
function checkClaim(length: number, possible: number, most: number): void {
  if (length > most) throw bad(`The body claims ${length} bytes, more than the limit of ${most}`);
  if (length > possible) throw new Error(`it claims ${length} bytes and can hold ${possible} at most`);
}

function checkLength(bytes: Buffer, length: number): Buffer {
  if (bytes.length === length) return bytes;
  throw new Error(`it claims ${length} bytes and holds ${bytes.length}`);
}

function readVarint(bytes: Buffer): number {
  let value = 0;
  for (const [index, byte] of bytes.subarray(0, 5).entries()) {
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return value;
  }
  throw new Error(bytes.length < 5 ? "it ends within its length" : "its length is no number of 32 bits");
}
