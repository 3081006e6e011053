/** A wait is counted in so many parts. */
const PARTS = 8;

/** The longest interval of a timer, milliseconds. */
const LONGEST = 2 ** 31 - 1;

/** Do something when what lies in the sockets by now has been read. */
export function afterReading(work: () => void): void {
  // Timers come before sockets; TLS may take a turn more.
  setImmediate(() => setImmediate(work));
}

/**
 * Wait no longer than `ms` for anything: `late` is called, once, when `awaited` has answered the same for `ms` and
 * at most an eighth more. It answers undefined while nothing is waited for. What is longer than 24 days is for ever.
 *
 * An eighth passes by a turn of the event loop. So to be held up, however long, is one eighth, and what came
 * meanwhile is read before the other side is judged: it is not late because we did not listen.
 * @returns ends the watch
 */
export function watch(ms: number, awaited: () => unknown, late: () => void): () => void {
  if (ms > LONGEST) return () => undefined;
  let last = awaited();
  let passed = 0;
  let isOver = false;
  const end = () => {
    isOver = true;
    clearInterval(timer);
  };
  const judge = () => {
    if (isOver || awaited() !== last) return;
    end();
    late();
  };
  const timer = setInterval(
    () => {
      const now = awaited();
      if (now !== last) {
        last = now;
        passed = 0;
      } else if (now !== undefined && ++passed === PARTS) afterReading(judge);
    },
    Math.max(1, Math.ceil(ms / PARTS)),
  );
  return end;
}

/** As `setTimeout`, with the fairness of `watch`. @returns cancels it */
export const deadline = (ms: number, late: () => void): (() => void) => watch(ms, () => true, late);
