import { describe, expect, test } from "vitest";
import { formatUri, parseUri } from "@spoolwire/stomp";

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
