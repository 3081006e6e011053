import { describe, expect, test } from "vitest";
import { requires } from "../helpers/requirements.js";
import { full } from "./full.js";

describe.runIf(requires("loop-mounts"))("a disk on which nothing more can be written", () => {
  const run = (rounds: number, careless: boolean) =>
    full.run({ seed: 7, rounds, durability: "full", careless, progress: () => undefined });

  test(
    "takes nothing that was acknowledged, leaves no half, and the same processes go on when it is over",
    { timeout: 120_000 },
    async () => {
      const counts = await run(12, false);
      expect(counts).toEqual({ accepted: counts.accepted, lost: 0, empty: 0, truncated: 0, duplicates: 0 });
      expect(counts.accepted).toBeGreaterThan(100);
    },
  );

  test("takes what a careless subject has said too early", { timeout: 60_000 }, async () => {
    expect((await run(2, true)).lost).toBeGreaterThan(0);
  });
});
