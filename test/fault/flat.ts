// Whether the memory of a process stays what it is.

/** A half of the samples may have so much more than the one before it. */
const MOST_GROWTH = 1.2;

/**
 * Tell what a process had in memory, by samples of it in MiB.
 * @throws if it has grown, but for the first fifth, in which it gets warm
 */
export function demandFlat(who: string, samples: readonly number[]): void {
  const warm = samples.slice(Math.ceil(samples.length / 5));
  const half = Math.ceil(warm.length / 2);
  const [early, late] = [median(warm.slice(0, half)), median(warm.slice(-half))];
  process.stderr.write(`${who}: ${early} MiB, later ${late} MiB, at most ${Math.max(...warm)} MiB\n`);
  if (!(late <= early * MOST_GROWTH)) {
    throw new Error(`Expected the ${who} to stay below ${MOST_GROWTH} times ${early} MiB, got ${late}`);
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
