// 20,000 real lines, queue -> broker -> queue, reliably, while both agents are killed again and again. The embedded
// broker has 2,000.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DqsQueue } from "@spoolwire/message";
import { expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { onEachBroker } from "../helpers/each-broker.js";
import { Ledger } from "../helpers/ledger.js";
import { run, start } from "../helpers/programs.js";
import { realLines } from "../helpers/real-lines.js";

const KILLS = 5;
const WINDOW = 100;
/** Seconds after which the locks of a killed sender are taken up by the next. */
const MAXLOCK = 1;

/** Run an agent; kill and start it again each time `progress` (0 to 1) has passed another sixth. */
async function runUnderKills(args: readonly string[], progress: () => number): Promise<number> {
  let kills = 0;
  for (;;) {
    const agent = start("stompclt", args);
    let over = false;
    void agent.done.then(() => (over = true));
    while (!over && (kills === KILLS || progress() < (kills + 1) / (KILLS + 1))) await sleep(50);
    if (!over) {
      kills++;
      agent.child.kill("SIGKILL");
    }
    const { signal, status, stderr } = await agent.done;
    if (signal === "SIGKILL") continue;
    expect(status, stderr).toBe(0);
    return kills;
  }
}

onEachBroker((broker) => {
  test(
    "loses and damages nothing while each agent is killed five times, and repeats at most the window each time",
    { timeout: 480_000 },
    async () => {
      const { name, uri, auth } = broker();
      const messages = name === "embedded" ? 2000 : 20_000;
      const directory = temporaryDirectory("ledger", inMemory);
      const [a, b] = [join(directory, "a"), join(directory, "b")];
      const ledger = new Ledger();
      const lines = realLines(messages);
      for (const line of lines) ledger.accept(line.split(" ", 1)[0] ?? "", line);
      const header = ["--header", "destination=/queue/ledger", "persistent=true"];
      const added = await run("dirq", ["add", a, "--lines", ...header], { input: lines.join("\n") });
      expect(added).toMatchObject({ status: 0, stderr: "" });

      const incoming = new DqsQueue({ path: a });
      const outgoing = new DqsQueue({ path: b });
      const sender = [
        ...[
          "--incoming-queue",
          `path=${a} maxlock=${MAXLOCK}`,
          "--remove",
          "--reliable",
          "--window",
          `${WINDOW}`,
        ],
        ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth],
      ];
      const receiver = [
        ...["--incoming-broker-uri", uri, "--incoming-broker-auth", auth],
        ...["--subscribe", "destination=/queue/ledger", "--reliable", "--prefetch", `${WINDOW}`],
        ...["--window", `${WINDOW}`, "--outgoing-queue", `path=${b}`, "--timeout-inactivity", "5"],
      ];
      const send = async () => {
        const kills = await runUnderKills(sender, () => 1 - incoming.count() / messages);
        // What the killed ones had locked is free once the locks are old.
        while (incoming.count() > 0) {
          await sleep(MAXLOCK * 1000 + 100);
          const { status, stderr } = await run("stompclt", sender);
          expect(status, stderr).toBe(0);
        }
        return kills;
      };
      const kills = await Promise.all([send(), runUnderKills(receiver, () => outgoing.count() / messages)]);
      expect(kills).toEqual([KILLS, KILLS]);

      for (const element of outgoing) {
        expect(outgoing.lock(element)).toBe(true);
        const body = String(outgoing.getMessage(element).body).replace(/\n$/, "");
        ledger.deliver(body.split(" ", 1)[0] ?? "", body);
      }
      const report = ledger.report();
      expect(report).toMatchObject({ accepted: messages, lost: 0, unknown: 0, damaged: 0 });
      expect(report.duplicates).toBeLessThanOrEqual(2 * KILLS * WINDOW);
      removeDirectory(directory);
    },
  );
});
