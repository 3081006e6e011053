import { setImmediate as turn } from "node:timers/promises";
import {
  Message,
  MessageGenerator,
  openMessageQueue,
  type Compression,
  type GeneratorOptions,
  type MessageQueueOptions,
} from "@spoolwire/message";
import { ConfigError, runProgram, write, type OptionEntry, type OptionValues } from "@spoolwire/program";

const amount = "N, N-M (uniform) or N^M (normal)";
const entropy = `0 to 4: a letter, hexadecimal, Base64, ASCII, anything; ${amount}`;

const options = [
  { name: "count", type: "integer", short: "c", value: "N", default: 1, help: "how many messages" },
  {
    name: "randomness",
    type: "integer",
    short: "r",
    value: "N",
    max: 2,
    default: 0,
    help: "defaults for what follows: 0 nothing, 1 a body, 2 a body and a header",
  },
  { name: "type", type: "string", short: "t", value: "TYPE", default: "DQS", help: "the type of the queue" },
  {
    name: "compression",
    type: "string",
    value: "ALGORITHM",
    help: "zlib, lz4 or snappy, where it is worth it; with ! wherever there is a body",
  },
  { name: "seed", type: "integer", value: "N", help: "the same messages again for the same seed" },
  { name: "text", type: "string", value: "0|1|0-1", help: "whether the body is text; 0-1: by chance" },
  { name: "body-length", type: "string", value: "N", help: `characters or bytes: ${amount}` },
  { name: "body-entropy", type: "string", value: "N", help: entropy },
  { name: "header-count", type: "string", value: "N", help: `fields: ${amount}` },
  { name: "header-name-prefix", type: "string", value: "TEXT", help: "what each name begins with" },
  { name: "header-name-length", type: "string", value: "N", help: `characters behind it: ${amount}` },
  { name: "header-name-entropy", type: "string", value: "N", help: entropy },
  { name: "header-value-prefix", type: "string", value: "TEXT", help: "what each value begins with" },
  { name: "header-value-length", type: "string", value: "N", help: `characters behind it: ${amount}` },
  { name: "header-value-entropy", type: "string", value: "N", help: entropy },
] as const satisfies readonly OptionEntry[];

type Values = OptionValues<typeof options>;

/** The generator's options that have one of ours, which is spelt with dashes. */
const generatorNames = [
  "text",
  "bodyLength",
  "bodyEntropy",
  "headerCount",
  "headerNamePrefix",
  "headerNameLength",
  "headerNameEntropy",
  "headerValuePrefix",
  "headerValueLength",
  "headerValueEntropy",
  "seed",
] as const satisfies readonly (keyof GeneratorOptions)[];

const dashed = (name: string) =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`) as keyof Values;

/** What `--randomness` stands for, as in the reference. */
const presets: readonly GeneratorOptions[] = [
  {},
  { text: "0-1", bodyLength: "0-1024", bodyEntropy: "1-2" },
  {
    text: "0-1",
    bodyLength: "0-1024",
    bodyEntropy: "1-3",
    headerCount: "2^6",
    headerNameLength: "10-20",
    headerNameEntropy: "1",
    headerNamePrefix: "rnd-",
    headerValueLength: "20-40",
    headerValueEntropy: "0-3",
  },
];

/** How many messages are made before they are written and signals are looked at. */
const AT_ONCE = 100;

/** Where the messages go. */
interface Output {
  put(message: Message): void;
  /** Resolves when all of them are there, and the event loop had its turn. */
  flush(): Promise<void>;
}

/** The program `mqgen`: random messages into a queue, or as lines of JSON. @returns the exit status */
export function mqgen(argv: readonly string[]): Promise<number> {
  return runProgram(
    {
      name: "mqgen",
      version: "0.1.0",
      summary:
        "Make random messages: in a message queue, or on standard output, one JSON object a line. " +
        "Amounts are a number, or the bounds to draw it from.",
      options,
      operands: "[QUEUE]",
    },
    argv,
    async ({ options, operands, signal }) => {
      const [path, unexpected] = operands;
      if (unexpected !== undefined) throw new ConfigError(`Unexpected argument "${unexpected}"`);
      const { generator, output } = open(options, path);
      for (let made = 1; made <= options.count && !signal.aborted; made++) {
        output.put(generator.message());
        if (made % AT_ONCE === 0) await output.flush();
      }
      await output.flush();
      return undefined;
    },
  );
}

/** @throws ConfigError if an option makes no sense to the generator or to the queue */
function open(values: Values, path: string | undefined): { generator: MessageGenerator; output: Output } {
  try {
    const generator = new MessageGenerator(generatorOptions(values));
    return { generator, output: path === undefined ? toStdout(values) : toQueue(values, path) };
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    const message = error.message.replace(/`(\w+)`/, (_, name: string) => `--${dashed(name)}`);
    throw new ConfigError(message, { cause: error });
  }
}

function generatorOptions(values: Values): GeneratorOptions {
  const given = Object.fromEntries(
    generatorNames.map((name) => [name, values[dashed(name)]]).filter(([, value]) => value !== undefined),
  ) as GeneratorOptions;
  return { ...presets[values.randomness], ...given };
}

function toQueue({ type, compression }: Values, path: string): Output {
  if (type === "ZERO") throw new ConfigError("Expected a --type that can be written to, got ZERO");
  const options = { path, type, ...(compression !== undefined && { compression }) };
  const queue = openMessageQueue(options as MessageQueueOptions);
  return { put: (message) => void queue.addMessage(message), flush: () => turn() };
}

function toStdout({ compression }: Values): Output {
  // So that a wrong one is told of before anything is written.
  new Message().stringify({ compression: compression as Compression });
  let lines = "";
  return {
    put(message) {
      lines += `${message.stringify({ compression: compression as Compression })}\n`;
    },
    flush() {
      const written = lines;
      lines = "";
      return write(process.stdout, written);
    },
  };
}
