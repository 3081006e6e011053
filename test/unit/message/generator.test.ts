import { describe, expect, test } from "vitest";
import { Message, MessageGenerator, type GeneratorOptions } from "@spoolwire/message";

const make = (options: GeneratorOptions, count = 200): Message[] => {
  const generator = new MessageGenerator({ seed: 1, ...options });
  return Array.from({ length: count }, () => generator.message());
};

/** Characters as Perl counts them, or bytes. */
const length = (body: string | Buffer) => (typeof body === "string" ? [...body].length : body.length);

describe("a generator", () => {
  test("makes empty messages when it is told nothing", () => {
    for (const message of [...make({}), new MessageGenerator().message()]) {
      expect(message.stringify()).toBe("{}");
    }
  });

  test("makes text, bytes or either", () => {
    expect(make({ text: 1 }).every((message) => message.isText)).toBe(true);
    expect(make({ text: "0" }).some((message) => message.isText)).toBe(false);
    const texts = make({ text: "0-1" }, 1000).filter((message) => message.isText).length;
    expect(texts).toBeGreaterThan(400);
    expect(texts).toBeLessThan(600);
  });

  test.each([
    [0, /^$|^([A-Z])\1*$/],
    [1, /^[0-9a-f]*$/],
    [2, /^[A-Za-z0-9_-]*$/],
    [3, /^[\x20-\x7e]*$/],
  ])("makes bodies, names and values of entropy %i", (entropy, expected) => {
    const messages = make({
      text: "0-1",
      bodyLength: "0-100",
      bodyEntropy: entropy,
      headerCount: 3,
      headerNameLength: 20,
      headerNameEntropy: `${entropy}`,
      headerValueLength: "0-20",
      headerValueEntropy: entropy,
    });
    for (const { header, body } of messages) {
      expect(body.toString("latin1")).toMatch(expected);
      for (const [name, value] of Object.entries(header)) {
        expect(name).toMatch(expected);
        expect(value).toMatch(expected);
      }
    }
    const alphabets = [26, 16, 64, 95];
    const seen = new Set(messages.flatMap(({ body }) => [...body.toString("latin1")]));
    expect(seen.size).toBe(alphabets[entropy]);
  });

  test("makes text of any character and bytes of any value of entropy 4", () => {
    const texts = make({
      text: 1,
      bodyLength: 100,
      bodyEntropy: 4,
      headerCount: 1,
      headerNameLength: 9,
      headerNameEntropy: 4,
    });
    for (const message of texts) {
      expect(length(message.body)).toBe(100);
      expect(length(Object.keys(message.header)[0] ?? "")).toBe(9);
      expect(Message.deserialize(message.serialize())).toStrictEqual(message);
    }
    const all = texts.map(({ body }) => body).join("");
    for (const script of [
      /[a-z]/,
      /\p{Script=Greek}/u,
      /\p{Script=Cyrillic}/u,
      /\p{Script=Han}/u,
      /\p{Emoji_Presentation}/u,
    ]) {
      expect(all).toMatch(script);
    }
    const bytes = new Set(
      make({ bodyLength: 100, bodyEntropy: 4 }).flatMap(({ body }) => [...(body as Buffer)]),
    );
    expect(bytes.size).toBe(256);
  });

  test("puts prefixes before names and values, on top of their lengths", () => {
    const [message] = make({
      headerCount: 1,
      headerNamePrefix: "rnd-",
      headerNameLength: 10,
      headerValuePrefix: "é",
      headerValueLength: 5,
    });
    const [[name, value] = ["", ""]] = Object.entries(message?.header ?? {});
    expect(name).toMatch(/^rnd-.{10}$/);
    expect(value).toMatch(/^é.{5}$/);
  });

  test("makes one field of those that get the same name", () => {
    expect(make({ headerCount: 5 }, 1)[0]?.header).toEqual({ "": "" });
    expect(
      Object.keys(make({ headerCount: 50, headerNameLength: 1, headerNameEntropy: 1 }, 1)[0]?.header ?? {})
        .length,
    ).toBeLessThanOrEqual(16);
  });

  test("makes the same messages again from the same seed, and others without one", () => {
    const options = {
      text: "0-1",
      bodyLength: "0-100",
      bodyEntropy: "0-4",
      headerCount: "0-5",
      headerNameLength: 9,
    };
    expect(make({ ...options, seed: 7 })).toStrictEqual(make({ ...options, seed: 7 }));
    expect(make({ ...options, seed: 7 })).not.toStrictEqual(make({ ...options, seed: 8 }));
    const random = () => new MessageGenerator({ bodyLength: 20, bodyEntropy: 4 }).message().body;
    expect(random()).not.toStrictEqual(random());
  });
});

