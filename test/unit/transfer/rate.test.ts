import { NullMessageQueue, ZeroMessageQueue } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import { QueueSink, QueueSource, Rate, Transfer } from "@spoolwire/transfer";
import { expect, test } from "vitest";

/** A rate, and how many messages it lets through in so many milliseconds when all of its waits are kept. */
function taker(perSecond: number) {
  let now = 1e6;
  const rate = new Rate(perSecond, () => now);
  const takeFor = (ms: number) => {
    const end = now + ms;
    for (let count = 0; ; count++) {
      const waitMs = rate.waitMs();
      if (now + waitMs > end) {
        now = end;
        return count;
      }
      now += waitMs;
      rate.take();
    }
  };
  return { rate, takeFor, rest: (ms: number) => void (now += ms) };
}

test.each([0.5, 1, 3, 50, 1000, 25_000])("%d messages a second are what it says", (perSecond) => {
  const { takeFor } = taker(perSecond);
  const burst = Math.max(1, perSecond / 10);
  expect(takeFor(100_000)).toBeGreaterThanOrEqual(perSecond * 100 - 1);
  expect(takeFor(100_000)).toBeLessThanOrEqual(perSecond * 100 + burst);
});

test("a long rest saves up a tenth of a second's worth, and no more", () => {
  const { rate, takeFor, rest } = taker(100);
  takeFor(1000);
  rest(60_000);
  for (let count = 0; count < 10; count++) {
    expect(rate.waitMs()).toBe(0);
    rate.take();
  }
  expect(rate.waitMs()).toBeCloseTo(10);
});

test("a slow rate begins with one message, and then keeps its distance", () => {
  const { rate, rest } = taker(0.5);
  expect(rate.waitMs()).toBe(0);
  rate.take();
  expect(rate.waitMs()).toBe(2000);
  rest(500);
  expect(rate.waitMs()).toBe(1500);
});

test("a transfer takes no more than its rate, and can be stopped while it waits", async () => {
  const log = createLogger("test", 0, () => undefined);
  const run = (perSecond: number, count: number, signal = new AbortController().signal) =>
    new Transfer(
      new QueueSource(new ZeroMessageQueue(), log),
      new QueueSink(new NullMessageQueue(), log),
      log,
      {
        rate: new Rate(perSecond),
        count,
      },
    ).run(signal);
  // Five at once, and five more in a tenth of a second.
  expect((await run(50, 10)).seconds).toBeGreaterThan(0.095);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  expect(await run(0.001, 2, controller.signal)).toMatchObject({ received: 1, confirmed: 1 });
});
