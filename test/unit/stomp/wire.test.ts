import { once } from "node:events";
import net from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { BrokerError, MessageError } from "@spoolwire/message";
import {
  Wire,
  type FrameLimits,
  type HeartBeat,
  type ReceivedFrame,
  type WireHandlers,
} from "@spoolwire/stomp";
import { frame, startStompServer, type Peer } from "../../helpers/stomp-server.js";

interface Ends {
  readonly wire: Wire;
  /** The other end, of which the test says what it does. */
  readonly peer: Peer;
  readonly frames: ReceivedFrame[];
  /** Resolves when the wire tells its end, to the error that it tells. */
  readonly closed: Promise<Error | undefined>;
}

/** A wire that is connected. */
async function connect(onFrame?: WireHandlers["onFrame"], limits?: FrameLimits): Promise<Ends> {
  let arrive: (peer: Peer) => void = () => {};
  const arrival = new Promise<Peer>((resolve) => (arrive = resolve));
  const server = await startStompServer((peer) => arrive(peer));
  onTestFinished(() => server.stop());
  const socket = net.connect(server.uri);
  const frames: ReceivedFrame[] = [];
  const ends: (Error | undefined)[] = [];
  let end: () => void = () => {};
  const closed = new Promise<void>((resolve) => (end = resolve)).then(() => ends[0]);
  const onClosed = (error?: Error) => {
    ends.push(error);
    end();
  };
  const wire = new Wire(socket, { onFrame: onFrame ?? ((frame) => frames.push(frame)), onClosed }, limits);
  onTestFinished(async () => {
    wire.destroy();
    await closed;
    await turn();
    expect(ends).toHaveLength(1);
  });
  await once(socket, "connect");
  return { wire, peer: await arrival, frames, closed };
}

const message = (body: string) => ({ command: "MESSAGE", headers: {}, body });

