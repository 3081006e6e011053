import assert from "node:assert/strict";
import { fromEncoded, toEncoded } from "@spoolwire/amqpclt";
import { Message, MessageError } from "@spoolwire/message";
import rhea from "rhea";
import { mutate } from "../helpers/bytes.js";
import type { Fuzz } from "./fuzz.js";

const { message: codec, types } = rhea;

const header = {
  ...{ destination: "/queue/a", "content-type": "text/plain", persistent: "true", priority: "4" },
  ...{ timestamp: "1700000000000", expires: "1900000000000", "message-id": "x", foo: "bar" },
};

/** What other programs send. */
const others: readonly Record<string, unknown>[] = [
  { body: { a: 1, b: [1, 2, { c: true }] }, application_properties: { i: 5, f: 1.5, n: null } },
  { application_properties: { long: types.wrap_long(2 ** 40), time: types.wrap_timestamp(17e11) } },
  { body: codec.data_sections([Buffer.from("a"), Buffer.from("b")]), footer: { f: 1 } },
  { body: codec.sequence_section([1, "a", {}]), message_id: Buffer.from("q"), creation_time: new Date(5) },
  { body: codec.sequence_sections([[1], [2]]), ttl: 5, delivery_count: 3, message_annotations: { x: 1 } },
  { body: types.wrap_array([1, 2, 3], 0x71, undefined) },
];

const originals: readonly Buffer[] = [
  toEncoded(new Message({ header, body: "héllo" })).bytes,
  toEncoded(new Message({ header: { destination: "/queue/a" }, body: Buffer.from([1, 2, 3]) })).bytes,
  ...others.map((said) => codec.encode(said as unknown as rhea.Message)),
];

/** The beginnings of sections and of values, and counts that nothing can hold. */
const words = [
  ...["\0Sp", "\0Ss", "\0St", "\0Su", "\0Sv", "\0Sw", "\0Sx", "\0", "@", "A", "E", "R\x01", "T\x01"],
  ...["\x01\x01", "\x7f\x7f\x7f\x7f", "\0\0\0\x01", "\0\0\x01\0", "p\0\0\x01\0", "q"],
];
/** Codes that are not ASCII, as bytes. */
const codes = [0xa0, 0xa1, 0xa3, 0xb0, 0xb1, 0xc0, 0xc1, 0xd0, 0xd1, 0xe0, 0xf0, 0x80, 0x98, 0xff];

export const amqp: Fuzz = {
  name: "amqp",
  summary: "damaged messages of AMQP 1.0: read, or refused with a MessageError, in little memory",
  attempt(random) {
    const original = originals[random(originals.length)] ?? Buffer.alloc(0);
    const bytes = mutate(original, random, words);
    if (bytes.length > 0 && random(2)) bytes[random(bytes.length)] = codes[random(codes.length)] ?? 0;
    // The library tells the console of sections that it does not know.
    const { warn } = console;
    console.warn = () => undefined;
    try {
      const { header, body } = fromEncoded(bytes, "/queue/elsewhere");
      for (const value of Object.values(header)) assert.equal(typeof value, "string");
      assert(typeof body === "string" || Buffer.isBuffer(body));
      return "message";
    } catch (error) {
      if (error instanceof MessageError) return error.code;
      throw new Error(`on ${bytes.toString("hex")} (hex)`, { cause: error });
    } finally {
      console.warn = warn;
    }
  },
};
