// Agents with heart-beats that have nothing to do for long, or are held up for longer than a broker waits.
import { setTimeout as sleep } from "node:timers/promises";
import { noCounts, type BrokerCampaignOptions, type Campaign, type Counts } from "./campaign.js";
import { Flow } from "./flow.js";

/** Messages before the first round, and after each. */
const MESSAGES = 100;

/** How long a round is, seconds. */
const IDLE = 10;
const BLOCKED = 30;

const more = ["--heart-beat", "--timeout-client", "1", "--timeout-server", "1"];

export const idle: Campaign<BrokerCampaignOptions> = {
  name: "idle",
  summary: `nothing happens for ${IDLE} s a round, but for heart-beats each second: no connection is lost`,
  rounds: 60,
  run: async (options) => {
    const { counts, told } = await inRounds(options, () => sleep(IDLE * 1000));
    if (told !== "") throw new Error(`Expected the agents to have nothing to say, got:\n${told}`);
    return counts;
  },
};

export const blocked: Campaign<BrokerCampaignOptions> = {
  name: "blocked",
  summary: `one agent, then the other, is held up for ${BLOCKED} s, with heart-beats each second: it comes back`,
  rounds: 2,
  run: async (options) => {
    const { counts } = await inRounds(options, async (flow, round) => {
      const pid = flow.pids[round % flow.pids.length]!;
      process.kill(pid, "SIGSTOP");
      // What it is to move when it can again.
      flow.send(MESSAGES);
      await sleep(BLOCKED * 1000);
      process.kill(pid, "SIGCONT");
    });
    return counts;
  },
};

/** Messages go through before and after each round, all of them once, unless a connection had to be made anew. */
async function inRounds(
  { rounds, broker, progress }: BrokerCampaignOptions,
  round: (flow: Flow, number: number) => Promise<void>,
): Promise<{ counts: Counts; told: string }> {
  await using flow = new Flow(broker, { more });
  const through = async () => {
    flow.send(MESSAGES);
    await flow.until(() => {
      flow.take();
      return flow.taken === flow.sent;
    });
  };
  await through();
  for (let number = 0; number < rounds; number++) {
    progress(number);
    await round(flow, number);
    await through();
  }
  const { told } = flow;
  await flow.finish();
  const counts = noCounts();
  flow.book.addTo(counts);
  return { counts, told };
}
