// What a fuzz is: input that chance has damaged, given to us again and again, and never an answer but those
// that are promised.
import { seeded, type Random } from "../helpers/bytes.js";

export interface Fuzz {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /**
   * Make an input by chance and try it.
   * @returns what came of it, for the counts
   * @throws anything, if it is not what must come of it
   */
  attempt(random: Random): string | Promise<string>;
}

/** What came of a run. */
export interface Report {
  readonly fuzz: string;
  readonly seed: number;
  readonly rounds: number;
  /** How often each thing came of a round. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** The longest round, milliseconds. */
  readonly slowestMs: number;
  readonly seconds: number;
}

export interface RunOptions {
  readonly seed: number;
  readonly rounds: number;
  /** Told the number of each round before it begins. */
  readonly begin?: (round: number) => void;
}

/** After so many rounds the event loop turns. */
const TURN = 256;

/**
 * Run a fuzz. A round depends on the sum of the seed and its number alone, so that one can be run by itself.
 * @throws Error that says how to run the round that failed; its cause is what was thrown there
 */
export async function runFuzz(fuzz: Fuzz, { seed, rounds, begin }: RunOptions): Promise<Report> {
  const outcomes: Record<string, number> = {};
  const started = performance.now();
  let [slowest, last] = [0, started];
  for (let round = 0; round < rounds; round++) {
    // Node's zlib gives back the memory of a failed call only then.
    if (round % TURN === 0) await new Promise(setImmediate);
    begin?.(round);
    try {
      const outcome = await fuzz.attempt(seeded(seed + round));
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    } catch (error) {
      throw new Error(`${again(fuzz, seed + round)}: ${String(error)}`, { cause: error });
    }
    const now = performance.now();
    slowest = Math.max(slowest, now - last);
    last = now;
  }
  return {
    fuzz: fuzz.name,
    seed,
    rounds,
    outcomes: Object.fromEntries(Object.entries(outcomes).sort()),
    slowestMs: Math.round(slowest),
    seconds: Math.round(last - started) / 1000,
  };
}

/** The command that runs one round again. */
export const again = (fuzz: Fuzz, seed: number) => `npm run fuzz -- ${fuzz.name} --seed ${seed} --rounds 1`;
