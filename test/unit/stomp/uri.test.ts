import { describe, expect, test } from "vitest";
import { formatUri, parseBrokers, parseUri } from "@spoolwire/stomp";

describe("a broker URI", () => {
  test.each([
    ["stomp://localhost:61613", { scheme: "stomp", host: "localhost", port: 61613 }],
    ["tcp://broker.example.org:1", { scheme: "tcp", host: "broker.example.org", port: 1 }],
    ["ssl://10.0.0.1:65535", { scheme: "ssl", host: "10.0.0.1", port: 65535 }],
    ["stomp+ssl://a-b_c:61612", { scheme: "stomp+ssl", host: "a-b_c", port: 61612 }],
    ["stomp://[::1]:61613", { scheme: "stomp", host: "::1", port: 61613 }],
    ["tcp://[2001:db8::192.0.2.1]:1", { scheme: "tcp", host: "2001:db8::192.0.2.1", port: 1 }],
  ])("%s is scheme, host and port, and can be written again", (uri, parts) => {
    expect(parseUri(uri)).toStrictEqual(parts);
    expect(formatUri(parseUri(uri))).toBe(uri);
  });

  test("may end in a slash", () => {
    expect(parseUri("stomp://[::1]:61613/")).toStrictEqual({ scheme: "stomp", host: "::1", port: 61613 });
    expect(formatUri(parseUri("tcp://a:1/"))).toBe("tcp://a:1");
  });

  test.each([
    "",
    "localhost",
    "localhost:61613",
    "stomp:localhost:61613",
    "stomp:/localhost:61613",
    "http://localhost:61613",
    "STOMP://localhost:61613",
    "stomp://localhost",
    "stomp://localhost/",
    "stomp://localhost:",
    "stomp://:61613",
    "stomp://localhost:0",
    "stomp://localhost:65536",
    "stomp://localhost:999999",
    "stomp://localhost:-1",
    "stomp://localhost:0x50",
    "stomp://localhost:61613x",
    "stomp://localhost:61613/queue",
    "stomp://localhost:61613?x=y",
    "stomp://localhost:61613\n",
    " stomp://localhost:61613",
    "stomp://local host:61613",
    "stomp://::1:61613",
    "stomp://[::1]",
    "stomp://[::1:61613",
    "stomp://[localhost]:61613",
    "stomp://[]:61613",
  ])("%j is refused, and the error quotes it", (uri) => {
    expect(() => parseUri(uri)).toThrow(
      new TypeError(`Expected a broker URI as stomp://host:port, got ${JSON.stringify(uri)}`),
    );
  });

  test.each([
    "stomp://user:secret@localhost:61613",
    "stomp://secret@localhost:61613",
    "stomp://user:sec/ret@localhost:61613",
    "stomp://user:sec@ret@localhost:61613",
    "stomp://user:sec\nret@localhost:61613",
    "stomp+ssl://user:secret@[::1]:61613/",
    "http://user:secret@localhost:61613",
    "user:secret@localhost:61613",
    "stomp:user:secret@localhost",
  ])("%j is refused, and the error does not tell who logs in", (uri) => {
    expect(() => parseUri(uri)).toThrow(TypeError);
    expect(() => parseUri(uri)).toThrow(/, got "[a-z+:/]*…@(localhost|\[::1\])/);
    expect(() => parseUri(uri)).not.toThrow(/user|sec|ret/);
  });
});

describe("a URI for several brokers", () => {
  const a = { scheme: "stomp", host: "a", port: 1 };
  const b = { scheme: "stomp+ssl", host: "b", port: 2 };
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
  ])("%s is a list and how to go about it", (uri, differences) => {
    expect(parseBrokers(uri)).toStrictEqual({ brokers: [a, b], randomize: true, failover, ...differences });
  });

  test("a single one is a list of one, with no say in when it is tried again", () => {
    expect(parseBrokers("stomp://a:1")).toStrictEqual({ brokers: [a], randomize: true });
  });

  test.each([
    ["failover:", "Expected a failover URI as failover:(URI,URI)?OPTION=VALUE"],
    ["failover:()", "Expected a failover URI as failover:(URI,URI)?OPTION=VALUE"],
    ["failover:(stomp://a:1", "Expected a failover URI as failover:(URI,URI)?OPTION=VALUE"],
    ["failover:(http://a:1)", 'Expected a broker URI as stomp://host:port, got "http://a:1"'],
    ["failover:(stomp://a:1)?timeout=3", /^Expected a failover option randomize, .*, got "timeout"$/],
    ["failover:(stomp://a:1)?randomize=no", 'Expected randomize to be true or false, got "no"'],
    [
      "failover:(stomp://a:1)?maxReconnectDelay=-1",
      'Expected maxReconnectDelay to be a number >= 0, got "-1"',
    ],
  ])("%j is refused", (uri, message) => {
    expect(() => parseBrokers(uri)).toThrow(TypeError);
    expect(() => parseBrokers(uri)).toThrow(message);
  });
});
