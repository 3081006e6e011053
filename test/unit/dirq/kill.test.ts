// Writers and readers that are killed in the middle of their work.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { NormalQueue, SimpleQueue, type DirQueue, type Surroundings } from "@spoolwire/dirq";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { endWithUs, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { bodyOf, Ledger, sha1 } from "../../helpers/ledger.js";
import { takeAll } from "../../helpers/queue-contract.js";

const KILLS = 10;

/** A disk that others keep busy makes everything slow. */
const options = { timeout: 60_000 };

let path: string;
beforeEach(() => (path = temporaryDirectory("kill")));
afterEach(() => removeDirectory(path));

const fixture = (name: string) => fileURLToPath(new URL(`../../fixtures/${name}`, import.meta.url));

/** Run a fixture until it has said so many lines, kill it, and return all whole lines that it said. */
async function runAndKill(lines: number, name: string, ...args: string[]): Promise<string[]> {
  const child = spawn(process.execPath, [fixture(name), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  endWithUs(child);
  const closed = once(child, "close");
  let said = "";
  child.stdout.setEncoding("latin1").on("data", (chunk: string) => {
    said += chunk;
    if (said.split("\n").length > lines) child.kill("SIGKILL");
  });
  const [, signal] = (await closed) as [number | null, string | null];
  expect(signal).toBe("SIGKILL");
  return said.split("\n").slice(0, -1);
}

/** The clock of one to whom all locks and temporary files are old. */
const late = () => (Date.now() + 3_600_000) * 1000;

/** The id that a body begins with. */
const idOf = (body: string) => body.split("\n", 1)[0]!;

interface Type {
  open(this: void, surroundings?: Surroundings): DirQueue;
  /** The element with this body, and back. */
  element(this: void, body: string): unknown;
  body(this: void, element: unknown): string;
}

const types: Record<string, Type> = {
  simple: {
    open: (surroundings) => new SimpleQueue({ path }, surroundings),
    element: (body) => body,
    body: String,
  },
  normal: {
    open: (surroundings) =>
      new NormalQueue({ path, schema: { body: "binary", header: "table" } }, surroundings),
    element: (body) => ({ body: Buffer.from(body), header: { size: String(body.length) } }),
    body: (element) => String((element as { body: Buffer }).body),
  },
};

describe.each(Object.entries(types))("on a %s queue", (type, { open, element, body }) => {
  test(
    "what a killed writer has said that it added is there, whole, and nothing else but one element a kill",
    options,
    async () => {
      const ledger = new Ledger();
      for (let kill = 0; kill < KILLS; kill++) {
        const ids = await runAndKill(1 + kill * 5, "dirq-writer.mjs", path, `writer${kill}`, type);
        for (const id of ids) ledger.accept(id, sha1(bodyOf(id)));
      }
      for (const text of (await takeAll(open({ clock: late }))).map(body)) {
        const id = idOf(text);
        expect(text).toBe(bodyOf(id));
        ledger.deliver(id, sha1(text));
      }
      const report = ledger.report();
      expect(report).toMatchObject({ lost: 0, duplicates: 0, damaged: 0 });
      expect(report.unknown).toBeLessThanOrEqual(KILLS);
      expect(report.accepted).toBeGreaterThanOrEqual(KILLS);
    },
  );

  test("what no killed reader has said that it took is still there, whole", options, async () => {
    const ledger = new Ledger();
    const queue = open();
    for (let kill = 0; kill < KILLS; kill++) {
      for (let n = 0; n < 100; n++) {
        const id = `element${kill}-${n}-${1 + n}`;
        queue.add(element(bodyOf(id)));
        ledger.accept(id, sha1(bodyOf(id)));
      }
      for (const line of await runAndKill(1 + kill * 5, "dirq-reader.mjs", path, type)) {
        const [id, digest] = line.split(" ") as [string, string];
        ledger.deliver(id, digest);
      }
    }
    const left = (await takeAll(open({ clock: late }))).map(body);
    expect(left.length).toBeGreaterThan(0);
    for (const text of left) ledger.deliver(idOf(text), sha1(text));
    const report = ledger.report();
    expect(report).toMatchObject({ lost: 0, unknown: 0, damaged: 0 });
    // One that it had taken, but not yet removed.
    expect(report.duplicates).toBeLessThanOrEqual(KILLS);
  });
});
