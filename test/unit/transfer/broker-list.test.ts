// The brokers that a URI stands for, and which of them answers.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BrokerError } from "@spoolwire/message";
import { ConfigError, createLogger } from "@spoolwire/program";
import { connectToAny, parseBrokers } from "@spoolwire/transfer";
import { describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

const parse = (uri: string) =>
  parseBrokers(uri, (each) => {
    if (each === "bad") throw new ConfigError("Bad");
    return each;
  });

describe("a URI for several brokers", () => {
  const [a, b] = ["stomp://a:1", "stomp+ssl://b:2"];
  const failover = { initialMs: 10, maxMs: 30_000, multiplier: 2, attempts: Infinity };

  test.each([
    ["failover:(stomp://a:1,stomp+ssl://b:2)", {}],
    ["failover:stomp://a:1,stomp+ssl://b:2", {}],
    ["failover://(stomp://a:1, stomp+ssl://b:2)", {}],
    ["failover:(stomp://a:1,stomp+ssl://b:2)?randomize=false", { randomize: false }],
    [
      "failover:(stomp://a:1,stomp+ssl://b:2)?initialReconnectDelay=5&maxReconnectDelay=100&maxReconnectAttempts=3",
      { failover: { initialMs: 5, maxMs: 100, multiplier: 2, attempts: 3 } },
    ],
    [
      "failover:(stomp://a:1,stomp+ssl://b:2)?backOffMultiplier=1.5",
      { failover: { ...failover, multiplier: 1.5 } },
    ],
    [
      "failover:(stomp://a:1,stomp+ssl://b:2)?useExponentialBackOff=false",
      { failover: { ...failover, multiplier: 1 } },
    ],
    ["failover:(stomp://a:1,stomp+ssl://b:2)?initialReconnectDelay=0&maxReconnectDelay=0", {}],
  ])("%s is a list and how to go about it", (uri, differences) => {
    expect(parse(uri)).toStrictEqual({ brokers: [a, b], randomize: true, failover, ...differences });
  });

  test("a single one is a list of one, with no say in when it is tried again", () => {
    expect(parse("stomp://a:1")).toStrictEqual({ brokers: [a], randomize: true });
  });

  test.each([
    ["failover:", "Expected a failover URI as failover:(URI,URI)?OPTION=VALUE"],
    ["failover:()", "Expected a failover URI as failover:(URI,URI)?OPTION=VALUE"],
    ["failover:(stomp://a:1", "Expected a failover URI as failover:(URI,URI)?OPTION=VALUE"],
    ["failover:(stomp://a:1,bad)", "Bad"],
    ["failover:(stomp://a:1)?timeout=3", /^Expected a failover option randomize, .*, got "timeout"$/],
    ["failover:(stomp://a:1)?randomize=no", 'Expected randomize to be true or false, got "no"'],
    [
      "failover:(stomp://a:1)?maxReconnectDelay=-1",
      'Expected maxReconnectDelay to be a number >= 0, got "-1"',
    ],
  ])("%j is refused", (uri, message) => {
    expect(() => parse(uri)).toThrow(ConfigError);
    expect(() => parse(uri)).toThrow(message);
  });
});

test("a file has one a line", () => {
  const directory = temporaryDirectory("broker-list");
  const path = join(directory, "list");
  writeFileSync(path, "# ours\nstomp://a:1 # the old one\n\nstomp://b:2\n");
  expect(parse(`file:${path}`)).toMatchObject({ brokers: ["stomp://a:1", "stomp://b:2"], randomize: true });
  writeFileSync(path, "stomp://a:1\n");
  expect(parse(`file:${path}`)).toStrictEqual({ brokers: ["stomp://a:1"], randomize: true });
  writeFileSync(path, "# none\n");
  expect(() => parse(`file:${path}`)).toThrow(`Expected ${path} to have a broker URI a line, got none`);
  removeDirectory(directory);
});

describe("of several brokers", () => {
  const brokers = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map((host) => ({ host }));
  const [log, signal] = [createLogger("test"), new AbortController().signal];
  const asked: string[] = [];
  /** Connect to that one only, with this error from the others. */
  const connect = (randomize: boolean, wanted: string, error: Error) => {
    asked.length = 0;
    return connectToAny(
      { brokers, randomize },
      async ({ host }, address) => {
        asked.push(host);
        if (host !== wanted) throw error;
        return `connected to ${address}`;
      },
      { log, signal },
    );
  };
  const away = new BrokerError("BROKER_CONNECT", "not there");

  test("the first that answers is taken, in order or by chance", async () => {
    expect(await connect(false, "127.0.0.2", away)).toBe("connected to 127.0.0.2");
    expect(asked).toEqual(["127.0.0.1", "127.0.0.2"]);
    const firsts = new Set<string | undefined>();
    while (firsts.size < 3) {
      await connect(true, "127.0.0.2", away);
      firsts.add(asked[0]);
    }
  });

  test("none answers: the last error is told; another fault than a broker's is told at once", async () => {
    await expect(connect(false, "nobody", away)).rejects.toBe(away);
    expect(asked).toHaveLength(3);
    await expect(connect(false, "nobody", new Error("no such file"))).rejects.toThrow("no such file");
    expect(asked).toHaveLength(1);
  });
});

describe("the addresses of a name", () => {
  const log = createLogger("test");
  const brokers = [{ host: "localhost" }];

  test.each([
    [4, /^[\d.]+$/],
    [6, /:/],
  ] as const)("are those of the family %i that is asked for", async (family, pattern) => {
    const asked: (string | undefined)[] = [];
    const { signal } = new AbortController();
    const given = await connectToAny(
      { brokers, randomize: true },
      async (_, address) => {
        asked.push(address);
        return await Promise.resolve(address);
      },
      { log, signal, family },
    );
    expect(asked).toEqual([given]);
    // A host that has none of them leaves it to the attempt.
    expect(given ?? (family === 6 ? "::1" : "none")).toMatch(pattern);
  });

  test("are not waited for when the signal is aborted", async () => {
    const controller = new AbortController();
    const names = Array.from({ length: 64 }, (_, index) => ({ host: `${index}.invalid` }));
    const connecting = connectToAny(
      { brokers: names, randomize: false },
      () => Promise.reject(new BrokerError("BROKER_CONNECT", "not there")),
      { log, signal: controller.signal },
    );
    controller.abort(new Error("enough"));
    await expect(connecting).rejects.toThrow("enough");
    await expect(
      connectToAny({ brokers, randomize: false }, () => Promise.resolve("connected"), {
        log,
        signal: controller.signal,
      }),
    ).rejects.toThrow("enough");
  });
});
