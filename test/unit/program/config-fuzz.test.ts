// The fuzz of configuration files, shortly: `npm run fuzz -- config` is the long run.
import { expect, test } from "vitest";
import { config } from "../../fuzz/config.js";
import { runFuzz } from "../../fuzz/fuzz.js";

test("3000 damaged configurations are read or refused, always with lines", { timeout: 60_000 }, async () => {
  const { outcomes } = await runFuzz(config, { seed: 1, rounds: 3000 });
  const formats = ["x.conf", "x.json", "x.yaml"];
  expect(Object.keys(outcomes)).toEqual(
    formats.flatMap((name) => ["misfit", "read", "refused"].map((outcome) => `${name} ${outcome}`)),
  );
});
