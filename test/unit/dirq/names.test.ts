import fs from "node:fs";
import { SimpleQueue, type Clock, type FileCalls } from "@spoolwire/dirq";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

/** 2023-11-14 22:13:20.123456 UTC, in microseconds. */
const NOW = 1_700_000_000_123_456;
/** A full millisecond. */
const NOON = 1_700_000_000_000;
const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;

let path: string;
beforeEach(() => (path = temporaryDirectory("names")));
afterEach(() => {
  vi.restoreAllMocks();
  removeDirectory(path);
});

/** A clock that stands until it is set. */
function handClock(now = NOW): Clock & { now: number } {
  const clock = Object.assign(() => clock.now, { now });
  return clock;
}

/** File calls that all succeed and do nothing, for tests about names only. */
const paperCalls = new Proxy(fs, {
  get: (_, call) => () => (call === "openSync" ? 3 : { isFile: () => true }),
}) as unknown as FileCalls;

/** The microseconds that an element's name tells. */
function timeOf(name: string): number {
  const element = name.split("/")[1]!;
  return parseInt(element.slice(0, 8), 16) * SECOND + parseInt(element.slice(8, 13), 16);
}

const isSorted = (names: string[]) => names.every((name, n) => n === 0 || names[n - 1]! < name);

describe("with a clock of the test's own", () => {
  test.each([
    [NOW, "6553f1001e240"],
    [1_700_000_000_000_000, "6553f10000000"],
    [1_700_000_000_999_999, "6553f100f423f"],
    [1_700_000_001_000_000, "6553f10100000"],
    [0, "0000000000000"],
    [0xffffffff * SECOND + 999_999, "fffffffff423f"],
  ])("%d microseconds are %s and a digit", (now, digits) => {
    const queue = new SimpleQueue({ path, rndhex: 0 }, { clock: () => now, calls: paperCalls });
    // addPath makes one name only, without a temporary file first.
    expect(queue.addPath("/a/file").split("/")[1]).toBe(`${digits}0`);
  });

  test("10,000 elements keep their order though the clock stands", () => {
    const queue = new SimpleQueue({ path }, { clock: handClock(), calls: paperCalls });
    const names = Array.from({ length: 10_000 }, () => queue.add(""));
    expect(isSorted(names)).toBe(true);
    expect(timeOf(names.at(-1)!)).toBeLessThan(NOW + SECOND);
  });

  test("elements keep their order though the clock is set back by a second, even into another minute", () => {
    for (const start of [NOW, Math.ceil(NOW / (60 * SECOND)) * 60 * SECOND]) {
      const clock = handClock(start);
      const queue = new SimpleQueue({ path }, { clock, calls: paperCalls });
      const before = queue.add("");
      clock.now -= SECOND;
      const after = [queue.add(""), queue.add("")];
      clock.now += 2 * SECOND;
      expect(isSorted([before, ...after, queue.add("")])).toBe(true);
    }
  });

  test("a clock set back by an hour is followed, at the price of the order", () => {
    const clock = handClock();
    const queue = new SimpleQueue({ path }, { clock });
    const before = queue.add("before");
    clock.now -= HOUR;
    const after = [queue.add("1"), queue.add("2")];
    expect(isSorted(after)).toBe(true);
    expect(timeOf(after[0]!)).toBeCloseTo(NOW - HOUR, -2);
    expect([...queue]).toEqual([...after, before]);
  });

  test("a clock set forward by an hour is followed, and so is its correction", () => {
    const clock = handClock();
    const queue = new SimpleQueue({ path }, { clock });
    clock.now += HOUR;
    expect(timeOf(queue.add(""))).toBeCloseTo(NOW + HOUR, -2);
    clock.now -= HOUR;
    expect(timeOf(queue.add(""))).toBeCloseTo(NOW, -2);
    expect(queue.count()).toBe(2);
  });

  test("a time that was lived through before does not replace what was added then", () => {
    const clock = handClock();
    const add = () => new SimpleQueue({ path, rndhex: 3 }, { clock }).add("x");
    const names = Array.from({ length: 20 }, add);
    expect(new Set(names).size).toBe(20);
    expect(new SimpleQueue({ path }).count()).toBe(20);
  });

  test("two queues with the same digit and the same clock never make one element of two", () => {
    const clock = handClock();
    const queues = [0, 1].map(() => new SimpleQueue({ path, rndhex: 3 }, { clock }));
    const bodies = new Map<string, string>();
    for (let n = 0; n < 200; n++) bodies.set(queues[n % 2]!.add(`body ${n}`), `body ${n}`);
    for (let n = 0; n < 100; n++) bodies.set(queues[0]!.add(`more ${n}`), `more ${n}`);
    expect(bodies.size).toBe(300);
    const reader = queues[1]!;
    expect([...reader]).toEqual([...bodies.keys()].sort());
    for (const [name, body] of bodies) {
      reader.lock(name);
      expect(reader.get(name).toString()).toBe(body);
    }
  });

  test("a temporary name that is taken is left alone", () => {
    const clock = handClock();
    const taken = `${path}/6553f0ec/6553f1001e2403.tmp`;
    fs.mkdirSync(`${path}/6553f0ec`);
    fs.writeFileSync(taken, "theirs");
    const name = new SimpleQueue({ path, rndhex: 3 }, { clock }).add("ours");
    expect(fs.readFileSync(taken, "utf8")).toBe("theirs");
    expect(fs.readFileSync(`${path}/${name}`, "utf8")).toBe("ours");
  });

  test("names rise however the clock jumps, as long as it is never set back by a minute", () => {
    const step = fc.oneof(
      fc.integer({ min: -3, max: 3 }),
      fc.integer({ min: -59 * SECOND, max: 59 * SECOND }),
      fc.integer({ min: 0, max: HOUR }),
    );
    fc.assert(
      fc.property(fc.array(step), fc.nat({ max: 120 }), (steps, granularity) => {
        const clock = handClock();
        let latest = clock.now;
        const queue = new SimpleQueue({ path, granularity }, { clock, calls: paperCalls });
        const names = steps.map((step) => {
          // Steps back add up: none may lead a minute or more behind the latest time.
          clock.now = Math.max(clock.now + step, latest - 59 * SECOND);
          latest = Math.max(latest, clock.now);
          return queue.add("");
        });
        for (const name of names) expect(name).toMatch(/^[0-9a-f]{8}\/[0-9a-f]{14}$/);
        expect(isSorted(names)).toBe(true);
      }),
    );
  });
});

