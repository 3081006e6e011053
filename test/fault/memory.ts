// Agents that move very many messages: what they keep in memory does not grow with the number.
import { noCounts, type BrokerCampaignOptions, type Campaign } from "./campaign.js";
import { Flow } from "./flow.js";
import { residentMiB } from "../helpers/processes.js";

/** Messages a round. */
const MESSAGES = 1000;

/** Of 10 kB: what is kept of a few thousand shows. */
const contentOf = (id: string) => `${id} ${"x".repeat(10_000)} end\n`;

/** A half of the rounds may have so much more than the one before it. */
const MOST_GROWTH = 1.2;

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
    for (const [index, who] of ["sender", "receiver"].entries()) {
      // Until it is warm an agent grows.
      const warm = samples[index]!.slice(Math.ceil(rounds / 5));
      const half = Math.ceil(warm.length / 2);
      const [early, late] = [median(warm.slice(0, half)), median(warm.slice(-half))];
      process.stderr.write(`${who}: ${early} MiB, later ${late} MiB, at most ${Math.max(...warm)} MiB\n`);
      if (late > early * MOST_GROWTH) {
        throw new Error(`Expected the ${who} to stay below ${MOST_GROWTH} times ${early} MiB, got ${late}`);
      }
    }
    const counts = noCounts();
    flow.book.addTo(counts);
    return counts;
  },
};

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
