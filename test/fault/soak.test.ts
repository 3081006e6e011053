import { describe, expect, test } from "vitest";
import { soak } from "./soak.js";

describe("dirq add and dirq pop, killed at random", { timeout: 120_000 }, () => {
  const run = (rounds: number, careless: boolean) =>
    soak.run({ seed: 7, rounds, durability: "full", careless, progress: () => undefined });

  test("lose nothing, and do nothing twice but what they had in hand", async () => {
    const { accepted, ...others } = await run(30, false);
    expect(others).toMatchObject({ lost: 0, empty: 0, truncated: 0 });
    expect(accepted).toBeGreaterThan(100);
  });

  // A reader that forgets what a program said before it was killed.
  test("lose what a careless reader of their output forgets", async () => {
    expect((await run(12, true)).lost).toBeGreaterThan(0);
  });
});
