// What the options of moving do to the messages, with queues, and a broker as a process of its own.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runAgent } from "../../helpers/agents.js";
import { inMemory, removeDirectory, temporaryDirectory, type TestBroker } from "../../helpers/broker.js";
import { startEmbedded } from "../../helpers/embedded.js";

let broker: TestBroker;
let directory: string;
let a: DqsQueue;
let b: DqsQueue;
let number = 0;
let destination: string;

beforeAll(async () => void (broker = await startEmbedded()), 60_000);
afterAll(() => broker.stop());
beforeEach(() => {
  directory = temporaryDirectory("moving", inMemory);
  a = new DqsQueue({ path: join(directory, "a") });
  b = new DqsQueue({ path: join(directory, "b") });
  destination = `/queue/moving-${++number}`;
});
afterEach(() => removeDirectory(directory));

function fill(...bodies: string[]): string[] {
  return bodies.map((body) => a.addMessage(new Message({ header: { destination }, body })));
}
const bodies = (queue: DqsQueue) =>
  [...queue].map((name) => {
    expect(queue.lock(name)).toBe(true);
    const { body } = queue.getMessage(name);
    queue.unlock(name);
    return String(body);
  });

const fromQueue = () => ["--incoming-queue", `path=${a.path}`, "--remove"];
const toQueue = () => ["--outgoing-queue", `path=${b.path}`];
const toBroker = () => ["--outgoing-broker-uri", broker.uri, "--outgoing-broker-auth", broker.auth];
const fromBroker = () => [
  ...["--incoming-broker-uri", broker.uri, "--incoming-broker-auth", broker.auth],
  ...["--subscribe", `destination=${destination}`],
];
const ok = { status: 0, stdout: "", stderr: "" };
const timeout = 60_000;

describe("a dry run", () => {
  test("shows what would be sent, connects to nobody, and changes nothing", { timeout }, async () => {
    const names = fill("1", "caf\u00e9");
    const bad = a.add("{");
    const lost = a.addMessage(new Message({ header: { to: "\u009bnobody" }, body: Buffer.of(0, 255) }));
    const { status, stdout, stderr } = await runAgent("stompclt", [
      ...[...fromQueue(), "--outgoing-broker-uri", "stomp://127.0.0.1:1"],
      ...["--loop", "--reliable", "--dry-run"],
    ]);
    expect(stdout).toBe(
      `{"destination":"${destination}"} 1 bytes of text\n{"destination":"${destination}"} 5 bytes of text\n`,
    );
    const [first, second] = stderr.split("\n");
    expect(first).toMatch(new RegExp(`^stompclt: .*/${bad} is no message: .*; it stays where it is$`));
    expect(second).toMatch(
      new RegExp(`^stompclt: .*/${lost}: .* needs a destination .*; it stays where it is$`),
    );
    expect(status).toBe(65);
    expect([...a]).toEqual([...names, bad, lost].sort());
    expect([...a].every((name) => a.lock(name))).toBe(true);
    expect([...a.quarantined()]).toEqual([]);
  });

  test("makes no queue, and takes nothing that a callback drops", { timeout }, async () => {
    fill("1", "2");
    const code = 'if (bdy === "1") return "dropped"; hdr.new = "\u009b";';
    const where = ["--outgoing-queue", `path=${directory}/c`];
    expect(
      await runAgent("stompclt", [...fromQueue(), ...where, "--dry-run", "--callback-code", code]),
    ).toEqual({
      ...{ status: 0, stderr: "" },
      stdout: `{"destination":"${destination}","new":"\\u009b"} 1 bytes of text\n`,
    });
    expect(bodies(a)).toEqual(["1", "2"]);
    expect(existsSync(join(directory, "c"))).toBe(false);
  });

  test("leaves with the broker what it has shown", { timeout }, async () => {
    fill("1", "2");
    expect(await runAgent("stompclt", [...fromQueue(), ...toBroker()])).toMatchObject(ok);
    const shown = await runAgent("stompclt", [...fromBroker(), ...toQueue(), "--dry-run", "--count", "2"]);
    expect(shown.stdout.split("\n")).toHaveLength(3);
    expect(b.count()).toBe(0);
    expect(await runAgent("stompclt", [...fromBroker(), ...toQueue(), "--count", "2"])).toMatchObject(ok);
    expect(bodies(b)).toEqual(["1", "2"]);
  });
});

describe("a callback", () => {
  test(
    "that fails puts a received message, as it was, into the quarantine of the queue",
    { timeout },
    async () => {
      fill("1", "2", "3");
      expect(await runAgent("stompclt", [...fromQueue(), ...toBroker(), "--reliable"])).toMatchObject(ok);
      const code = 'hdr.changed = "yes"; if (bdy === "2") throw new Error("no good")';
      const receiver = [...fromBroker(), ...toQueue(), "--reliable", "--callback-code", code, "--count", "3"];
      const { status, stderr } = await runAgent("stompclt", receiver);
      expect(status).toBe(65);
      const [kept, ...others] = [...b.quarantined()];
      expect(others).toEqual([]);
      expect(stderr).toMatch(
        new RegExp(
          `message-id \\S+: The callback's check failed: no good; it is in the quarantine of ${b.path} as ${kept!.name}\n$`,
        ),
      );
      expect(bodies(b)).toEqual(["1", "3"]);
      const again = b.requeue(kept!.name)!;
      b.lock(again);
      expect(b.getMessage(again).header).not.toHaveProperty("changed");
      b.unlock(again);
      // It is acknowledged too.
      const rest = [...fromBroker(), ...toQueue(), "--reliable", "--timeout-inactivity", "1"];
      expect(await runAgent("stompclt", rest)).toMatchObject(ok);
      expect(b.count()).toBe(3);
    },
  );

  test("stands between broker and queue, in a module with state", { timeout }, async () => {
    fill("1", "2", "3");
    expect(await runAgent("stompclt", [...fromQueue(), ...toBroker(), "--reliable"])).toMatchObject(ok);
    const path = join(directory, "tap.mjs");
    writeFileSync(
      path,
      `import { writeFileSync } from "node:fs";
       let count = 0;
       let file;
       export async function start(data) { file = data.file; }
       export async function check(message) { if (++count === 2) return "the second"; message.header.count = count; }
       export function stop() { writeFileSync(file, String(count)); }`,
    );
    const callback = ["--callback-path", path, "--callback-data", `file=${directory}/count`];
    const receiver = [...fromBroker(), ...toQueue(), "--reliable", ...callback, "--count", "3"];
    expect(await runAgent("stompclt", receiver)).toMatchObject(ok);
    expect(bodies(b)).toEqual(["1", "3"]);
    expect(existsSync(join(directory, "count"))).toBe(true);
    // What was dropped is acknowledged too.
    const rest = [...fromBroker(), ...toQueue(), "--reliable", "--timeout-inactivity", "1"];
    expect(await runAgent("stompclt", rest)).toMatchObject(ok);
    expect(b.count()).toBe(2);
  });
});