/** Turns of the event loop until it is so: it must become so, or the test times out. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

describe("a wire", () => {
  test("sends frames in order, small ones together and large ones on their own", async () => {
    const { wire, peer } = await connect();
    const bodies = ["a", "b", "x".repeat(1_000_000), "c", "y".repeat(65_536), "d"];
    for (const body of bodies) wire.send(message(body));
    for (const body of bodies) expect((await peer.take("MESSAGE")).body).toBe(body);
  });

  test("escapes and unescapes as its version says", async () => {
    const { wire, peer, frames } = await connect();
    expect(wire.version).toBe("1.0");
    wire.send({ command: "SEND", headers: { a: "b:c" }, body: "" });
    wire.version = "1.2";
    expect(wire.version).toBe("1.2");
    wire.send({ command: "SEND", headers: { a: "b:c" }, body: "" });
    expect((await peer.take("SEND")).headers.a).toBe("b:c");
    expect((await peer.take("SEND")).headers.a).toBe("b\\cc");
    peer.send(frame("MESSAGE", { a: "b\\cc" }));
    await until(() => frames.length > 0);
    expect({ ...frames[0]?.headers }).toStrictEqual({ a: "b:c" });
  });

  test("sends nothing of a frame that cannot be said, and goes on", async () => {
    const { wire, peer } = await connect();
    expect(() => wire.send({ command: "SEND", headers: { a: "b\nc:d" }, body: "" })).toThrow(MessageError);
    wire.send(message("next"));
    expect((await peer.take("MESSAGE")).body).toBe("next");
  });

  test("ends without an error after `end`, when what waits is sent", async () => {
    const { wire, peer, closed } = await connect();
    wire.send(message("x".repeat(500_000)));
    wire.send(message("last"));
    wire.end();
    wire.end();
    expect((await peer.take("MESSAGE")).body).toHaveLength(500_000);
    expect((await peer.take("MESSAGE")).body).toBe("last");
    await peer.left();
    peer.socket.end();
    expect(await closed).toBeUndefined();
    // Nobody gets this, and it harms nobody.
    expect(wire.send(message("too late"))).toBe(true);
    await wire.drained();
  });

  test("ends with BROKER_CLOSED when the other side ends, breaks off a frame, or resets", async () => {
    const ends: [(peer: Peer) => void, RegExp][] = [
      [({ socket }) => socket.end(), /ended: the other side closed it$/],
      [
        ({ socket }) => socket.end("MESSAGE\ncontent-length:9\n\nhalf"),
        /closed it in the middle of a frame$/,
      ],
      [({ socket }) => socket.end("MESS"), /closed it in the middle of a frame$/],
      [({ socket }) => socket.resetAndDestroy(), /ended: read ECONNRESET$/],
    ];
    for (const [end, why] of ends) {
      const { peer, frames, closed } = await connect();
      end(peer);
      const error = await closed;
      expect(error).toBeInstanceOf(BrokerError);
      expect(error).toMatchObject({ code: "BROKER_CLOSED", canRetry: true });
      expect(error?.message).toMatch(why);
      expect(frames).toHaveLength(0);
    }
  });

  test("ends with BROKER_PROTOCOL on bytes that are no frame, whole frames before them being handed over", async () => {
    const { peer, frames, closed } = await connect();
    peer.send(`${frame("RECEIPT")}HTTP/1.1 400\r\n`);
    expect(await closed).toMatchObject({ code: "BROKER_PROTOCOL", canRetry: false });
    expect(frames.map(({ command }) => command)).toStrictEqual(["RECEIPT"]);
    await peer.left();
  });

  test("ends with BROKER_PROTOCOL on what is beyond its limits", async () => {
    const { peer, closed } = await connect(undefined, { headers: 10, head: 100, body: 5 });
    peer.send("MESSAGE\ncontent-length:6\n\n");
    const error = await closed;
    expect(error).toMatchObject({ code: "BROKER_PROTOCOL" });
    expect(error?.message).toMatch(/at most 5 bytes, got 6/);
  });

  test("ends with what its frame handler throws, and hands over no more frames", async () => {
    let calls = 0;
    const { peer, closed } = await connect(() => {
      calls++;
      throw new RangeError("mine");
    });
    peer.send(frame("MESSAGE") + frame("MESSAGE"));
    expect(await closed).toStrictEqual(new RangeError("mine"));
    expect(calls).toBe(1);
  });

  test("hands over no more frames after it is destroyed by its handler", async () => {
    let calls = 0;
    const { wire, peer, closed } = await connect(() => {
      calls++;
      wire.destroy();
    });
    peer.send(frame("MESSAGE") + frame("MESSAGE"));
    expect(await closed).toBeUndefined();
    expect(calls).toBe(1);
  });

  test("ends with the first error that it is destroyed with", async () => {
    const { wire, closed } = await connect();
    wire.destroy(new RangeError("first"));
    wire.destroy(new RangeError("second"));
    expect(await closed).toStrictEqual(new RangeError("first"));
  });
});

describe("back-pressure", () => {
  const large = message("x".repeat(256 * 1024));

  /** Send until the wire asks to wait. */
  function fill(wire: Wire): number {
    let count = 1;
    while (wire.send(large)) if (++count > 100_000) throw new Error("No back-pressure");
    return count;
  }

  test("`send` answers false when a megabyte waits, and `drained` resolves when the peer reads", async () => {
    const { wire, peer } = await connect();
    peer.socket.pause();
    // What the network takes before it is full is as large as the system likes.
    for (;;) {
      fill(wire);
      await turn();
      if (wire.backlog >= 1024 * 1024) break;
    }
    let drained = false;
    const draining = wire.drained().then(() => (drained = true));
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(drained).toBe(false);
    expect(wire.send(message("more"))).toBe(false);
    peer.socket.resume();
    await draining;
    expect(wire.backlog).toBeLessThan(1024 * 1024);
    expect(wire.send(message("again"))).toBe(true);
  });

  test("`drained` resolves when the connection is over, for all who wait", async () => {
    const { wire, peer, closed } = await connect();
    peer.socket.pause();
    for (;;) {
      fill(wire);
      await turn();
      if (wire.backlog >= 1024 * 1024) break;
    }
    const waiting = [wire.drained(), wire.drained()];
    peer.socket.resetAndDestroy();
    await Promise.all(waiting);
    expect(await closed).toMatchObject({ code: "BROKER_CLOSED" });
    await wire.drained();
  });

  test("`drained` resolves at once when there is room", async () => {
    const { wire } = await connect();
    wire.send(message("x"));
    await wire.drained();
    expect(wire.backlog).toBeLessThan(1024 * 1024);
  });

  test("a wire that is paused takes nothing more until it is resumed", async () => {
    const { wire, peer, frames } = await connect();
    wire.pause();
    wire.pause();
    peer.send(frame("MESSAGE"));
    for (let turns = 0; turns < 50; turns++) await turn();
    expect(frames).toHaveLength(0);
    wire.resume();
    wire.resume();
    await until(() => frames.length === 1);
  });
});

