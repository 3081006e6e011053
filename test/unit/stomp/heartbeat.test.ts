import { describe, expect, test } from "vitest";
import { formatHeartBeat, negotiate, noHeartBeat, parseHeartBeat } from "@spoolwire/stomp";

describe("a heart-beat header", () => {
  test.each([
    ["0,0", 0, 0],
    ["1000,0", 1000, 0],
    ["10000,20000", 10_000, 20_000],
    [" 1 , 2 ", 1, 2],
    ["007,999999999", 7, 999_999_999],
  ])("%j is two numbers of milliseconds", (header, sendMs, receiveMs) => {
    expect(parseHeartBeat(header)).toStrictEqual({ sendMs, receiveMs });
  });

  test.each([
    undefined,
    "",
    "1000",
    "1000,",
    ",1000",
    "a,b",
    "1,2,3",
    "-1,2",
    "1.5,2",
    "1e3,2",
    "1000 2000",
    "9999999999,1",
  ])("%j means no heart-beats", (header) => {
    expect(parseHeartBeat(header)).toStrictEqual(noHeartBeat);
  });

  test("is written in whole milliseconds, as it is read", () => {
    expect(formatHeartBeat({ sendMs: 1000, receiveMs: 0 })).toBe("1000,0");
    expect(formatHeartBeat({ sendMs: 2.3 * 1000, receiveMs: 0.7 })).toBe("2300,1");
    expect(parseHeartBeat(formatHeartBeat({ sendMs: 1.1 * 1000, receiveMs: 5 }))).toStrictEqual({
      sendMs: 1100,
      receiveMs: 5,
    });
    expect(formatHeartBeat(noHeartBeat)).toBe("0,0");
  });
});

describe("what both sides agree on", () => {
  test.each([
    ["nothing if neither offers", [0, 0], [0, 0], [0, 0]],
    ["nothing if only one offers", [100, 200], [0, 0], [0, 0]],
    ["the slower of each direction, theirs", [100, 200], [300, 400], [400, 300]],
    ["the slower of each direction, ours", [500, 600], [300, 400], [500, 600]],
    ["what we send only", [100, 200], [0, 400], [400, 0]],
    ["what we get only", [100, 200], [300, 0], [0, 300]],
    ["nothing if both only send", [100, 0], [100, 0], [0, 0]],
    ["nothing if both only listen", [0, 100], [0, 100], [0, 0]],
  ])("is %s", (_, [a = 0, b = 0], [c = 0, d = 0], [sendMs, receiveMs]) => {
    const mine = { sendMs: a, receiveMs: b };
    const theirs = { sendMs: c, receiveMs: d };
    expect(negotiate(mine, theirs)).toStrictEqual({ sendMs, receiveMs });
    // Each side finds for its own direction what the other side finds for the opposite one.
    expect(negotiate(theirs, mine)).toStrictEqual({ sendMs: receiveMs, receiveMs: sendMs });
  });
});
