// Agents that are killed under load, and a broker that is stopped and started again: all arrives all the same.
import { realLines } from "../helpers/real-lines.js";
import { noCounts, seeded, shuffled, type BrokerCampaignOptions, type Campaign } from "./campaign.js";
import { Flow, WINDOW } from "./flow.js";

/** Messages a round. */
const MESSAGES = 4000;

/** Agents are killed, and with `andBroker` the broker is stopped and started again too. */
const striking = (name: string, summary: string, andBroker: boolean): Campaign<BrokerCampaignOptions> => ({
  name,
  summary,
  rounds: 5,
  run: async ({ seed, rounds, broker, careless = false, progress }) => {
    const random = seeded(seed);
    const lines = realLines(MESSAGES);
    const contentOf = (id: string) => `${id} ${lines[Number(id.split("-", 1)[0]) % MESSAGES]}`;
    await using flow = new Flow(broker, { careless, contentOf, maxlock: 1 });
    const strikes = [() => flow.kill("sender"), () => flow.kill("receiver")];
    if (andBroker) strikes.push(() => broker.restart());
    for (let round = 0; round < rounds; round++) {
      progress(round);
      flow.send(MESSAGES);
      for (const strike of shuffled(strikes, random)) {
        const enough = flow.taken + MESSAGES * (0.05 + random() / 5);
        await flow.until(() => {
          flow.take();
          return flow.taken >= enough;
        });
        await strike();
      }
    }
    await flow.finish();
    const counts = noCounts();
    flow.book.addTo(counts);
    // What a killed agent had in hand, and for the broker what either had.
    const bound = rounds * (andBroker ? 4 : 2) * WINDOW;
    if (counts.duplicates > bound) {
      throw new Error(`Expected at most ${bound} duplicates, got ${counts.duplicates}`);
    }
    return counts;
  },
});

export const agents = striking("agents", `each agent is killed once in ${MESSAGES} real lines`, false);

export const members = striking(
  "members",
  `each agent is killed, and the broker started again, once in ${MESSAGES} real lines`,
  true,
);
