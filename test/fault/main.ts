// What `npm run fault` runs: fault campaigns, longer and with other seeds than the tests have time for.
import { ConfigError, ExitStatus, runProgram, type OptionEntry } from "@spoolwire/program";
import type { TestBroker } from "../helpers/broker.js";
import type { Campaign } from "./campaign.js";
import { proxy } from "./proxy.js";
import { receive } from "./receive.js";
import { restart } from "./restart.js";
import { full } from "./full.js";
import { powercut } from "./powercut.js";
import { soak } from "./soak.js";
import { calls, kill } from "./strikes.js";
import { supervisor } from "./supervisor.js";

const campaigns: readonly Campaign[] = [
  powercut,
  calls,
  kill,
  full,
  soak,
  proxy,
  restart,
  receive,
  supervisor,
];

const options = [
  { name: "seed", type: "integer", value: "N", default: 1, help: "makes the same choices again" },
  { name: "rounds", type: "integer", value: "N", min: 1, help: "how often (default: as the campaign likes)" },
  {
    name: "durability",
    type: "string",
    value: "MODE",
    default: "full",
    help: "of the queue: none, file or full",
  },
  {
    name: "broker",
    type: "string",
    value: "NAME",
    choices: ["embedded", "rabbitmq", "activemq"],
    default: "embedded",
    help: "of campaigns that have one",
  },
  { name: "json", type: "boolean", help: "print nothing but the line of counts" },
] as const satisfies readonly OptionEntry[];

process.exitCode = await runProgram(
  {
    name: "fault",
    version: "0.1.0",
    summary:
      "Run a fault campaign, or list them. The status is 65 if anything acknowledged was lost or damaged.",
    options,
    operands: "[NAME]",
  },
  process.argv.slice(2),
  async ({ options: { seed, rounds, durability, broker, json = false }, operands: [name, ...others] }) => {
    if (others.length > 0) throw new ConfigError(`Expected one campaign at a time, got ${others.length + 1}`);
    if (name === undefined) {
      for (const campaign of campaigns) console.log(`${campaign.name.padEnd(10)} ${campaign.summary}`);
      return ExitStatus.ok;
    }
    const campaign = campaigns.find((candidate) => candidate.name === name);
    if (!campaign) {
      const names = campaigns.map((candidate) => candidate.name).join(", ");
      throw new ConfigError(`Expected one of the campaigns ${names}, got "${name}"`);
    }
    const all = rounds ?? campaign.rounds;
    const started = performance.now();
    const progress = (round: number) => {
      if (!json && process.stderr.isTTY)
        process.stderr.write(`\r\x1b[K${name}: round ${round + 1} of ${all}`);
    };
    const counts = await campaign.run({
      seed,
      rounds: all,
      durability,
      broker: broker as TestBroker["name"],
      progress,
    });
    if (!json && process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
    console.log(JSON.stringify({ fault: name, rounds: all, ...counts, seconds }));
    const { lost, empty, truncated } = counts;
    return lost + empty + truncated > 0 ? ExitStatus.dataError : ExitStatus.ok;
  },
);
