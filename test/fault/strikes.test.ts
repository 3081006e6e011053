import { describe, expect, test } from "vitest";
import { requires } from "../helpers/requirements.js";
import type { Campaign } from "./campaign.js";
import { calls, kill } from "./strikes.js";

const run = (campaign: Campaign, rounds: number, careless: boolean) =>
  campaign.run({ seed: 7, rounds, durability: "full", careless, progress: () => undefined });

describe.runIf(requires("strace"))("a system call of an operation", { timeout: 120_000 }, () => {
  test.each([
    ["that fails loses nothing, is told by its error, and a purge leaves nothing of it", calls, 400],
    ["that is the last of a process loses nothing, and a purge leaves nothing of it", kill, 60],
  ])("%s", async (_, campaign, rounds) => {
    const counts = await run(campaign, rounds, false);
    expect(counts).toEqual({ accepted: counts.accepted, lost: 0, empty: 0, truncated: 0, duplicates: 0 });
    expect(counts.accepted).toBeGreaterThan(rounds);
  });

  // Without this, a harness that strikes nothing would look like a queue that loses nothing.
  test.each([calls, kill])("loses what a careless subject has said too early: $name", async (campaign) => {
    expect((await run(campaign, 15, true)).lost).toBeGreaterThan(0);
  });
});
