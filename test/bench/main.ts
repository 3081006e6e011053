// What `npm run bench` runs: our speed as a ratio to that of others, measured in the same run.
// A bench never fails for being slow. `npm run bench -- --help` tells the options.
import { ConfigError, runProgram, type OptionEntry } from "@spoolwire/program";
import { runBench, type Bench, type Row } from "./bench.js";
import { transferAmqp } from "./amqp.js";
import { codec } from "./codec.js";
import { consume } from "./consume.js";
import { dirq } from "./dirq.js";
import { scale } from "./scale.js";
import { supervisor } from "./supervisor.js";
import { describeMachine, formatTable, showProgress } from "./table.js";
import { transfer, transferRabbitMq } from "./transfer.js";

const benches: readonly Bench[] = [
  dirq,
  consume,
  scale,
  codec,
  transfer,
  transferRabbitMq,
  transferAmqp,
  supervisor,
];

const options = [
  { name: "json", type: "boolean", help: "print one JSON object a case instead of a table" },
  {
    name: "only",
    type: "string",
    value: "TEXT",
    help: "leave out what has not this in its name",
  },
  {
    name: "rounds",
    type: "integer",
    value: "N",
    min: 1,
    help: "how often each side is measured, by turns (default: as the bench likes); the figures are medians",
  },
  {
    name: "size",
    type: "integer",
    value: "N",
    min: 1,
    help: "elements, messages or frames a round (default: as the bench likes)",
  },
] as const satisfies readonly OptionEntry[];

process.exitCode = await runProgram(
  {
    name: "bench",
    version: "0.1.0",
    summary:
      "Measure our speed against baselines, or list the benches. " +
      "All figures are rates; ratio = ours / baseline, so higher is better.",
    options,
    operands: "[NAME]",
  },
  process.argv.slice(2),
  async ({ options: { json = false, ...wanted }, operands: [name, ...others] }) => {
    if (others.length > 0) throw new ConfigError(`Expected one bench at a time, got ${others.length + 1}`);
    if (name === undefined) return list();
    const bench = benches.find((candidate) => candidate.name === name);
    if (!bench) {
      const names = benches.map((candidate) => candidate.name).join(", ");
      throw new ConfigError(`Expected one of the benches ${names}, got "${name}"`);
    }
    if (!json) print(`${describeMachine(bench.places)}\n`);
    const { size = bench.size, rounds = bench.rounds, only = "" } = wanted;
    const rows: Row[] = [];
    try {
      for await (const row of runBench(bench, { size, rounds, only, progress: showProgress })) {
        rows.push(row);
        if (json) print(`${JSON.stringify(row)}\n`);
      }
    } finally {
      showProgress("");
    }
    if (!json) print(formatTable(rows));
    return undefined;
  },
);

function list(): undefined {
  const width = Math.max(...benches.map(({ name }) => name.length));
  for (const { name, summary } of benches) print(`${name.padEnd(width)}  ${summary}\n`);
}

function print(text: string): void {
  process.stdout.write(text);
}