describe("heart-beats", () => {
  beforeEach(() => {
    // Sockets keep to real time, only the heart is told what time it is.
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const beating = async (agreed: HeartBeat) => {
    const ends = await connect();
    ends.wire.startHeart(agreed);
    let error: Error | "open" | undefined = "open";
    void ends.closed.then((told) => (error = told));
    return { ...ends, state: () => error };
  };

  /** Let all that is due happen: bytes in both directions, and what a heart puts off. */
  async function settle(): Promise<void> {
    for (let turns = 0; turns < 20; turns++) await turn();
  }

  test("are sent before the agreed time is over, whenever the last frame was", async () => {
    const { peer } = await beating({ sendMs: 1000, receiveMs: 0 });
    for (let ms = 0; ms <= 10_000; ms += 50) {
      const before = peer.beats;
      vi.advanceTimersByTime(50);
      await settle();
      expect(peer.beats - before).toBeLessThanOrEqual(1);
      // In any second so far there was one.
      expect(peer.beats).toBeGreaterThanOrEqual(Math.floor(ms / 1000));
    }
    expect(peer.beats).toBeLessThanOrEqual(20);
  });

  test("are not sent while frames are", async () => {
    const { wire, peer } = await beating({ sendMs: 1000, receiveMs: 0 });
    for (let count = 0; count < 20; count++) {
      wire.send(message("x"));
      await peer.take("MESSAGE");
      vi.advanceTimersByTime(400);
      await settle();
    }
    expect(peer.beats).toBe(0);
  });

  test("are not sent nor waited for without an agreement: there is not even a timer", async () => {
    const { state } = await beating({ sendMs: 0, receiveMs: 0 });
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(1e9);
    await settle();
    expect(state()).toBe("open");
  });

  test("agreed for longer than a timer can be are looked after once in a while", async () => {
    const interval = vi.spyOn(globalThis, "setInterval");
    await beating({ sendMs: 0, receiveMs: 3_000_000_000 });
    expect(interval.mock.calls.map(([, ms]) => ms)).toEqual([2 ** 31 - 1]);
    interval.mockRestore();
  });

  test("that stay away for more than four times the agreed silence end it with BROKER_TIMEOUT", async () => {
    const { state, peer } = await beating({ sendMs: 0, receiveMs: 1000 });
    vi.advanceTimersByTime(4000);
    await settle();
    expect(state()).toBe("open");
    vi.advanceTimersByTime(1000);
    await settle();
    expect(state()).toMatchObject({
      code: "BROKER_TIMEOUT",
      canRetry: true,
      message: "No heart-beat for 5.0 s",
    });
    await peer.left();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("that come, in whatever form, keep it", async () => {
    const { state, peer, frames } = await beating({ sendMs: 0, receiveMs: 1000 });
    for (const bytes of ["\n", "\r\n", "MESS", "AGE\n\n", "x", "\0", frame("MESSAGE"), "\n"]) {
      peer.send(bytes);
      await settle();
      vi.advanceTimersByTime(3900);
      await settle();
      expect(state()).toBe("open");
    }
    expect(frames).toHaveLength(2);
  });

  test("that wait in the socket while this process is held up count before it is judged", async () => {
    const { state, peer } = await beating({ sendMs: 0, receiveMs: 1000 });
    peer.send("\n");
    // Time goes on and no turn of the event loop with it.
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(state()).toBe("open");
    vi.advanceTimersByTime(60_000);
    await settle();
    expect(state()).toMatchObject({ code: "BROKER_TIMEOUT" });
  });

  test("are not missed while the wire is paused, and have their full time after it", async () => {
    const { state, wire } = await beating({ sendMs: 0, receiveMs: 1000 });
    wire.pause();
    vi.advanceTimersByTime(60_000);
    await settle();
    wire.resume();
    vi.advanceTimersByTime(4000);
    await settle();
    expect(state()).toBe("open");
    vi.advanceTimersByTime(1000);
    await settle();
    expect(state()).toMatchObject({ code: "BROKER_TIMEOUT" });
  });

  test("stop with the connection, which leaves no timer behind", async () => {
    const { wire, closed } = await beating({ sendMs: 1000, receiveMs: 1000 });
    expect(vi.getTimerCount()).toBe(2);
    wire.destroy();
    expect(await closed).toBeUndefined();
    expect(vi.getTimerCount()).toBe(0);
  });
});
