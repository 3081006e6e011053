// What `npm run fuzz` runs: input damaged by chance, a million rounds of each kind, or as many as are wanted.
// `npm run fuzz -- --help` tells the options.
import { ConfigError, ExitStatus, runProgram, type OptionEntry } from "@spoolwire/program";
import { amqp } from "./amqp.js";
import { config } from "./config.js";
import { runFuzz, type Fuzz, type Report } from "./fuzz.js";
import { message } from "./message.js";
import { names } from "./names.js";
import { stomp } from "./stomp.js";
import { watch } from "./watchdog.js";

const fuzzes: readonly Fuzz[] = [message, names, config, stomp, amqp];

/** A round that takes longer than this many seconds hangs. */
const HANGS = 60;

const options = [
  { name: "seed", type: "integer", value: "N", default: 1, help: "where chance begins" },
  { name: "rounds", type: "integer", value: "N", default: 1_000_000, help: "how many inputs of each kind" },
  { name: "json", type: "boolean", help: "end with one JSON object a kind instead of a line" },
] as const satisfies readonly OptionEntry[];

process.exitCode = await runProgram(
  {
    name: "fuzz",
    version: "0.1.0",
    summary: `Give damaged input to what reads it. ${fuzzes.map(({ name, summary }) => `${name}: ${summary}`).join(". ")}.`,
    options,
    operands: "[NAME]",
  },
  process.argv.slice(2),
  async ({ options: { seed, rounds, json }, operands: [name, ...others], log }) => {
    const chosen = fuzzes.filter((fuzz) => name === undefined || fuzz.name === name);
    if (chosen.length === 0 || others.length > 0) {
      const known = fuzzes.map((fuzz) => fuzz.name).join(", ");
      throw new ConfigError(`Expected one of ${known}, got "${[name, ...others].join(" ")}"`);
    }
    for (const fuzz of chosen) {
      const watchdog = watch(HANGS, `fuzz: hangs in round ROUND of ${fuzz.name}, counted from seed ${seed}`);
      try {
        const report = await runFuzz(fuzz, { seed, rounds, begin: watchdog.begin.bind(watchdog) });
        process.stdout.write(`${json ? JSON.stringify(report) : describe(report)}\n`);
      } catch (error) {
        for (let why: unknown = error; why instanceof Error; why = why.cause) log.error(why.message);
        return ExitStatus.software;
      } finally {
        watchdog.end();
      }
    }
    return undefined;
  },
);

function describe({ fuzz, seed, rounds, outcomes, slowestMs, seconds }: Report): string {
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`);
  return `${fuzz}: seed ${seed}, ${rounds} rounds, ${counts.join(", ")}, slowest ${slowestMs} ms, ${seconds} s`;
}