describe("with the system's clock", () => {
  test("names tell the time of day", () => {
    const queue = new SimpleQueue({ path }, { calls: paperCalls });
    const start = Date.now() * 1000;
    const times = Array.from({ length: 100 }, () => timeOf(queue.add("")));
    const end = (Date.now() + 3) * 1000;
    expect(times.filter((time) => time < start || time > end)).toEqual([]);
  });

  test.each([
    ["microseconds come from the monotonic clock between two ticks of the other", [0, 5], [0, 5.3], 300],
    ["the time of day is followed from tick to tick", [0, 5], [7, 12.4], 7400],
    ["a tick that the monotonic clock has not seen yet is followed", [0, 5], [1, 5.9], 1000],
    ["a clock that somebody sets forward is followed", [0, 5], [100_000, 6], 100_000_000],
    ["a clock that somebody sets back is followed", [0, 5], [-100_000, 6], -100_000_000],
    ["a clock that stands is followed", [0, 5], [0, 9], 1],
  ])("%s", (_, first, second, microseconds) => {
    let [wall, ticks] = first as [number, number];
    vi.spyOn(Date, "now").mockImplementation(() => NOON + wall);
    vi.spyOn(performance, "now").mockImplementation(() => ticks);
    const queue = new SimpleQueue({ path }, { calls: paperCalls });
    expect(timeOf(queue.addPath("/a/file"))).toBe(NOON * 1000);
    [wall, ticks] = second as [number, number];
    expect(timeOf(queue.addPath("/a/file"))).toBe(NOON * 1000 + microseconds);
  });
});
