// A broker that stops reading: what is in the spool stays there, and does not pile up in the agent.
import { setTimeout as sleep } from "node:timers/promises";
import { startFaultProxy } from "../helpers/fault-proxy.js";
import { residentMiB } from "../helpers/processes.js";
import { noCounts, type BrokerCampaignOptions, type Campaign } from "./campaign.js";
import { demandFlat } from "./flat.js";
import { Flow } from "./flow.js";

/** Messages of 100 kB: those that warm the agents up, and those that wait, which is far more than a network takes. */
const WARM = 100;
const WAITING = 600;
const contentOf = (id: string) => `${id} ${"x".repeat(100_000)} end\n`;

/** Until it holds what it may hold, on one connection after the other, seconds. */
const SETTLING = 10;

export const stalled: Campaign<BrokerCampaignOptions> = {
  name: "stalled",
  summary:
    "a broker stops reading for a second a round, the spool is full: the sender's memory stays flat within 20 %",
  rounds: 600,
  run: async ({ rounds, broker, careless = false, progress }) => {
    await using between = await startFaultProxy(broker.port);
    const uri = `failover:(stomp://127.0.0.1:${between.port})?maxReconnectDelay=100`;
    // Nothing but the room in the network holds the sender back, on one connection after the other. What it hands
    // over without being reliable is gone: that must not be all.
    const more = ["--window", "0", "--timeout-broker", careless ? "3600" : "2"];
    await using flow = new Flow({ ...broker, uri }, { careless, contentOf, more });
    const [sender = 0] = flow.pids;
    flow.send(WARM);
    await flow.until(() => {
      flow.take();
      return flow.taken === flow.sent;
    });
    between.strikeEach({ direction: "up", after: 500_000, kind: "stall" });
    between.reset();
    flow.send(WAITING);
    const samples: number[] = [];
    for (let round = 0; round < rounds; round++) {
      progress(round);
      await sleep(1000);
      samples.push(residentMiB(sender));
    }
    const { unlocked } = flow;
    between.strikeEach(undefined);
    between.reset();
    if (careless) {
      await flow.until(() => flow.arrived > 0);
      await sleep(3000);
      flow.take();
    } else await flow.finish();
    if (unlocked < WAITING / 2) {
      throw new Error(`Expected more than half of ${WAITING} messages to be nobody's, got ${unlocked}`);
    }
    if (rounds >= 2 * SETTLING) demandFlat("sender", samples.slice(SETTLING));
    const counts = noCounts();
    // Not bounded: a part of what is not confirmed gets to the broker on each of the connections.
    flow.book.addTo(counts);
    return counts;
  },
};