describe("an amount", () => {
  const lengths = (bodyLength: string, count = 10_000) =>
    make({ bodyLength, bodyEntropy: 1 }, count).map(({ body }) => body.length);
  const share = (drawn: number[], from: number, to: number) =>
    drawn.filter((value) => value >= from && value <= to).length / drawn.length;

  test("is exact as N", () => {
    expect(new Set(lengths("17", 100))).toEqual(new Set([17]));
    expect(make({ bodyLength: 17 }, 1)[0]?.body.length).toBe(17);
  });

  test("is uniform from N to M as N-M, bounds included", () => {
    const drawn = lengths("10-19");
    expect([Math.min(...drawn), Math.max(...drawn)]).toEqual([10, 19]);
    for (let value = 10; value <= 19; value++) expect(share(drawn, value, value)).toBeCloseTo(0.1, 1);
    expect(new Set(lengths("5-5", 10))).toEqual(new Set([5]));
  });

  test("is normal between N and M as N^M: a standard deviation of a twelfth, the mean in the middle", () => {
    const drawn = lengths("100^219");
    const mean = drawn.reduce((sum, value) => sum + value) / drawn.length;
    const deviation = Math.sqrt(drawn.reduce((sum, value) => sum + (value - mean) ** 2, 0) / drawn.length);
    expect(mean).toBeGreaterThan(158);
    expect(mean).toBeLessThan(161);
    expect(deviation).toBeGreaterThan(9.5);
    expect(deviation).toBeLessThan(10.5);
    expect(share(drawn, 150, 169)).toBeGreaterThan(0.64);
    expect(share(drawn, 100, 219)).toBe(1);
    expect(new Set(lengths("2^4", 5000))).toEqual(new Set([2, 3, 4]));
  });

  test.each<[GeneratorOptions, RegExp]>([
    [{ bodyLength: "x" }, /^Expected `bodyLength` to be N, N-M or N\^M, with N <= M <= \d+, got "x"$/],
    [{ bodyLength: -1 }, /`bodyLength`.*got -1$/],
    [{ bodyLength: 1.5 }, /got 1.5$/],
    [{ bodyLength: NaN }, /got NaN$/],
    [{ bodyLength: "" }, /got ""$/],
    [{ bodyLength: "5-3" }, /got "5-3"$/],
    [{ bodyLength: "1-2-3" }, /got "1-2-3"$/],
    [{ bodyLength: "1e9" }, /got "1e9"$/],
    [{ bodyLength: "0-600000000" }, /got "0-600000000"$/],
    [{ bodyEntropy: 5 }, /`bodyEntropy`.*M <= 4, got 5$/],
    [{ headerNameEntropy: "0-5" }, /`headerNameEntropy`/],
    [{ text: 2 }, /`text`.*M <= 1, got 2$/],
    [{ headerCount: [1] as unknown as number }, /got an array$/],
    [{ headerNamePrefix: 1 as unknown as string }, /^Expected `headerNamePrefix` to be a string, got 1$/],
    [{ headerValuePrefix: "\ud800" }, /`headerValuePrefix`/],
    [{ seed: 0.5 }, /^Expected `seed` to be an integer, got 0.5$/],
    [{ body: 1 } as GeneratorOptions, /^Unknown generator option `body`, expected one of text, bodyLength/],
    [{ constructor: 1 } as unknown as GeneratorOptions, /^Unknown generator option `constructor`/],
  ])("is refused when it is none: %o", (options, message) => {
    expect(() => new MessageGenerator(options)).toThrow(TypeError);
    expect(() => new MessageGenerator(options)).toThrow(message);
  });
});
