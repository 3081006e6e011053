// Short runs of the campaigns that agents go through, on each broker that has a part in them.
import { describe, expect, test } from "vitest";
import { requires } from "../helpers/requirements.js";
import type { Campaign } from "./campaign.js";
import { proxy } from "./proxy.js";
import { receive } from "./receive.js";
import { restart } from "./restart.js";

const run = (
  campaign: Campaign,
  broker: "embedded" | "rabbitmq" | "activemq",
  rounds: number,
  careless = false,
) => campaign.run({ seed: 7, rounds, durability: "full", broker, careless, progress: () => undefined });

const nothing = { lost: 0, empty: 0, truncated: 0 };

const cases = [
  { name: "embedded", proxied: 150, restarts: 2 },
  { name: "rabbitmq", proxied: 8, restarts: 1 },
  { name: "activemq", proxied: 8, restarts: 1 },
] as const;

describe.each(cases)("agents and the broker $name", ({ name, proxied, restarts }) => {
  const isThere = name === "embedded" || requires(name);

  test.runIf(isThere)("lose nothing when connections are cut at any byte", { timeout: 240_000 }, async () => {
    expect(await run(proxy, name, proxied)).toMatchObject(nothing);
  });

  test.runIf(isThere)(
    "lose nothing when it is killed, and go on by themselves",
    { timeout: 240_000 },
    async () => {
      expect(await run(restart, name, restarts)).toMatchObject({ ...nothing, accepted: restarts * 1000 });
    },
  );
});

test.runIf(requires("loop-mounts"))(
  "agents that receive into a disk that is full or read-only lose nothing, and go on when it is not",
  { timeout: 240_000 },
  async () => {
    expect(await run(receive, "embedded", 3)).toMatchObject(nothing);
  },
);

// Without this, a harness that strikes nothing would look like agents that lose nothing.
describe("agents that are not reliable", { timeout: 120_000 }, () => {
  test.each([
    { campaign: proxy, rounds: 20 },
    { campaign: restart, rounds: 2 },
  ])("lose messages: $campaign.name", async ({ campaign, rounds }) => {
    expect((await run(campaign, "embedded", rounds, true)).lost).toBeGreaterThan(0);
  });
});
