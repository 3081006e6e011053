// The benches run as a user starts them, but with next to nothing to do: how fast we are is not tested.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../helpers/embedded.js";
import { requires } from "../../helpers/requirements.js";

interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

function bench(...args: string[]): Promise<Outcome> {
  const main = join(root, "build/test/bench/main.js");
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [main, ...args], (_error, stdout, stderr) => {
      resolve({ status: child.exitCode ?? -1, stdout, stderr });
    });
  });
}

test("without a name the benches are listed, a line each", async () => {
  const { status, stdout, stderr } = await bench();
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const names = stdout
    .trimEnd()
    .split("\n")
    .map((line) => /^(\S+) +\S/.exec(line)?.[1]);
  expect(names).toEqual([
    "dirq",
    "consume",
    "scale",
    "codec",
    "transfer",
    "transfer-rabbitmq",
    "transfer-amqp",
    "supervisor",
  ]);
});

test("an unknown bench is the caller's mistake, told in one line", async () => {
  const { status, stdout, stderr } = await bench("dirk");
  expect({ status, stdout }).toEqual({ status: 64, stdout: "" });
  expect(stderr).toMatch(
    /^bench: Expected one of the benches dirq, consume, scale, codec, transfer, transfer-rabbitmq, transfer-amqp, supervisor, got "dirk".*\n$/,
  );
});

test("the help says which way a ratio is to be read", async () => {
  const { stdout } = await bench("--help");
  expect(stdout.replace(/\s+/g, " ")).toContain("ratio = ours / baseline, so higher is better");
});

const tiny = ["--rounds", "1", "--size", "5"];

/** What a bench needs, if anything, and which part of it is enough. */
const benches: readonly { name: string; part?: string; needs?: string }[] = [
  ...["dirq", "consume", "scale", "codec"].map((name) => ({ name })),
  { name: "transfer", part: "100 B reliable" },
  { name: "transfer-rabbitmq", part: "100 B reliable", needs: "rabbitmq" },
  { name: "transfer-amqp", part: "100 B reliable", needs: "rabbitmq" },
];

test.for(benches.filter(({ needs }) => needs === undefined || requires(needs)))(
  "$name prints one JSON object a case",
  { timeout: 60_000 },
  async ({ name, part }) => {
    const only = part === undefined ? [] : ["--only", part];
    const { status, stdout, stderr } = await bench(name, ...tiny, ...only, "--json");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) {
      const row = JSON.parse(line) as Record<string, unknown>;
      expect(row.case).toContain(part ?? "");
      expect(Object.keys(row)).toEqual(["bench", "case", "ours", "baseline", "against", "ratio", "unit"]);
      expect(row.bench).toBe(name);
      for (const key of ["case", "against", "unit"]) expect(row[key], key).toMatch(/./);
      for (const key of ["ours", "baseline", "ratio"]) expect(row[key], key).toBeGreaterThan(0);
    }
  },
);

test.for(["dirq", "codec"])("%s prints the machine and a table", { timeout: 60_000 }, async (name) => {
  const { stdout } = await bench(name, ...tiny);
  const [machine, head, ...rows] = stdout.trimEnd().split("\n");
  expect(machine).toMatch(/, \d+ cores, Node v\d+\./);
  expect(head).toMatch(/^case +ours +baseline +against +ratio +unit$/);
  expect(rows.length).toBeGreaterThan(1);
});
