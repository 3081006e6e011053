// What a bench is, and how our rounds are held against those of a baseline.

/** What a round achieved, by kind of work: so many units a second, more is better. */
export type Rates = Readonly<Record<string, number>>;

/** Do the work once and measure it. What is needed around it is not part of the time. */
export type Round = () => Rates | Promise<Rates>;

/** The same work, done by us and by others. */
export interface Contest {
  /** With the kind of work behind it, the name of a case. */
  readonly name: string;
  /** Of all rates, or of each kind of them. */
  readonly unit: string | Readonly<Record<string, string>>;
  readonly ours: Round;
  /** By what each of them is; they know the same kinds of work. */
  readonly baselines: Readonly<Record<string, Round>>;
}

/** A directory to work in. */
export interface Place {
  /** The kind of its file system, as the system calls it. */
  readonly fileSystem: string;
  readonly path: string;
}

export interface Bench {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  /** Elements, messages or frames a round, unless the user wants another number. */
  readonly size: number;
  /** Rounds that are measured, unless the user wants another number. */
  readonly rounds: number;
  /** Where it works. */
  readonly places: readonly Place[];
  /** What the contests share is there between the first and the last of them. */
  contests(size: number): Iterable<Contest> | AsyncIterable<Contest>;
}

/** The result of one case against one baseline; medians over the rounds. */
export interface Row {
  readonly bench: string;
  readonly case: string;
  readonly ours: number;
  readonly baseline: number;
  /** What the baseline is. */
  readonly against: string;
  /** Ours divided by the baseline's, each round for itself: higher is better for us. */
  readonly ratio: number;
  readonly unit: string;
}

export interface RunOptions {
  readonly size: number;
  readonly rounds: number;
  /** Leave out the contests without this in their names. */
  readonly only: string;
  /** Told what is done now. */
  readonly progress: (text: string) => void;
}

/**
 * Run a bench: in every contest one round of each to warm up, then `rounds` rounds by turns, so that a
 * machine that is busy for a while slows all of them.
 */
export async function* runBench(
  bench: Bench,
  { size, rounds, only, progress }: RunOptions,
): AsyncGenerator<Row> {
  for await (const contest of bench.contests(size)) {
    if (!contest.name.includes(only)) continue;
    const contenders = [contest.ours, ...Object.values(contest.baselines)];
    const results: Rates[][] = contenders.map(() => []);
    for (let round = 0; round <= rounds; round++) {
      const what = round === 0 ? "warming up" : `round ${round} of ${rounds}`;
      for (const [index, contender] of contenders.entries()) {
        progress(`${bench.name} ${contest.name}: ${what}`);
        // Signals have their turn here: some rounds work without a pause.
        await new Promise(setImmediate);
        const rates = await contender();
        if (round > 0) results[index]?.push(rates);
      }
    }
    yield* compare(bench.name, contest, results);
  }
}

function* compare(bench: string, contest: Contest, [ours = [], ...others]: Rates[][]): Generator<Row> {
  for (const kind of Object.keys(ours[0] ?? {})) {
    for (const [index, against] of Object.keys(contest.baselines).entries()) {
      const mine = ours.map((rates) => rates[kind] ?? NaN);
      const theirs = (others[index] ?? []).map((rates) => rates[kind] ?? NaN);
      yield {
        bench,
        case: `${contest.name} ${kind}`,
        ours: median(mine),
        baseline: median(theirs),
        against,
        ratio: median(mine.map((rate, round) => rate / (theirs[round] ?? NaN))),
        unit: typeof contest.unit === "string" ? contest.unit : (contest.unit[kind] ?? ""),
      };
    }
  }
}

/** To four digits: more of them say nothing. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? NaN;
  const middle = sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? NaN) + upper) / 2;
  return Number(middle.toPrecision(4));
}

/** How often a second `work`, which does something `count` times, did it. */
export async function rate(count: number, work: () => unknown): Promise<number> {
  const started = performance.now();
  await work();
  return (count * 1000) / (performance.now() - started);
}
