import { Message, type BrokerError } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import { formatUri } from "@spoolwire/stomp";
import { StompSink, StompSource } from "@spoolwire/stompclt";
import { defaultBackOff, type BrokerOptions } from "@spoolwire/transfer";
import { afterEach, describe, expect, test } from "vitest";
import { brokerOptions } from "../../helpers/broker-options.js";
import { frame, receipt, startStompServer, type Peer, type StompServer } from "../../helpers/stomp-server.js";

let server: StompServer | undefined;
afterEach(async () => {
  const last = server;
  server = undefined;
  await last?.stop();
});

const never = new AbortController().signal;

/** What a side is told: the n-th client is answered by the n-th script, and by the last one after that. */
async function brokerOf(...scripts: ((peer: Peer) => Promise<void>)[]): Promise<BrokerOptions> {
  let count = 0;
  server = await startStompServer(async (peer) => {
    const script = scripts[Math.min(count++, scripts.length - 1)]!;
    // Only the first promises heart-beats: nobody here sends any.
    await peer.login({ "heart-beat": count === 1 ? "20,0" : "0,0" });
    await script(peer);
  });
  return brokerOptions(formatUri(server.uri), {
    backOff: { ...defaultBackOff, initialMs: 1, maxMs: 20 },
    timeoutDisconnect: 0.2,
  });
}

const message = (body: string) => new Message({ header: { destination: "/queue/a" }, body });

