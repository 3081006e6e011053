/** The longest that a timer waits, milliseconds (24 days): told more, it would fire at once. */
export const LONGEST_MS = 2 ** 31 - 1;

/** Seconds as what a timer takes. */
export const timerMs = (seconds: number): number => Math.min(seconds * 1000, LONGEST_MS);
