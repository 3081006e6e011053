// A fault campaign: rounds of something going wrong, and a count of what it did to what was acknowledged.
import type { TestBroker } from "../helpers/broker.js";

/** What a campaign found. Only `accepted`, and where processes are killed `duplicates`, may be anything but 0. */
export interface Counts {
  /** Elements or messages that were acknowledged. */
  accepted: number;
  /** Acknowledged and not there. */
  lost: number;
  /** There and without content. */
  empty: number;
  /** There and not whole. */
  truncated: number;
  /** There more often than once: after a kill as many as its victim had in hand, which the campaign checks. */
  duplicates: number;
}

export const noCounts = (): Counts => ({ accepted: 0, lost: 0, empty: 0, truncated: 0, duplicates: 0 });

export interface CampaignOptions {
  /** The same seed makes the same choices; what the machine does between them is its own. */
  readonly seed: number;
  readonly rounds: number;
  /** How durable the queue is (default full); `none` shows what the campaign can find. */
  readonly durability: string;
  /** Let the subject acknowledge what it has not done yet, which shows what the campaign can find. */
  readonly careless?: boolean;
  /** Told before each round. */
  readonly progress: (round: number) => void;
}

export interface BrokerCampaignOptions extends CampaignOptions {
  /** The campaign may kill it and start it again, and leaves it running. */
  readonly broker: TestBroker;
}

export interface Campaign<Options = CampaignOptions> {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** The rounds of a run that does not say. */
  readonly rounds: number;
  run(options: Options): Promise<Counts>;
}

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The same in another order. */
export function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  return items
    .map((item) => ({ item, place: random() }))
    .sort((one, other) => one.place - other.place)
    .map(({ item }) => item);
}
