import { Worker } from "node:worker_threads";

/** Runs in a thread of its own, as the one that is watched may never come to an end of what it does. */
const WATCH = `
const { workerData: { shared, seconds, text } } = require("node:worker_threads");
let [last, since] = [-1, Date.now()];
setInterval(() => {
  const round = Atomics.load(shared, 0);
  if (round !== last) [last, since] = [round, Date.now()];
  else if (Date.now() - since > seconds * 1000) {
    require("node:fs").writeSync(2, text.replace("ROUND", round) + "\\n");
    process.kill(process.pid, "SIGKILL");
  }
}, 1000);
`;

/**
 * End the process if a round takes longer than that.
 * @param text is what it says then, ROUND being the number of the round
 * @returns to be told each round
 */
export function watch(seconds: number, text: string): { begin(round: number): void; end(): void } {
  const shared = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(WATCH, { eval: true, workerData: { shared, seconds, text } });
  worker.unref();
  return {
    begin: (round) => void Atomics.store(shared, 0, round),
    end: () => void worker.terminate(),
  };
}
