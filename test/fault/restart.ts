// A broker that is stopped or killed under load, again and again: agents come back by themselves, with everything.
import { setTimeout as sleep } from "node:timers/promises";
import { noCounts, seeded, type BrokerCampaignOptions, type Campaign } from "./campaign.js";
import { Flow } from "./flow.js";

/** Messages a round. */
const MESSAGES = 1000;

export const restart: Campaign<BrokerCampaignOptions> = {
  name: "restart",
  summary: "a broker is killed or stopped under load, and started again",
  rounds: 20,
  run: async ({ seed, rounds, broker, careless = false, progress }) => {
    const random = seeded(seed);
    await using flow = new Flow(broker, { careless });
    for (let round = 0; round < rounds; round++) {
      progress(round);
      flow.send(MESSAGES);
      // In the middle of both ways.
      const before = flow.arrived;
      const some = 100 + Math.floor(random() * 200);
      await flow.until(() => flow.arrived > before + some);
      // Not at first: a RabbitMQ that is killed a moment after a queue was declared has forgotten it now and then, with
      // all that it had confirmed for it. What it was stopped with in good order it remembers.
      if (round % 2 === 1) await broker.kill();
      await sleep(random() * 500);
      await broker.restart();
    }
    if (careless) {
      await sleep(3000);
      flow.take();
    } else await flow.finish();
    const backs = flow.told.match(/is back after/g)?.length ?? 0;
    // Not two each round: an agent may still be in its back-off when the next round begins.
    if (backs < rounds && !careless) throw new Error(`Expected at least ${rounds} returns, got ${backs}`);
    const counts = noCounts();
    // What is repeated is not ours to bound: a broker that is killed may have forgotten acknowledgements that it
    // had taken (RabbitMQ has, 230 of 3000).
    flow.book.addTo(counts);
    return counts;
  },
};
