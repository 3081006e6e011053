import { Progress, type ProgramLog, type Terminal } from "@spoolwire/program";
import type { Transfer } from "./transfer.js";

/** How often the line is made anew, milliseconds. */
const EVERY_MS = 250;

/** The rate is that of so many of the last lines: a second's worth. */
const SAMPLES = 4;

/**
 * Show on a terminal how a transfer goes: messages, how fast they come, and how many are not confirmed. Lines of
 * the log are kept apart from it. Nothing happens if the stream is no terminal.
 * @returns what ends it
 */
export function showLive(
  transfer: Pick<Transfer, "report" | "pending">,
  log: ProgramLog,
  stream: Terminal,
): () => void {
  if (!stream.isTTY) return () => undefined;
  const bar = new Progress(stream);
  const { target } = log;
  if (target.isStderr) {
    log.target = {
      isStderr: true,
      write: (level, line) => {
        bar.clear();
        target.write(level, line);
      },
      reopen: () => target.reopen?.(),
      close: async () => target.close?.(),
    };
  }
  let samples = [{ at: performance.now(), received: 0 }];
  const timer = setInterval(() => {
    const { received } = transfer.report;
    const now = performance.now();
    const { at, received: before } = samples[0]!;
    const perSecond = ((received - before) / Math.max(now - at, 1)) * 1000;
    samples = [...samples, { at: now, received }].slice(-SAMPLES);
    bar.show(
      () => `${received} messages, ${perSecond.toFixed(0)} a second, ${transfer.pending} not confirmed`,
    );
  }, EVERY_MS).unref();
  return () => {
    clearInterval(timer);
    bar.clear();
    log.target = target;
  };
}
