// Agents that run for ever while their broker is killed and restarted: they come back by themselves, with everything.
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DqsQueue, Message } from "@spoolwire/message";
import { expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { onEachBroker } from "../helpers/each-broker.js";
import { Ledger } from "../helpers/ledger.js";
import { start } from "../helpers/programs.js";

const MESSAGES = 3000;
const RESTARTS = 2;
const WINDOW = 50;

onEachBroker((broker) => {
  test(
    "loses nothing while the broker is killed twice, and goes on by itself",
    { timeout: 240_000 },
    async () => {
      const { uri, auth } = broker();
      const directory = temporaryDirectory("reconnect", inMemory);
      const incoming = new DqsQueue({ path: join(directory, "a") });
      const outgoing = new DqsQueue({ path: join(directory, "b") });
      const ledger = new Ledger();
      const header = { destination: "/queue/reconnect", persistent: "true" };
      const send = (index: number) => {
        const body = `message ${index}`;
        ledger.accept(body, body);
        incoming.addMessage(new Message({ header, body }));
      };
      const window = ["--reliable", "--window", `${WINDOW}`];
      const sender = start("stompclt", [
        ...["--incoming-queue", `path=${incoming.path}`, "--remove", "--loop", ...window],
        ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth],
      ]);
      const receiver = start("stompclt", [
        ...["--incoming-broker-uri", uri, "--incoming-broker-auth", auth],
        ...["--subscribe", "destination=/queue/reconnect", "--prefetch", `${WINDOW}`, ...window],
        ...["--outgoing-queue", `path=${outgoing.path}`],
      ]);
      const ends = [sender, receiver].map(async ({ done }) => {
        const { status, stderr } = await done;
        return `status ${status}: ${stderr}`;
      });
      /** Fails at once if an agent has ended. */
      const until = async (condition: () => boolean) => {
        while (!condition()) {
          const early = await Promise.race([...ends, sleep(20)]);
          if (early !== undefined) throw new Error(`An agent ended: ${early}`);
        }
      };

      for (let round = 0; round <= RESTARTS; round++) {
        const from = (round * MESSAGES) / (RESTARTS + 1);
        for (let index = from; index < from + MESSAGES / (RESTARTS + 1); index++) send(index);
        if (round === RESTARTS) break;
        // In the middle of both ways.
        const before = outgoing.count();
        await until(() => outgoing.count() > before + 100);
        await broker().kill();
        await broker().restart();
      }
      const seen = new Set<string>();
      await until(() => {
        for (const name of outgoing) {
          if (!outgoing.lock(name)) continue;
          const body = String(outgoing.getMessage(name).body);
          outgoing.remove(name);
          ledger.deliver(body, body);
          seen.add(body);
        }
        return seen.size === MESSAGES && incoming.count() === 0;
      });
      for (const { child } of [sender, receiver]) child.kill("SIGTERM");
      for (const { done } of [sender, receiver]) {
        const { status, stderr } = await done;
        expect(status, stderr).toBe(0);
        expect(stderr.match(/is back after/g)).toHaveLength(RESTARTS);
      }
      // What is repeated is not ours to bound: a broker that is killed may have forgotten acknowledgements that it
      // had taken (RabbitMQ has, 230 of 3000).
      expect(ledger.report()).toMatchObject({ accepted: MESSAGES, lost: 0, unknown: 0, damaged: 0 });
      removeDirectory(directory);
    },
  );
});
