// What is sent comes back as the same message, whatever is in it: through the mapping and the library's own encoding.
import { fromContent, fromEncoded, toContent, toEncoded } from "@spoolwire/amqpclt";
import { Message } from "@spoolwire/message";
import fc from "fast-check";
import rhea from "rhea";
import { describe, expect, test } from "vitest";
import { amqp } from "../../fuzz/amqp.js";
import { runFuzz } from "../../fuzz/fuzz.js";

const name = fc.oneof(
  fc.constantFrom(
    "message-id",
    "correlation-id",
    "reply-to",
    "priority",
    "persistent",
    "type",
    "timestamp",
    "constructor",
  ),
  fc.constantFrom("subject", "group-id", "app-id", "content-encoding", "x-a", "", "X y:\n"),
  fc.string({ unit: "binary", maxLength: 20 }),
);
const value = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.constantFrom("true", "false", "0", "4", "007", "255", "256", "-1", "1e3", "1700000000123"),
);
const notThese = new Set([
  "destination",
  "content-type",
  "subscription",
  "ack",
  "redelivered",
  "receipt",
  "content-length",
  "expires",
  "__proto__",
]);
const header = fc.dictionary(
  name.filter((each) => !notThese.has(each)),
  value,
  { maxKeys: 8 },
);
const body = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
);

/** With a content type that goes with the body, or none. */
const message = fc
  .record({ header, body, isTyped: fc.boolean() })
  .map(({ header: fields, body: content, isTyped }) => {
    const type = typeof content === "string" ? "text/plain; charset=utf-8" : "application/octet-stream";
    const typed = isTyped ? { "content-type": type } : {};
    return new Message({ header: { ...fields, ...typed, destination: "/queue/q" }, body: content });
  });

const through091 = (sent: Message): Message => {
  const { content, properties } = toContent(sent);
  const deliveryMode = properties.persistent ? 2 : 1;
  return fromContent(content, { ...properties, deliveryMode } as never, { exchange: "", routingKey: "q" });
};

const through10 = (sent: Message): Message => {
  const { bytes } = toEncoded(sent);
  return fromEncoded(bytes, "elsewhere");
};

test("AMQP 0-9-1 brings back what was sent; text without a content type gets one", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const untyped = sent.isText && sent.header["content-type"] === undefined;
      const expected = untyped ? { ...sent.header, "content-type": "text/unknown" } : { ...sent.header };
      const came = through091(sent);
      expect({ ...came.header }).toEqual(expected);
      expect(came.body).toEqual(sent.body);
    }),
  );
});

test("AMQP 1.0 brings back what was sent", () => {
  fc.assert(
    fc.property(message, (sent) => {
      const came = through10(sent);
      expect({ ...came.header }).toEqual({ ...sent.header });
      expect(came.body).toEqual(sent.body);
    }),
  );
});

