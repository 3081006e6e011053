import { createRequire } from "node:module";
import type Amqplib from "amqplib";
import type Rhea from "rhea";

// Loaded at first use: either agent can speak AMQP, most runs do not, and both take 50 ms of their start.
const require = createRequire(import.meta.url);

let loadedRhea: typeof Rhea | undefined;
let loadedAmqplib: typeof Amqplib | undefined;

/** The library for AMQP 1.0. */
export const rhea = () => (loadedRhea ??= readingAll(require("rhea") as typeof Rhea));

/** By type code, how a value is read. */
const readers: Readonly<Record<number, (bytes: Buffer, at: number) => unknown>> = {
  0x80: (bytes, at) => exact(bytes.readBigUInt64BE(at)),
  0x81: (bytes, at) => exact(bytes.readBigInt64BE(at)),
  0x98: (bytes, at) =>
    bytes.toString("hex", at, at + 16).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
};

const exact = (value: bigint) => (Number.isSafeInteger(Number(value)) ? Number(value) : value);

/** The library reads UUIDs, and integers that JavaScript has no number for, to bytes, which then are like any others. */
function readingAll(library: typeof Rhea): typeof Rhea {
  const { by_code: types } = library.types as unknown as { readonly by_code: Record<string, object> };
  for (const [code, read] of Object.entries(readers)) Object.assign(types[code]!, { read });
  return library;
}

/** The library for AMQP 0-9-1. */
export const amqplib = () => (loadedAmqplib ??= require("amqplib") as typeof Amqplib);