/** Until the end of the connection shows, there may be room. Resolves when there is room again. */
async function sendUntilHeldBack(sink: StompSink, settle: () => void): Promise<void> {
  for (;;) {
    const room = sink.send(message("x"), settle);
    if (room) return await room;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

describe("a reliable sink", () => {
  /** Send these, and wait until all are settled; returns how, in the order of sending. */
  async function send(options: BrokerOptions, bodies: string[]): Promise<(string | undefined)[]> {
    const sink = new StompSink(options);
    await sink.start(never);
    const settled = bodies.map(
      (body) =>
        new Promise<string | undefined>((resolve) => {
          void sink.send(message(body), (error) => resolve((error as BrokerError | undefined)?.code));
        }),
    );
    const outcomes = await Promise.all(settled);
    await sink.stop().catch(() => undefined);
    return outcomes;
  }

  const confirmAll = (bodies: string[]) => async (peer: Peer) => {
    for await (const { command, headers, body } of peer.frames()) {
      if (command === "SEND") bodies.push(body);
      peer.send(receipt(headers.receipt));
    }
  };

  test("sends again, in order, what was not confirmed when the connection ended", async () => {
    const bodies: string[] = [];
    const options = await brokerOf(async (peer) => {
      for await (const { headers, body } of peer.frames()) {
        if (body === "2") peer.send(receipt(headers.receipt));
        if (body === "4") peer.socket.destroy();
      }
    }, confirmAll(bodies));
    expect(await send(options, ["1", "2", "3", "4"])).toEqual([undefined, undefined, undefined, undefined]);
    expect(bodies).toEqual(["1", "3", "4"]);
  });

  test("keeps what comes while the broker is away, and asks to wait", async () => {
    const bodies: string[] = [];
    const options = await brokerOf(async (peer) => {
      await peer.take("SEND");
      peer.socket.destroy();
    }, confirmAll(bodies));
    const sink = new StompSink(options);
    await sink.start(never);
    let confirmed = 0;
    const settle = () => void confirmed++;
    void sink.send(message("1"), settle);
    await sendUntilHeldBack(sink, settle);
    void sink.send(message("last"), settle);
    await expect.poll(() => bodies.at(-1)).toBe("last");
    expect(bodies[0]).toBe("1");
    await expect.poll(() => confirmed).toBe(bodies.length);
    await sink.stop();
  });

  test("finds out which message the broker ends the connection for, and sends the others", async () => {
    const bodies: string[] = [];
    const options = await brokerOf(async (peer) => {
      for await (const { command, headers, body } of peer.frames()) {
        if (body === "poison") {
          peer.socket.end(frame("ERROR", { message: "not this one" }));
          return;
        }
        if (command === "SEND") bodies.push(body);
        peer.send(receipt(headers.receipt));
      }
    });
    expect(await send(options, ["1", "2", "poison", "3", "4"])).toEqual([
      undefined,
      undefined,
      "MESSAGE_NOT_SENDABLE",
      undefined,
      undefined,
    ]);
    expect([...new Set(bodies)].sort()).toEqual(["1", "2", "3", "4"]);
  });

  test("sends again what the broker refuses by name, three times, and the others with it", async () => {
    const bodies: string[] = [];
    const options = await brokerOf(async (peer) => {
      for await (const { command, headers, body } of peer.frames()) {
        if (command === "SEND") bodies.push(body);
        const id = headers.receipt ?? "";
        peer.send(body === "poison" ? frame("ERROR", { message: "no", "receipt-id": id }) : receipt(id));
      }
    });
    expect(await send(options, ["1", "poison", "2"])).toEqual([undefined, "MESSAGE_NOT_SENDABLE", undefined]);
    expect(bodies.filter((body) => body === "poison")).toHaveLength(3);
    // Nothing follows an ERROR, so that each of them is the end of a connection.
    expect(server?.clients).toBe(4);
  });

  test("sends again on a new connection what was not confirmed in time", async () => {
    const bodies: string[] = [];
    const options = await brokerOf(async (peer) => {
      for await (const { headers, body } of peer.frames())
        if (body === "1") peer.send(receipt(headers.receipt));
    }, confirmAll(bodies));
    expect(await send({ ...options, timeoutBroker: 0.2 }, ["1", "2", "3"])).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(bodies).toEqual(["2", "3"]);
  });

  test("takes a receipt that comes twice, or of nothing it knows, for nothing", async () => {
    const bodies: string[] = [];
    const options = await brokerOf(async (peer) => {
      for await (const { command, headers, body } of peer.frames()) {
        if (command === "SEND") bodies.push(body);
        peer.send(receipt("unknown") + receipt(headers.receipt) + receipt(headers.receipt));
      }
    });
    expect(await send(options, ["1", "2", "3"])).toEqual([undefined, undefined, undefined]);
    expect(bodies).toEqual(["1", "2", "3"]);
    expect(server?.clients).toBe(1);
  });

  test("finds a half-open connection by its heart-beat, and sends again", async () => {
    const bodies: string[] = [];
    // The first takes everything and never says a word again.
    const options = await brokerOf(async (peer) => peer.left(), confirmAll(bodies));
    const heartBeat = { client: 0, server: 0.02 };
    expect(await send({ ...options, heartBeat }, ["1", "2"])).toEqual([undefined, undefined]);
    expect(bodies).toEqual(["1", "2"]);
  });

  /** Confirms all but poison, which it refuses in one of two ways; counts how often that was sent. */
  const refusing = (sent: string[], hasReceipt: boolean) => async (peer: Peer) => {
    for await (const { command, headers, body } of peer.frames()) {
      if (command === "SEND") sent.push(body);
      if (body.startsWith("poison")) {
        const id = hasReceipt ? { "receipt-id": headers.receipt ?? "" } : {};
        peer.socket.end(frame("ERROR", { message: "not this one", ...id }));
        return;
      }
      peer.send(receipt(headers.receipt));
    }
  };

  test.each([
    // The first refusal does not tell which one is meant.
    ["without a receipt-id", false, 3],
    ["with a receipt-id", true, 2],
  ])(
    "gives a refused message up after `maxAttempts`, also in a run that ends: %s",
    async (_, hasReceipt, times) => {
      const sent: string[] = [];
      const options = await brokerOf(refusing(sent, hasReceipt));
      const outcomes = await send({ ...options, backOff: undefined, maxAttempts: 2 }, ["1", "poison", "2"]);
      expect(outcomes).toEqual([undefined, "MESSAGE_NOT_SENDABLE", undefined]);
      expect(sent.filter((body) => body === "poison")).toHaveLength(times);
    },
  );

  test("has room again when all is sent, however often the connection ended meanwhile", async () => {
    const sent: string[] = [];
    const sink = new StompSink(await brokerOf(refusing(sent, false)));
    await sink.start(never);
    const outcome = new Promise((resolve) => void sink.send(message("poison"), resolve));
    await sendUntilHeldBack(sink, () => undefined);
    expect(await outcome).toMatchObject({ code: "MESSAGE_NOT_SENDABLE" });
    expect(sent.filter((body) => body === "poison")).toHaveLength(4);
    await sink.stop();
  });

  test("does not give message after message up when the broker refuses them all", async () => {
    const options = await brokerOf(refusing([], true));
    const bodies = Array.from({ length: 20 }, (_, index) => `poison ${index}`);
    const outcomes = await send({ ...options, maxAttempts: 1 }, bodies);
    expect(outcomes.filter((code) => code === "MESSAGE_NOT_SENDABLE")).toHaveLength(10);
    expect(outcomes.filter((code) => code === "BROKER_REJECTED")).toHaveLength(10);
  });

  test("without a back-off fails all that is not confirmed, and stays failed", async () => {
    const options = await brokerOf(async (peer) => {
      await peer.take("SEND");
      peer.socket.destroy();
    });
    expect(await send({ ...options, backOff: undefined }, ["1", "2"])).toEqual([
      "BROKER_CLOSED",
      "BROKER_CLOSED",
    ]);
  });

  test("that is stopped while the broker is away settles what it has, with an error", async () => {
    const options = await brokerOf(async (peer) => {
      await peer.take("SEND");
      await server?.stop().catch(() => undefined);
    });
    const sink = new StompSink({
      ...options,
      backOff: { ...options.backOff!, initialMs: 60_000, maxMs: 60_000 },
    });
    await sink.start(never);
    const outcome = new Promise((resolve) => void sink.send(message("1"), resolve));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await sink.stop();
    expect(await outcome).toMatchObject({ code: "BROKER_CLOSED" });
  });
});

test("a sink that is not reliable and cannot get rid of what it was given says so at its end", async () => {
  const options = await brokerOf(async (peer) => {
    peer.socket.pause();
    await peer.left();
  });
  const sink = new StompSink({ ...options, reliable: false, timeoutFlush: 0.2 });
  await sink.start(never);
  const large = new Message({ header: { destination: "/queue/a" }, body: "x".repeat(64 * 1024 * 1024) });
  void sink.send(large, () => undefined);
  await expect(sink.stop()).rejects.toThrow(/did not take all that was sent within 0.2 s$/);
});

test("a sink that is not reliable holds back what it has while the broker is away", async () => {
  const bodies: string[] = [];
  const options = await brokerOf(
    async (peer) => {
      await peer.take("SEND");
      peer.socket.destroy();
    },
    async (peer) => {
      for await (const { command, body } of peer.frames()) if (command === "SEND") bodies.push(body);
    },
  );
  const sink = new StompSink({ ...options, reliable: false });
  await sink.start(never);
  void sink.send(message("gone"), () => undefined);
  await sendUntilHeldBack(sink, () => undefined);
  void sink.send(message("last"), () => undefined);
  await expect.poll(() => bodies.at(-1)).toBe("last");
  await sink.stop();
});

test("a sink that is not reliable ends with what the broker refuses at the end", async () => {
  const options = await brokerOf(async (peer) => {
    await peer.take("SEND");
    await peer.take("DISCONNECT");
    peer.socket.end(frame("ERROR", { message: "no such queue" }));
  });
  const sink = new StompSink({ ...options, reliable: false });
  await sink.start(never);
  void sink.send(message("1"), () => undefined);
  await expect(sink.stop()).rejects.toMatchObject({
    code: "BROKER_REJECTED",
    message: "The broker refuses: no such queue",
  });
});

describe("a source", () => {
  const subscriptions = [{ destination: "/queue/a" }, { destination: "/queue/b" }];
  const open = (options: BrokerOptions) =>
    new StompSource({ ...options, subscriptions, unsubscriptions: undefined, prefetch: undefined });
  const delivery = (id: string, body: string) =>
    frame("MESSAGE", { destination: "/queue/a", "message-id": id, subscription: "0", ack: id }, body);

  test("subscribes again, drops what waited, and acknowledges only what the connection has sent", async () => {
    const acks: string[] = [];
    const subscribe = async (peer: Peer) => {
      for (const { destination } of subscriptions) {
        const { headers } = await peer.take("SUBSCRIBE");
        expect(headers.destination).toBe(destination);
        peer.send(receipt(headers.receipt));
      }
    };
    const options = await brokerOf(
      async (peer) => {
        await subscribe(peer);
        peer.send(delivery("a1", "1") + delivery("a2", "2"));
        await new Promise((resolve) => setTimeout(resolve, 50));
        peer.socket.destroy();
      },
      async (peer) => {
        await subscribe(peer);
        peer.send(delivery("b1", "1") + delivery("b2", "2"));
        for await (const { command, headers } of peer.frames()) {
          if (command === "ACK") acks.push(headers.id ?? "");
          if (headers.receipt) peer.send(receipt(headers.receipt));
        }
      },
    );
    const source = open(options);
    await source.start(never);
    const next = async () => {
      for (;;) {
        const arrival = await source.next(1000);
        if (arrival.kind === "message") return { body: String(arrival.message.body), ticket: arrival.ticket };
      }
    };
    const first = await next();
    expect(first.body).toBe("1");
    await expect.poll(() => server!.clients).toBe(2);
    source.ack(first.ticket);
    const again = await next();
    expect(again.body).toBe("1");
    source.ack(again.ticket);
    expect((await next()).body).toBe("2");
    await source.stop();
    expect(acks).toEqual(["b1"]);
  });

  test("whose subscription is refused tries again, on a new connection", async () => {
    let refused = 0;
    const options = await brokerOf(async (peer) => {
      const { headers } = await peer.take("SUBSCRIBE");
      if (++refused < 3) {
        peer.socket.end(frame("ERROR", { message: "no such queue", "receipt-id": headers.receipt ?? "" }));
        return;
      }
      peer.send(receipt(headers.receipt));
      const second = await peer.take("SUBSCRIBE");
      peer.send(receipt(second.headers.receipt) + delivery("1", "at last"));
      for await (const { headers } of peer.frames()) if (headers.receipt) peer.send(receipt(headers.receipt));
    });
    const source = open(options);
    await source.start(never);
    const arrival = await source.next(5000);
    expect(arrival.kind === "message" && String(arrival.message.body)).toBe("at last");
    await source.stop();
  });

  test("that is stopped while it subscribes again leaves no consumer behind", async () => {
    let left = 0;
    const options = await brokerOf(
      async (peer) => {
        const { headers } = await peer.take("SUBSCRIBE");
        peer.send(receipt(headers.receipt));
        await peer.take("SUBSCRIBE").then(({ headers: { receipt: id } }) => peer.send(receipt(id)));
        peer.socket.destroy();
      },
      async (peer) => {
        await peer.take("SUBSCRIBE");
        await source.stop();
        await peer.left();
        left++;
      },
    );
    const source = open(options);
    await source.start(never);
    await expect.poll(() => left).toBe(1);
    expect(source.isUp).toBe(false);
  });

  test("unsubscribes at the end if it is to, in order and with what it was given", async () => {
    const ends: unknown[] = [];
    const options = await brokerOf(async (peer) => {
      for await (const { command, headers } of peer.frames()) {
        const { receipt: id = "", ...rest } = headers;
        if (command !== "SUBSCRIBE") ends.push([command, rest]);
        // More than it takes ahead, and nobody takes any.
        if (command === "UNSUBSCRIBE") peer.send(delivery("1", "x").repeat(5000));
        peer.send(receipt(id));
      }
    });
    const given = { unsubscriptions: [{ durable: "true" }], subscriptions, prefetch: undefined };
    const source = new StompSource({ ...options, timeoutDisconnect: 10, ...given });
    await source.start(never);
    await source.stop();
    expect(ends).toEqual([
      ["UNSUBSCRIBE", { id: "0", destination: "/queue/a", durable: "true" }],
      ["UNSUBSCRIBE", { id: "1", destination: "/queue/b" }],
      ["DISCONNECT", {}],
    ]);
  });

  test("whose unsubscription is refused says so", async () => {
    const options = await brokerOf(async (peer) => {
      for await (const { command, headers } of peer.frames()) {
        const id = headers.receipt ?? "";
        peer.send(
          command === "SUBSCRIBE" ? receipt(id) : frame("ERROR", { message: "no", "receipt-id": id }),
        );
      }
    });
    const source = new StompSource({ ...options, subscriptions, unsubscriptions: [], prefetch: undefined });
    await source.start(never);
    await expect(source.stop()).rejects.toThrow("The broker refuses: no");
  });
});

test("a sink tells of replies, which have nowhere to go", async () => {
  const options = await brokerOf(async (peer) => {
    for await (const { headers } of peer.frames()) {
      peer.send(frame("MESSAGE", { "message-id": "1" }, "reply").repeat(2) + receipt(headers.receipt));
    }
  });
  const lines: string[] = [];
  const sink = new StompSink({ ...options, log: createLogger("test", 0, (line) => lines.push(line)) });
  await sink.start(never);
  await new Promise((resolve) => void sink.send(message("question"), resolve));
  await sink.stop();
  expect(lines).toEqual([
    expect.stringMatching(/warning: broker stomp:\S+ sends messages too, as replies to a temporary queue/),
  ]);
});