describe.each([
  { protocol: "AMQP 0-9-1", through: through091 },
  { protocol: "AMQP 1.0", through: through10 },
])("$protocol", ({ through }) => {
  test("keeps until when a message is worth something", () => {
    const header = { destination: "/queue/q", expires: String(Date.now() + 60_000) };
    expect(through(new Message({ header, body: Buffer.from("x") })).header).toMatchObject(header);
  });

  test.each([
    [{}, "x", "needs a destination"],
    [{ destination: "/queue/q", "content-type": "text/plain" }, Buffer.from("x"), "binary body contradicts"],
    [{ destination: "/queue/q", "content-type": "image/png" }, "x", "text body contradicts"],
    [JSON.parse('{"destination":"/queue/q","__proto__":"x"}') as Record<string, string>, "x", "__proto__"],
    [{ destination: "/queue/q", a: "\ud800" }, "x", "half of a surrogate pair"],
  ])("refuses %j with %j", (fields, content, reason) => {
    const sent = new Message({ body: content });
    for (const [key, text] of Object.entries(fields)) {
      Object.defineProperty(sent.header, key, {
        value: text,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    expect(() => through(sent)).toThrow(
      expect.objectContaining({
        code: "MESSAGE_NOT_SENDABLE",
        message: expect.stringContaining(reason) as string,
      }) as Error,
    );
  });
});

test("values of other types have a text", () => {
  const headers = {
    number: 7,
    flag: true,
    nothing: null,
    bytes: Buffer.from([0xff]),
    text: Buffer.from("é"),
    list: [1, Buffer.from("b"), { a: null }],
    time: new Date(5),
    big: 2n ** 63n,
  };
  const came = fromContent(Buffer.alloc(0), { headers } as never, {
    exchange: "amq.topic",
    routingKey: "a.b",
  });
  expect({ ...came.header }).toEqual({
    destination: "/topic/a.b",
    ...{ number: "7", flag: "true", nothing: "", bytes: "/w==", text: "é", list: '[1,"b",{"a":null}]' },
    ...{ time: "5", big: String(2n ** 63n) },
  });
});

test("types that AMQP 0-9-1 has and JavaScript has not are read as what they are", () => {
  const headers = {
    time: { "!": "timestamp", value: 1_700_000_000 },
    decimal: { "!": "decimal", value: { places: 2, digits: 5 } },
    whole: { "!": "decimal", value: { places: 0, digits: 12 } },
    list: [{ "!": "timestamp", value: 1 }, new Date(7), { "!": "decimal", value: { places: 1, digits: 25 } }],
    table: { "!": "decimal" },
  };
  const came = fromContent(Buffer.alloc(0), { headers } as never, { exchange: "", routingKey: "q" });
  expect(came.header).toMatchObject({
    ...{ time: "1700000000000", decimal: "0.05", whole: "12", list: '[1000,7,"2.5"]' },
    table: '{"!":"decimal"}',
  });
});

test("types that AMQP 1.0 has and JavaScript has not are read as what they are", () => {
  const { types, message: codec } = rhea;
  const uuid = "01234567-89ab-cdef-0123-456789abcdef";
  const bytes = (hex: string) => Buffer.from(hex.replaceAll("-", ""), "hex");
  // One of its own for each place: the library marks the body's.
  const typed = (): unknown => types.wrap_uuid(bytes(uuid));
  const application_properties: unknown = {
    uuid: typed(),
    ulong: types.wrap_ulong(bytes("ffffffffffffffff")) as unknown,
    long: types.wrap_long(bytes("8000000000000000")),
    small: types.wrap_ulong(2 ** 40) as unknown,
    minus: types.wrap_long(-(2 ** 40)),
  };
  const message_id: unknown = types.wrap_binary(Buffer.from("sixteen bytes..."));
  const sent = { message_id, correlation_id: typed(), application_properties, body: typed() };
  const came = fromEncoded(codec.encode(sent), "q");
  expect(came.header).toMatchObject({
    ...{ "message-id": "sixteen bytes...", "correlation-id": uuid, uuid },
    ...{ ulong: `${2n ** 64n - 1n}`, long: `${-(2n ** 63n)}`, small: `${2 ** 40}`, minus: `${-(2 ** 40)}` },
  });
  expect(came.body).toBe(uuid);
});

test("a described value is read as what it is, whatever it is within", () => {
  const described = rhea.types.wrap_described({ a: rhea.types.wrap_long(2 ** 62) }, "d") as unknown;
  const said = { application_properties: { x: described } } as unknown as rhea.Message;
  expect(fromEncoded(rhea.message.encode(said), "q").header.x).toContain(`${2n ** 62n}`);
});

describe("what is no message of AMQP 1.0 is refused", () => {
  const all = "ffffffff";
  test.each([
    ["nothing", ""],
    ["a type that there is not", "00537701"],
    ["data that is no bytes", "00537554010053755402"],
    ["data that is no bytes, once", "00537540"],
    ["a list of more items than it has bytes", `005377d000000004${all}`],
    ["an array of more bytes than there are", `005377f0000000050000001098`],
    ["an array of items without bytes", `005377f000000005${all}40`],
    ["one of unknown types", `005377f000000005${all}01`],
    ["many of those", `005377d0000000000000000a${"f0000000050000800040".repeat(10)}`],
    ["an array within a descriptor", `00f000000005${all}40`],
  ])("%s", (_, hex) => {
    const started = performance.now();
    expect(() => fromEncoded(Buffer.from(hex, "hex"), "q")).toThrow(
      expect.objectContaining({ code: "MESSAGE_NOT_SENDABLE" }) as Error,
    );
    // It would take minutes, and all memory.
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("but what has many items is one", () => {
    const list = Array.from({ length: 100_000 }, (_, index) => index % 2 === 0);
    const { body } = fromEncoded(rhea.message.encode({ body: list }), "q");
    expect(JSON.parse(String(body))).toEqual(list);
  });

  test("5000 damaged messages", async () => {
    const { outcomes } = await runFuzz(amqp, { seed: 1, rounds: 5000 });
    expect(Object.keys(outcomes)).toEqual(["MESSAGE_NOT_SENDABLE", "message"]);
    for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(300);
  });
});

test("a message that is worth something for longer than AMQP 0-9-1 can say is told no time", () => {
  const sent = (expires: number) =>
    toContent(new Message({ header: { destination: "/queue/q", expires: `${expires}` }, body: "x" }), 1000);
  expect(sent(2 ** 32 + 999).properties).toMatchObject({ expiration: `${2 ** 32 - 1}` });
  expect(sent(2 ** 32 + 1000).properties.expiration).toBeUndefined();
  expect(sent(2 ** 32 + 1000).properties.headers).toEqual({ expires: `${2 ** 32 + 1000}` });
});

test("what comes from a queue that is not declared goes back to one that is not", () => {
  const from = { exchange: "", routingKey: "q", isGiven: true };
  expect(fromContent(Buffer.alloc(0), {} as never, from).header.destination).toBe("/amq/queue/q");
});
