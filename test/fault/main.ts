// What `npm run fault` runs: fault campaigns, longer and with other seeds than the tests have time for.
import { ConfigError, ExitStatus, runProgram, type OptionEntry } from "@spoolwire/program";
import type { TestBroker } from "../helpers/broker.js";
import { protocols, startBroker, type TestProtocol } from "../helpers/each-broker.js";
import { agents, members } from "./agents.js";
import { answers } from "./answers.js";
import type { BrokerCampaignOptions, Campaign } from "./campaign.js";
import { memory } from "./memory.js";
import { blocked, idle } from "./patience.js";
import { proxy } from "./proxy.js";
import { receive } from "./receive.js";
import { restart } from "./restart.js";
import { full } from "./full.js";
import { powercut } from "./powercut.js";
import { soak } from "./soak.js";
import { stalled } from "./stalled.js";
import { calls, kill } from "./strikes.js";
import { supervisor } from "./supervisor.js";

const alone: readonly Campaign[] = [powercut, calls, kill, full, soak, supervisor];
const withBroker: readonly Campaign<BrokerCampaignOptions>[] = [
  proxy,
  restart,
  agents,
  members,
  receive,
  answers,
  idle,
  blocked,
  memory,
  stalled,
];

/** With a broker of its own. */
const owning = (
  campaign: Campaign<BrokerCampaignOptions>,
  startOwn: () => Promise<TestBroker>,
): Campaign => ({
  ...campaign,
  run: async (options) => {
    await using broker = await startOwn();
    return await campaign.run({ ...options, broker });
  },
});

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
  {
    name: "protocol",
    type: "string",
    value: "NAME",
    choices: protocols,
    default: "stomp",
    help: "spoken with it; AMQP with rabbitmq only",
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
  async ({ options, operands: [name, ...others] }) => {
    const { seed, rounds, durability, json = false } = options;
    if (others.length > 0) throw new ConfigError(`Expected one campaign at a time, got ${others.length + 1}`);
    if (name === undefined) {
      for (const campaign of [...alone, ...withBroker])
        console.log(`${campaign.name.padEnd(10)} ${campaign.summary}`);
      return ExitStatus.ok;
    }
    const own = () => startBroker(options.broker, options.protocol as TestProtocol);
    const all = [...alone, ...withBroker.map((campaign) => owning(campaign, own))];
    const campaign = all.find((candidate) => candidate.name === name);
    if (!campaign) {
      const names = all.map((candidate) => candidate.name).join(", ");
      throw new ConfigError(`Expected one of the campaigns ${names}, got "${name}"`);
    }
    const times = rounds ?? campaign.rounds;
    const started = performance.now();
    const progress = (round: number) => {
      if (!json && process.stderr.isTTY)
        process.stderr.write(`\r\x1b[K${name}: round ${round + 1} of ${times}`);
    };
    const counts = await campaign.run({ seed, rounds: times, durability, progress });
    if (!json && process.stderr.isTTY) process.stderr.write("\r\x1b[K");
    const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
    console.log(JSON.stringify({ fault: name, rounds: times, ...counts, seconds }));
    const { lost, empty, truncated } = counts;
    return lost + empty + truncated > 0 ? ExitStatus.dataError : ExitStatus.ok;
  },
);
