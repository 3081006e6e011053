// Agents that move very many messages: what they keep in memory does not grow with the number.
import { residentMiB } from "../helpers/processes.js";
import { noCounts, type BrokerCampaignOptions, type Campaign } from "./campaign.js";
import { demandFlat } from "./flat.js";
import { Flow } from "./flow.js";

/** Messages a round. */
const MESSAGES = 1000;

/** Of 10 kB: what is kept of a few thousand shows. */
const contentOf = (id: string) => `${id} ${"x".repeat(10_000)} end\n`;

export const memory: Campaign<BrokerCampaignOptions> = {
  name: "memory",
  summary: `${MESSAGES} messages of 10 kB a round: the agents' memory stays flat within 20 %`,
  rounds: 1000,
  run: async ({ rounds, broker, progress }) => {
    await using flow = new Flow(broker, { contentOf });
    const samples: number[][] = flow.pids.map(() => []);
    for (let round = 0; round < rounds; round++) {
      progress(round);
      flow.send(MESSAGES);
      await flow.until(() => {
        flow.take();
        return flow.taken === flow.sent;
      }, 600);
      for (const [index, pid] of flow.pids.entries()) samples[index]?.push(residentMiB(pid));
    }
    await flow.finish();
    for (const [index, who] of ["sender", "receiver"].entries()) demandFlat(who, samples[index]!);
    const counts = noCounts();
    flow.book.addTo(counts);
    return counts;
  },
};
