import { PassThrough } from "node:stream";
import { ProgramLog } from "@spoolwire/program";
import { showLive } from "@spoolwire/transfer";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

beforeEach(() => vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] }));
afterEach(() => vi.useRealTimers());

const report = () => ({ received: 0, confirmed: 0, rejected: 0, dropped: 0, bytes: 0, seconds: 0 });

/** A stream that may be a terminal, a log on it, and all that was written. */
function terminal(isTTY: boolean) {
  const stream = Object.assign(new PassThrough({ encoding: "utf8" }), { isTTY, columns: 80 });
  const log = new ProgramLog({ isStderr: true, write: (_, line) => void stream.write(`${line}\n`) });
  return { stream, log, written: () => (stream.read() as string | null) ?? "" };
}

test("a terminal sees how many messages there are, how fast they come, and what is not confirmed", () => {
  const { stream, log, written } = terminal(true);
  const transfer = { report: report(), pending: 0 };
  const hide = showLive(transfer, log, stream);
  for (let tick = 0; tick < 20; tick++) {
    transfer.report.received += 250;
    transfer.pending = tick;
    vi.advanceTimersByTime(250);
  }
  const lines = written().split("\r\x1b[K").slice(1);
  // Nothing at first, as short work needs none; then at most five a second.
  expect(lines.length).toBeGreaterThan(10);
  expect(lines.length).toBeLessThanOrEqual(20);
  expect(lines.at(-1)).toBe("5000 messages, 1000 a second, 19 not confirmed");

  log.error("a line of its own");
  expect(written()).toBe("\r\x1b[Ka line of its own\n");
  vi.advanceTimersByTime(250);
  expect(written()).toContain("5000 messages, 750 a second");
  hide();
  expect(written()).toBe("\r\x1b[K");
  vi.advanceTimersByTime(1000);
  log.error("later");
  expect(written()).toBe("later\n");
});

test("nothing else sees anything of it", () => {
  const { stream, log, written } = terminal(false);
  const { target } = log;
  const hide = showLive({ report: report(), pending: 0 }, log, stream);
  vi.advanceTimersByTime(5000);
  expect(log.target).toBe(target);
  hide();
  expect(written()).toBe("");
});
