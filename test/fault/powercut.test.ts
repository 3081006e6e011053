import { describe, expect, test } from "vitest";
import { requires } from "../helpers/requirements.js";
import { powercut } from "./powercut.js";

describe.runIf(requires("loop-mounts"))("a power cut under four writers", () => {
  const run = (durability: string, rounds: number) =>
    powercut.run({ seed: 7, rounds, durability, progress: () => undefined });

  test(
    "takes nothing that was acknowledged in mode full, and empties nothing",
    { timeout: 300_000 },
    async () => {
      const counts = await run("full", 100);
      expect(counts).toEqual({ accepted: counts.accepted, lost: 0, empty: 0, truncated: 0, duplicates: 0 });
      expect(counts.accepted).toBeGreaterThan(100);
    },
  );

  // Without this, a harness that cuts nothing would look like a queue that loses nothing.
  test("takes some of it in mode none, as everybody knows", { timeout: 120_000 }, async () => {
    expect((await run("none", 4)).lost).toBeGreaterThan(0);
  });
});
