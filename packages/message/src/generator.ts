import { show } from "./errors.js";
import { emptyHeader } from "./header.js";
import { Message } from "./message.js";
import { parseAmount, seededRandom, type Amount, type Drawer, type Random } from "./random.js";

/**
 * What to generate; amounts are `N`, `N-M` (uniform) or `N^M` (normal), bounds included, 0 by default.
 *
 * An entropy is 0: one letter, repeated; 1: hexadecimal digits; 2: Base64 with `-` and `_`; 3: printable
 * ASCII; 4: anything, characters from many scripts in a text, bytes in a binary body.
 */
export interface GeneratorOptions {
  /** Whether the body is text: `0`, `1`, or `0-1` for either by chance. */
  readonly text?: Amount | undefined;
  /** Characters in a text, bytes in a binary body. */
  readonly bodyLength?: Amount | undefined;
  readonly bodyEntropy?: Amount | undefined;
  /** Fields; those that get the same name are one. */
  readonly headerCount?: Amount | undefined;
  /** What each name begins with (default: nothing). */
  readonly headerNamePrefix?: string | undefined;
  /** Characters, without the prefix. */
  readonly headerNameLength?: Amount | undefined;
  readonly headerNameEntropy?: Amount | undefined;
  /** What each value begins with (default: nothing). */
  readonly headerValuePrefix?: string | undefined;
  /** Characters, without the prefix. */
  readonly headerValueLength?: Amount | undefined;
  readonly headerValueEntropy?: Amount | undefined;
  /** The same seed makes the same messages (default: chance decides). */
  readonly seed?: number | undefined;
}

/** The most of each amount; no message of ours can be longer than a string or a Buffer. */
const most = Object.freeze({
  text: 1,
  bodyLength: 2 ** 29 - 24,
  bodyEntropy: 4,
  headerCount: 2 ** 24,
  headerNameLength: 2 ** 24,
  headerNameEntropy: 4,
  headerValueLength: 2 ** 24,
  headerValueEntropy: 4,
});

type AmountName = keyof typeof most;

/**
 * Makes messages by chance, for stress tests and measurements.
 * Counterpart: Messaging::Message::Generator.
 *
 * @example
 * const generator = new MessageGenerator({ text: "0-1", bodyLength: "0-1000", bodyEntropy: "1-4" });
 * queue.addMessage(generator.message());
 */
export class MessageGenerator {
  readonly #amounts: Readonly<Record<AmountName, Drawer>>;
  readonly #namePrefix: string;
  readonly #valuePrefix: string;
  readonly #random: Random;

  /** @throws TypeError naming the option, what was expected and what came */
  constructor(options: GeneratorOptions = {}) {
    const { headerNamePrefix = "", headerValuePrefix = "", seed, ...amounts } = options;
    this.#amounts = readAmounts(amounts);
    this.#namePrefix = checkPrefix("headerNamePrefix", headerNamePrefix);
    this.#valuePrefix = checkPrefix("headerValuePrefix", headerValuePrefix);
    if (seed !== undefined && !Number.isSafeInteger(seed)) {
      throw new TypeError(`Expected \`seed\` to be an integer, got ${show(seed)}`);
    }
    this.#random = seed === undefined ? Math.random : seededRandom(seed);
  }

  /** One more message. */
  message(): Message {
    const isText = this.#draw("text") === 1;
    const [length, entropy] = [this.#draw("bodyLength"), this.#draw("bodyEntropy")];
    const body = isText
      ? randomText(length, entropy, this.#random)
      : randomBytes(length, entropy, this.#random);
    const header = emptyHeader();
    for (let left = this.#draw("headerCount"); left > 0; left--) {
      const name = randomText(this.#draw("headerNameLength"), this.#draw("headerNameEntropy"), this.#random);
      header[this.#namePrefix + name] =
        this.#valuePrefix +
        randomText(this.#draw("headerValueLength"), this.#draw("headerValueEntropy"), this.#random);
    }
    return new Message({ header, body });
  }

  #draw(name: AmountName): number {
    return this.#amounts[name](this.#random);
  }
}

function readAmounts(amounts: Readonly<Record<string, unknown>>): Record<AmountName, Drawer> {
  const unknown = Object.keys(amounts).find((name) => !Object.hasOwn(most, name));
  if (unknown !== undefined) {
    const names = [...Object.keys(most), "headerNamePrefix", "headerValuePrefix", "seed"];
    throw new TypeError(`Unknown generator option \`${unknown}\`, expected one of ${names.join(", ")}`);
  }
  const drawers = {} as Record<AmountName, Drawer>;
  for (const [name, max] of Object.entries(most) as [AmountName, number][]) {
    const drawer = parseAmount(amounts[name] ?? 0, max);
    if (!drawer) {
      const got = show(amounts[name]);
      throw new TypeError(`Expected \`${name}\` to be N, N-M or N^M, with N <= M <= ${max}, got ${got}`);
    }
    drawers[name] = drawer;
  }
  return drawers;
}

function checkPrefix(name: string, prefix: unknown): string {
  if (typeof prefix === "string" && prefix.isWellFormed()) return prefix;
  throw new TypeError(`Expected \`${name}\` to be a string, got ${show(prefix)}`);
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const codes = (characters: string) => [...Buffer.from(characters, "latin1")];

const LETTERS = codes("ABCDEFGHIJKLMNOPQRSTUVWXYZ");

/** The bytes of each entropy above 0. */
const ALPHABETS: readonly (readonly number[])[] = [
  [],
  codes("0123456789abcdef"),
  codes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
  range(0x20, 0x7e),
  range(0, 0xff),
];

/** One to four bytes in UTF-8: ASCII, Latin, Greek, Cyrillic, Hebrew, symbols, Chinese, emoji. */
const ANY_CHARACTER: readonly string[] = [
  ...range(0x20, 0x7e),
  ...range(0xa1, 0xff),
  ...range(0x3b1, 0x3c9),
  ...range(0x410, 0x44f),
  ...range(0x5d0, 0x5ea),
  ...range(0x2200, 0x222f),
  ...range(0x4e00, 0x4e3f),
  ...range(0x1f600, 0x1f63f),
].map((point) => String.fromCodePoint(point));

const pick = <Item>(items: readonly Item[], random: Random): Item =>
  items[Math.floor(random() * items.length)] as Item;

function randomText(length: number, entropy: number, random: Random): string {
  if (entropy < 4) return randomBytes(length, entropy, random).toString("latin1");
  let text = "";
  for (let index = 0; index < length; index++) text += pick(ANY_CHARACTER, random);
  return text;
}

function randomBytes(length: number, entropy: number, random: Random): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  if (entropy === 0) return bytes.fill(pick(LETTERS, random));
  const alphabet = ALPHABETS[entropy] ?? [];
  for (let index = 0; index < length; index++) bytes[index] = pick(alphabet, random);
  return bytes;
}
