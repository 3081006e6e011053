// The demo as a newcomer runs it, once it is installed and built: whatever the input, the output is the same.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { endWithUs, inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { root } from "../helpers/embedded.js";
import { realLines } from "../helpers/real-lines.js";
import { requires } from "../helpers/requirements.js";

const directory = temporaryDirectory("demo");
afterAll(() => removeDirectory(directory));

async function demo(
  args: readonly string[],
  input?: Buffer,
): Promise<{ status: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(root, "build/demo/main.js"), ...args], { cwd: root });
  endWithUs(child);
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.end(input);
  const [status] = (await once(child, "close")) as [number];
  return { status, stdout, stderr };
}

const lines = (count: number, line: (index: number) => string) =>
  Buffer.from(Array.from({ length: count }, (_, index) => line(index)).join(""));

const inputs: [string, Buffer][] = [
  ["an empty file", Buffer.alloc(0)],
  ["one line without a newline", Buffer.from("no end")],
  ["100,000 short lines", lines(100_000, (index) => `line ${index}\n`)],
  [
    "lines with UTF-8, NUL and Latin-1",
    Buffer.concat([
      Buffer.from("caf\u00e9 \u2603\n\ufeffwith a mark\n\nempty before\r\n"),
      Buffer.from("nul \0 inside\n\0\n"),
      Buffer.from("latin caf\xe9\n\xff\xfe\n", "latin1"),
    ]),
  ],
  ["one line of 5 MB", Buffer.concat([Buffer.alloc(5_000_000, "x"), Buffer.from("\n")])],
];

describe("npm run demo", () => {
  test("shows the flow of a log that the machine has", { timeout: 400_000 }, async () => {
    const { status, stdout, stderr } = await demo([]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^Input: .+, [\d,]+ bytes\n/);
    expect(stdout).toMatch(/spool A .*\n(.*\n)+.*broker .*\n(.*\n)+.*spool B /);
    expect(stdout.match(/│ {2}bin\/\S+( \w+)? +[\d,]+ messages? +[\d,]+\/s/g)).toHaveLength(4);
    for (const command of [
      "bin/spoolwire-broker --data",
      "bin/dirq add",
      "bin/stompclt --incoming-queue",
      "bin/dirq pop",
    ]) {
      expect(stdout).toContain(`\n  ${command}`);
    }
    expect(stdout).toMatch(
      /\nThe output is identical to the input, byte for byte and in order: [\d,]+ lines, sha256 \w+\n$/,
    );
    expect(status).toBe(0);
  });

  test.each(inputs)("gives back %s", { timeout: 400_000 }, async (_, bytes) => {
    const file = join(directory, "input");
    writeFileSync(file, bytes);
    const work = join(temporaryDirectory("demo", inMemory), "flow");
    try {
      const { status, stdout, stderr } = await demo(["--input", file, "--directory", work]);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toContain("The output is identical to the input");
      expect(readFileSync(join(work, "output")).equals(bytes)).toBe(true);
    } finally {
      removeDirectory(dirname(work));
    }
  });

  test("takes standard input", { timeout: 400_000 }, async () => {
    const { status, stdout } = await demo(["--input", "-"], Buffer.from("a\nb\n"));
    expect(stdout).toMatch(/^Input: standard input, 4 bytes\n/);
    expect(readFileSync(join(root, "build/demo-flow/output"), "utf8")).toBe("a\nb\n");
    expect(status).toBe(0);
  });

  test.each(
    [
      { broker: "rabbitmq", protocol: "stomp", agent: "stompclt" },
      { broker: "rabbitmq", protocol: "amqp10", agent: "amqpclt" },
      { broker: "rabbitmq", protocol: "amqp091", agent: "amqpclt" },
      { broker: "activemq", protocol: "stomp", agent: "stompclt" },
    ].filter(({ broker }) => requires(broker)),
  )("works with $broker over $protocol", { timeout: 400_000 }, async ({ broker, protocol, agent }) => {
    const work = join(temporaryDirectory("demo", inMemory), "flow");
    // The whole log with the broker's own protocol; 2,000 lines are enough to see that another goes too.
    const input = join(directory, "input");
    writeFileSync(input, Buffer.from(realLines(2000).join("\n")));
    const file = protocol === "stomp" ? [] : ["--input", input];
    const how = ["--broker", broker, "--protocol", protocol, "--directory", work, ...file];
    const { status, stdout, stderr } = await demo(how);
    removeDirectory(dirname(work));
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain("The output is identical to the input");
    expect(stdout).toContain(`\n  bin/${agent} --incoming-queue`);
  });

  test("--supervised: gives back the input, whoever is killed", { timeout: 400_000 }, async () => {
    const file = join(directory, "lines");
    writeFileSync(file, Buffer.concat([lines(999, (index) => `line ${index}\n`), Buffer.from([0xff, 0])]));
    const work = join(temporaryDirectory("demo", inMemory), "flow");
    try {
      const args = ["--supervised", "--seconds", "3", "--input", file, "--directory", work];
      const { status, stdout, stderr } = await demo(args);
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
      expect(stdout).toMatch(/\n +[\d.]+ s {2}kill -9 broker \(pid \d+\)\n/);
      expect(stdout).toMatch(/\n├─ broker {2}starting .*\n(.*\n)+.* broker is running again \(pid \d+\)/);
      expect(stdout).toMatch(/\n├─ broker {2}running .*, \d+ restarts?\n/);
      expect(stdout).toMatch(/\nThe output then equals the input, byte for byte: 1,000 lines, sha256 \w+\n$/);
    } finally {
      removeDirectory(dirname(work));
    }
  });

  test("says what is wrong with its options", async () => {
    expect(await demo(["--broker", "kafka"])).toMatchObject({
      status: 64,
      stderr: 'demo: Expected --broker to be embedded, rabbitmq or activemq, got "kafka" (see demo --help)\n',
    });
    expect(await demo(["--protocol", "amqp10"])).toMatchObject({
      status: 64,
      stderr: 'demo: --protocol amqp10 needs --broker rabbitmq, got "embedded" (see demo --help)\n',
    });
    expect(await demo(["--input", "/no/such/file"])).toMatchObject({ status: 66 });
  });
});
