// Short runs of the campaigns that agents go through, on each broker that has a part in them.
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { TestBroker } from "../helpers/broker.js";
import { onEachBroker, onRabbitMq, startBroker } from "../helpers/each-broker.js";
import { requires } from "../helpers/requirements.js";
import { agents, members } from "./agents.js";
import { answers } from "./answers.js";
import type { BrokerCampaignOptions, Campaign } from "./campaign.js";
import { memory } from "./memory.js";
import { idle } from "./patience.js";
import { proxy } from "./proxy.js";
import { receive } from "./receive.js";
import { restart } from "./restart.js";
import { stalled } from "./stalled.js";

const run = (
  campaign: Campaign<BrokerCampaignOptions>,
  broker: TestBroker,
  rounds: number,
  careless = false,
) => campaign.run({ seed: 7, rounds, durability: "full", broker, careless, progress: () => undefined });

const nothing = { lost: 0, empty: 0, truncated: 0 };
const timeout = 240_000;
const hasProc = existsSync("/proc/self/status");

onEachBroker((broker, name) => {
  const cuts = name === "embedded" ? 150 : 8;
  itSurvivesCuts(broker, cuts);
  test(
    "agents lose nothing when it is stopped and killed, and go on by themselves",
    { timeout },
    async () => {
      expect(await run(restart, broker(), 2)).toMatchObject({ ...nothing, accepted: 2000 });
    },
  );
  if (name === "embedded") {
    itSurvives(members, broker, 1);
    test("agents that get late, wrong or no answers find out, and lose nothing", { timeout }, async () => {
      expect(await run(answers, broker(), 5)).toMatchObject({ ...nothing, accepted: 1500 });
    });
    test("agents that have nothing to do for long keep their connections", { timeout }, async () => {
      expect(await run(idle, broker(), 1)).toMatchObject({ ...nothing, duplicates: 0 });
    });
    test.runIf(hasProc)("a sender leaves in its spool what a broker does not read", { timeout }, async () => {
      expect(await run(stalled, broker(), 3)).toMatchObject({ ...nothing, accepted: 700 });
    });
    test.runIf(hasProc)("agents stay as small as they are, however much they move", { timeout }, async () => {
      expect(await run(memory, broker(), 8)).toMatchObject(nothing);
    });
  } else itSurvives(agents, broker, 5);
});

onRabbitMq(["amqp10", "amqp091"], (broker) => {
  itSurvivesCuts(broker, 4);
  itSurvives(members, broker, 1);
});

function itSurvivesCuts(broker: () => TestBroker, rounds: number): void {
  test("agents lose nothing when connections are cut at any byte", { timeout }, async () => {
    expect(await run(proxy, broker(), rounds)).toMatchObject(nothing);
  });
}

function itSurvives(
  campaign: Campaign<BrokerCampaignOptions>,
  broker: () => TestBroker,
  rounds: number,
): void {
  test(
    `nothing is lost, and at most the window repeated, when ${campaign.summary}`,
    { timeout },
    async () => {
      expect(await run(campaign, broker(), rounds)).toMatchObject({ ...nothing, accepted: rounds * 4000 });
    },
  );
}

test.runIf(requires("loop-mounts"))(
  "agents that receive into a disk that is full or read-only lose nothing, and go on when it is not",
  { timeout },
  async () => {
    await using broker = await startBroker("embedded");
    expect(await run(receive, broker, 3)).toMatchObject(nothing);
  },
);

// Without this, a harness that strikes nothing would look like agents that lose nothing.
describe("agents that are not reliable", { timeout: 120_000 }, () => {
  test.each([
    { campaign: proxy, rounds: 20 },
    { campaign: restart, rounds: 2 },
    { campaign: stalled, rounds: 1 },
  ])("lose messages: $campaign.name", async ({ campaign, rounds }) => {
    await using broker = await startBroker("embedded");
    expect((await run(campaign, broker, rounds, true)).lost).toBeGreaterThan(0);
  });
});
