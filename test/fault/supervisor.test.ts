// The campaign `supervisor`, as short as it says something.
import { expect, test } from "vitest";
import { supervisor } from "./supervisor.js";

test("one of each runs, whoever is killed", { timeout: 300_000 }, async () => {
  const counts = await supervisor.run({ seed: 1, rounds: 3, durability: "none", progress: () => undefined });
  expect(counts).toEqual({ accepted: 12, lost: 0, empty: 0, truncated: 0, duplicates: 0 });
});
