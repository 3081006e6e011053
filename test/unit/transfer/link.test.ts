import { BrokerError } from "@spoolwire/message";
import { ConfigError, createLogger } from "@spoolwire/program";
import { Link, type BackOff } from "@spoolwire/transfer";
import { beforeEach, describe, expect, test } from "vitest";

const never = new AbortController().signal;
const away = () => new BrokerError("BROKER_CONNECT", "Cannot connect to b");
const quick: BackOff = { initialMs: 1, maxMs: 8, multiplier: 2, attempts: Infinity };

let logged: string[];
let events: string[];
beforeEach(() => {
  logged = [];
  events = [];
});

/** A link to a far end that does what the attempts say: a connection by its name, or an error. */
function linkTo(attempts: (string | Error)[], backOff?: BackOff) {
  let lose: (error: Error) => void = () => undefined;
  let count = 0;
  const link = new Link<string>({
    name: "broker b",
    connect: async (lost) => {
      count++;
      const attempt = attempts.shift();
      lose = lost;
      if (typeof attempt === "string") return await Promise.resolve(attempt);
      throw attempt ?? away();
    },
    backOff,
    log: createLogger("test", 0, (line) => logged.push(line)),
    onUp: (connection) => events.push(`up ${connection}`),
    onDown: (error, isOver) => events.push(`${isOver ? "over" : "down"} ${error.message}`),
  });
  return { link, lose: (error: Error) => lose(error), count: () => count };
}

describe("without a back-off", () => {
  test("the first failure is the last", async () => {
    const { link, count } = linkTo([away(), "1"]);
    await expect(link.start(never)).rejects.toThrow("Cannot connect to b");
    expect(count()).toBe(1);
    expect(logged).toEqual([]);
  });

  test("what is lost is over, and says why", async () => {
    const { link, lose } = linkTo(["1", "2"]);
    await link.start(never);
    expect(link.connection).toBe("1");
    lose(away());
    expect(events).toEqual(["up 1", "over Cannot connect to b"]);
    expect(link.connection).toBeUndefined();
    expect(link.failure).toMatchObject({ code: "BROKER_CONNECT" });
  });
});

describe("with a back-off", () => {
  test("a broker that is away is tried until it is there, and spoken of twice", async () => {
    const { link, count } = linkTo([...Array.from({ length: 9 }, away), "1"], quick);
    await link.start(never);
    expect(count()).toBe(10);
    expect(events).toEqual(["up 1"]);
    expect(logged).toEqual([
      "test: warning: Cannot connect to b; trying again until it is there\n",
      expect.stringMatching(/^test: broker b is back after \d+\.\d s\n$/),
    ]);
  });

  test("each new reason why a broker is away is told, and only a few of many", async () => {
    const refused = new BrokerError("BROKER_AUTH", "It refuses the password");
    const many = Array.from(
      { length: 9 },
      (_, index) => new BrokerError("BROKER_CONNECT", `reason ${index}`),
    );
    const { link } = linkTo([away(), away(), refused, away(), refused, ...many, "1"], quick);
    await link.start(never);
    expect(logged.map((line) => line.slice("test: warning: ".length)).slice(0, -1)).toEqual([
      "Cannot connect to b; trying again until it is there\n",
      "It refuses the password; still trying\n",
      "reason 0; still trying\n",
      "reason 1; still trying\n",
      "reason 2; still trying\n",
    ]);
  });

  test("a connection that ends is made again, as often as it ends", async () => {
    const { link, lose } = linkTo(["1", "2", away(), "3"], quick);
    await link.start(never);
    for (const next of ["2", "3"]) {
      lose(new BrokerError("BROKER_CLOSED", `before ${next}`));
      expect(link.connection).toBeUndefined();
      await expect.poll(() => link.connection).toBe(next);
    }
    expect(events).toEqual(["up 1", "down before 2", "up 2", "down before 3", "up 3"]);
    link.stop();
  });

  test("so many attempts are enough if they are counted", async () => {
    const { link, count } = linkTo([], { ...quick, attempts: 3 });
    await expect(link.start(never)).rejects.toThrow("Cannot connect to b");
    expect(count()).toBe(3);
    const lost = linkTo(["1"], { ...quick, attempts: 3 });
    await lost.link.start(never);
    lost.lose(away());
    await expect.poll(() => lost.link.failure).toMatchObject({ code: "BROKER_CONNECT" });
    expect(lost.count()).toBe(4);
    expect(events).toEqual(["up 1", "down Cannot connect to b", "over Cannot connect to b"]);
  });

  test("what no attempt can cure is told at once", async () => {
    const { link, count } = linkTo([new ConfigError("no such thing")], quick);
    await expect(link.start(never)).rejects.toThrow("no such thing");
    expect(count()).toBe(1);
  });

  test("a file that is missing for a moment is an error at the first attempt, and tried again later", async () => {
    const missing = () =>
      Object.assign(new Error("ENOENT: no such file"), { code: "ENOENT", syscall: "open" });
    const { link, count } = linkTo([missing(), "1"], quick);
    await expect(link.start(never)).rejects.toThrow("ENOENT");
    expect(count()).toBe(1);

    const later = linkTo([away(), missing(), "1", missing(), "2"], quick);
    await later.link.start(never);
    expect(later.link.connection).toBe("1");
    later.lose(away());
    await expect.poll(() => later.link.connection).toBe("2");
    later.link.stop();
  });

  test("no pause is longer than a timer can wait, nor none at all", async () => {
    const { link, count } = linkTo([], { ...quick, initialMs: 2 ** 33, maxMs: 2 ** 33 });
    const started = link.start(never);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(count()).toBe(1);
    link.stop();
    await expect(started).rejects.toThrow("Stopped");

    const hasty = linkTo([...Array.from({ length: 10 }, away), "1"], { ...quick, initialMs: 0, maxMs: 100 });
    const before = performance.now();
    await hasty.link.start(never);
    // 1 + 2 + 4 + … + 64 + 3 x 100, half of it at least.
    expect(performance.now() - before).toBeGreaterThan(427 / 2 - 10);
  });

  test("the signal ends it, and so does stop, in the middle of a pause", async () => {
    const controller = new AbortController();
    const slow = { ...quick, initialMs: 60_000, maxMs: 60_000 };
    const { link } = linkTo([], slow);
    const started = link.start(controller.signal);
    setTimeout(() => controller.abort(new Error("enough")), 20);
    await expect(started).rejects.toThrow("enough");

    const other = linkTo(["1"], slow);
    await other.link.start(never);
    other.lose(away());
    other.link.stop();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(events).toEqual(["up 1", "down Cannot connect to b"]);
    expect(other.link.failure).toBeUndefined();
  });

  test("pauses grow to their limit, each by chance between a half and the whole", async () => {
    const { link } = linkTo([...Array.from({ length: 7 }, away), "1"], {
      ...quick,
      initialMs: 16,
      maxMs: 64,
    });
    const started = performance.now();
    await link.start(never);
    // 16 + 32 + 5 x 64, half of it at least.
    expect(performance.now() - started).toBeGreaterThan(368 / 2 - 10);
  });
});
