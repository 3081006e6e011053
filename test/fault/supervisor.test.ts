// The campaign `supervisor`, as short as it says something: each kind of round once.
import { expect, test } from "vitest";
import { supervisor } from "./supervisor.js";

const run = (rounds: number, careless: boolean) =>
  supervisor.run({ seed: 1, rounds, durability: "none", careless, progress: () => undefined });

test("one of each runs, whatever happens", { timeout: 300_000 }, async () => {
  expect(await run(7, false)).toEqual({ accepted: 28, lost: 0, empty: 0, truncated: 0, duplicates: 0 });
});

test("a supervisor that does not look for what runs has second copies", { timeout: 300_000 }, async () => {
  expect((await run(1, true)).duplicates).toBeGreaterThan(0);
});
