import net from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import type { BrokerError } from "@spoolwire/message";
import { StompConnection, type BrokerUri, type ConnectionOptions, type Frame } from "@spoolwire/stomp";
import { connected, frame, receipt, startStompServer, type Peer } from "../../helpers/stomp-server.js";

const secret = "pass:wörd/%41";

/** A server for this test only. */
async function serve(script: (peer: Peer) => Promise<void> | void) {
  const server = await startStompServer(script);
  onTestFinished(() => server.stop());
  return server;
}

const open = (uri: BrokerUri, options: Partial<ConnectionOptions> = {}) =>
  StompConnection.open({ uri, ...options });

/** What a promise is rejected with. */
async function failure(promise: Promise<unknown>): Promise<BrokerError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    expect(String(error)).not.toContain(secret);
    return error as BrokerError;
  }
  throw new Error(`Expected a failure, got ${String(value)}`);
}

const send = (body = "x"): Frame => ({ command: "SEND", headers: { destination: "/queue/a" }, body });

/** A connection to a server that goes on with this script after CONNECTED. */
async function connect(
  script: (peer: Peer) => Promise<void> | void,
  options: Partial<ConnectionOptions> = {},
) {
  const { uri } = await serve(async (peer) => {
    await peer.login();
    await script(peer);
  });
  const ends: (Error | undefined)[] = [];
  let over: () => void = () => {};
  const ended = new Promise<void>((resolve) => (over = resolve)).then(() => ends[0]);
  const onClosed = (error?: Error) => {
    ends.push(error);
    over();
  };
  const connection = await open(uri, { onClosed, ...options });
  onTestFinished(async () => {
    connection.destroy();
    await ended;
    await turn();
    expect(ends).toHaveLength(1);
  });
  return { connection, ended };
}

/** A script that confirms all until the client leaves. */
async function confirmAll(peer: Peer): Promise<void> {
  for await (const { headers } of peer.frames()) if (headers.receipt) peer.send(receipt(headers.receipt));
}

const idle = () => {};

// Whoever forgets a timer keeps the process alive with it.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe("connecting", () => {
  test("offers all versions and no heart-beats, and sends no login that is not given", async () => {
    let headers: unknown;
    const { uri } = await serve(async (peer) => {
      ({ headers } = await peer.login());
    });
    (await open(uri)).destroy();
    expect(headers).toStrictEqual({ "accept-version": "1.0,1.1,1.2", "heart-beat": "0,0" });
  });

  test("sends login, heart-beats and more headers as they are, and more headers win", async () => {
    let headers: unknown;
    const { uri } = await serve(async (peer) => {
      ({ headers } = await peer.login());
    });
    const options = {
      login: "me\\",
      passcode: secret,
      heartBeat: { sendMs: 0, receiveMs: 2.3 * 1000 },
      headers: { host: "/vhost", "accept-version": "1.1" },
    };
    (await open(uri, options)).destroy();
    expect(headers).toStrictEqual({
      "accept-version": "1.1",
      "heart-beat": "0,2300",
      login: "me\\",
      passcode: secret,
      host: "/vhost",
    });
  });

  test.each([
    ["1.0", {}],
    ["1.0", { version: "1.0" }],
    ["1.1", { version: "1.1" }],
    ["1.2", { version: "1.2" }],
  ])("agrees on %s by %j", async (version, headers) => {
    const { uri } = await serve(async (peer) => {
      await peer.take("CONNECT");
      peer.send(frame("CONNECTED", { server: "Fake/1", ...headers }));
    });
    const connection = await open(uri);
    expect(connection.version).toBe(version);
    expect({ ...connection.headers }).toStrictEqual({ server: "Fake/1", ...headers });
    connection.destroy();
  });

  test("takes CONNECTED with CR LF, in pieces, and a MESSAGE right behind it", async () => {
    const { uri } = await serve(async (peer) => {
      await peer.take("CONNECT");
      for (const byte of "CONNECTED\r\nversion:1.2\r\n\r\n\0MESSAGE\na:b\\c\n\n\0") {
        peer.send(byte);
        await turn();
      }
    });
    const messages: unknown[] = [];
    const connection = await open(uri, { onMessage: ({ headers }) => messages.push({ ...headers }) });
    while (messages.length === 0) await turn();
    expect(messages).toStrictEqual([{ a: "b:" }]);
    connection.destroy();
  });

  test("to a port where nobody listens is BROKER_CONNECT", async () => {
    const server = await startStompServer(idle);
    await server.stop();
    const { code, canRetry, message } = await failure(open(server.uri));
    expect({ code, canRetry }).toStrictEqual({ code: "BROKER_CONNECT", canRetry: true });
    expect(message).toMatch(/^Cannot connect to stomp:\/\/127\.0\.0\.1:\d+: connect ECONNREFUSED/);
  });

  test("to a host that is not there is BROKER_CONNECT", async () => {
    const { code, message } = await failure(open({ scheme: "tcp", host: "no-such-host.invalid", port: 1 }));
    expect(code).toBe("BROKER_CONNECT");
    expect(message).toMatch(/^Cannot connect to tcp:\/\/no-such-host\.invalid:1: /);
  });

  test("to a silent server is BROKER_TIMEOUT after `timeoutMs`, and lets go of it", async () => {
    let left: () => void = idle;
    const gone = new Promise<void>((resolve) => (left = resolve));
    const { uri } = await serve(async (peer) => {
      await peer.take("CONNECT");
      vi.advanceTimersByTime(1400);
      await turn();
      vi.advanceTimersByTime(200);
      await peer.left();
      left();
    });
    const { code, canRetry, message } = await failure(open(uri, { timeoutMs: 1500 }));
    expect({ code, canRetry }).toStrictEqual({ code: "BROKER_TIMEOUT", canRetry: true });
    expect(message).toMatch(/^stomp:\/\/127\.0\.0\.1:\d+: No answer within 1\.5 s$/);
    await gone;
  });

  test("waits a minute by default", async () => {
    const { uri } = await serve(async (peer) => {
      await peer.take("CONNECT");
      vi.advanceTimersByTime(59_999);
      for (let turns = 0; turns < 10; turns++) await turn();
      peer.send(connected());
    });
    (await open(uri)).destroy();
  });

  test("waits for ever if that is asked for", async () => {
    const { uri } = await serve(async (peer) => {
      await peer.take("CONNECT");
      // What is longer than 24 days, Node takes for one millisecond.
      expect(vi.getTimerCount()).toBe(0);
      peer.send(connected());
    });
    (await open(uri, { timeoutMs: Infinity })).destroy();
  });

  test.each<[string, (peer: Peer) => void]>([
    ["closes at once", ({ socket }) => socket.end()],
    ["resets at once", ({ socket }) => socket.resetAndDestroy()],
    ["breaks off its CONNECTED", ({ socket }) => socket.end("CONNECTED\nversion:1.2\n")],
  ])("to a server that %s is BROKER_CONNECT", async (_, script) => {
    const { uri } = await serve(script);
    const { code, canRetry, message } = await failure(open(uri, { passcode: secret }));
    expect({ code, canRetry }).toStrictEqual({ code: "BROKER_CONNECT", canRetry: true });
    expect(message).toMatch(/^Cannot connect to stomp:\/\/127\.0\.0\.1:\d+: /);
  });

  test("to a broker that closes without a word twice before it says why is what it says", async () => {
    let attempts = 0;
    const { uri } = await serve(({ socket }) => {
      socket.end(++attempts < 3 ? "" : frame("ERROR", { message: "Bad CONNECT" }, "Access refused"));
    });
    const { code, message } = await failure(open(uri, { passcode: secret }));
    expect({ code, attempts }).toStrictEqual({ code: "BROKER_AUTH", attempts: 3 });
    expect(message).toMatch(/Access refused$/);
  });

  test.each([
    ["RabbitMQ", { message: "Bad CONNECT" }, "Access refused for user 'me'\n"],
    ["RabbitMQ, virtual host", { message: "Bad CONNECT" }, "Virtual host '/x' access denied\n"],
    ["ActiveMQ", { message: "User name [me] or password is invalid." }, "java.lang.SecurityException: User…"],
    ["a body only", {}, "Authentication failed"],
  ])("with a bad login is BROKER_AUTH: %s", async (_, headers, body) => {
    const { uri } = await serve(async (peer) => {
      await peer.take("CONNECT");
      peer.send(frame("ERROR", headers, body));
    });
    const { code, canRetry, message } = await failure(open(uri, { login: "me", passcode: secret }));
    expect({ code, canRetry }).toStrictEqual({ code: "BROKER_AUTH", canRetry: false });
    expect(message).toMatch(/^stomp:\S+: The broker refuses the connection: /);
    expect(message).toContain(body.trim());
  });

  test.each<[{ message?: string }, string]>([
    [{ message: "Version mismatch" }, "Supported versions are 1.0,1.1,1.2\n"],
    [{ message: "Broker: x - Client: y already connected" }, ""],
    [{}, ""],
  ])("that is refused for another reason is BROKER_REJECTED: %j", async (headers, body) => {
    const { uri } = await serve(async (peer) => {
      await peer.take("CONNECT");
      peer.send(frame("ERROR", headers, body));
    });
    const { code, canRetry, message } = await failure(open(uri));
    expect({ code, canRetry }).toStrictEqual({ code: "BROKER_REJECTED", canRetry: false });
    expect(message).toContain(headers.message ?? "no reason given");
    expect(message).not.toMatch(/[\0-\x1f]/);
  });

  test.each([
    [
      "an unknown version",
      frame("CONNECTED", { version: "2.0" }),
      /Expected STOMP 1\.0, 1\.1, 1\.2, got version "2\.0"/,
    ],
    ["an empty version", frame("CONNECTED", { version: "" }), /got version ""/],
    ["HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", /Expected a STOMP frame, got "HTTP\/1\.1 400 /],
    ["TLS", Buffer.of(0x15, 3, 3, 0, 2, 2, 70), /Expected a STOMP frame, got "/],
    ["a MESSAGE", frame("MESSAGE"), /Expected CONNECTED, got MESSAGE/],
    ["a RECEIPT", receipt("1"), /Expected CONNECTED, got RECEIPT/],
    ["what it was sent", "CONNECT\n\n\0", /Expected CONNECTED, got CONNECT/],
  ])("and getting %s is BROKER_PROTOCOL at once", async (_, answer, why) => {
    let left: () => void = idle;
    const gone = new Promise<void>((resolve) => (left = resolve));
    const { uri } = await serve(async (peer) => {
      await peer.take("CONNECT");
      peer.send(answer);
      await peer.left();
      left();
    });
    const { code, canRetry, message } = await failure(open(uri));
    expect({ code, canRetry }).toStrictEqual({ code: "BROKER_PROTOCOL", canRetry: false });
    expect(message).toMatch(/^stomp:\/\/127\.0\.0\.1:\d+: /);
    expect(message).toMatch(why);
    await gone;
  });

  test("that fails is told by the promise only", async () => {
    const { uri } = await serve(({ socket }) => void socket.end());
    const onClosed = vi.fn();
    await failure(open(uri, { onClosed }));
    for (let turns = 0; turns < 10; turns++) await turn();
    expect(onClosed).not.toHaveBeenCalled();
  });

  test("with a header that CONNECT cannot hold fails, and leaves no socket behind", async () => {
    let seen = "";
    let left: () => void = idle;
    const gone = new Promise<void>((resolve) => (left = resolve));
    const { uri } = await serve(async (peer) => {
      peer.socket.on("data", (text) => (seen += String(text)));
      await peer.left();
      left();
    });
    const error = await failure(open(uri, { login: "me", passcode: `${secret}\nhost:evil` }));
    expect(error).toMatchObject({ name: "MessageError", code: "MESSAGE_NOT_SENDABLE" });
    expect(error.message).toMatch(/^Header "passcode" cannot be sent/);
    // It may be gone before it has arrived.
    await Promise.race([gone, turn().then(turn)]);
    expect(seen).toBe("");
  });

  test("never tells the password, even if the broker does", async () => {
    const answers = [
      frame("ERROR", { message: `Bad password ${secret}` }, `CONNECT\nlogin:me\npasscode:${secret}\n`),
      frame("ERROR", {}, "é".repeat(90) + secret),
      frame("ERROR", {}, " ".repeat(1000) + secret.repeat(100)),
      `CONNECT\npasscode:${secret}\n\n\0`,
    ];
    for (const options of [{ passcode: secret }, { headers: { passcode: secret } }]) {
      for (const answer of answers) {
        const { uri } = await serve(async (peer) => {
          await peer.take("CONNECT");
          peer.send(answer);
        });
        const { message } = await failure(open(uri, { login: "me", ...options }));
        expect(message).not.toContain(secret.slice(0, 6));
      }
    }
  });

  test("is given up with the signal's own reason: before, between, and not after", async () => {
    const reason = new RangeError("enough");
    const before = await serve(idle);
    expect(await failure(open(before.uri, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(before.clients).toBe(0);

    for (const reason of [new RangeError("enough"), "a word", undefined]) {
      const abort = new AbortController();
      let left: () => void = idle;
      const gone = new Promise<void>((resolve) => (left = resolve));
      const { uri } = await serve(async (peer) => {
        await peer.take("CONNECT");
        abort.abort(reason);
        await peer.left();
        left();
      });
      expect(await failure(open(uri, { signal: abort.signal }))).toBe(abort.signal.reason);
      await gone;
    }

    const after = new AbortController();
    const { connection } = await connect(confirmAll, { signal: after.signal });
    after.abort();
    await connection.confirm(send());
  });
});

describe("the socket", () => {
  /** What a connection with these options asks of its socket. */
  async function asked(socket: ConnectionOptions["socket"]) {
    const noDelay = vi.spyOn(net.Socket.prototype, "setNoDelay");
    const keepAlive = vi.spyOn(net.Socket.prototype, "setKeepAlive");
    const { uri } = await serve(async (peer) => void (await peer.login()));
    const connection = await open(uri, socket && { socket });
    connection.destroy();
    const calls = [noDelay, keepAlive].map(({ mock }) => mock.calls[0]);
    noDelay.mockRestore();
    keepAlive.mockRestore();
    return calls;
  }

  test("sends at once (or each receipt takes 40 ms), and asks after a silent broker", async () => {
    expect(await asked(undefined)).toStrictEqual([[true], [true, 60_000]]);
  });

  test("is set up as one likes", async () => {
    expect(await asked({ noDelay: false, keepAlive: false, keepIdleMs: 1000 })).toStrictEqual([
      [false],
      [false, 1000],
    ]);
    const from: unknown[] = [];
    const { uri } = await serve(async (peer) => {
      from.push(peer.socket.remoteAddress);
      await peer.login();
    });
    (await open(uri, { socket: { localAddress: "127.0.0.2", family: 4 } })).destroy();
    expect(from).toStrictEqual(["127.0.0.2"]);
    const elsewhere = open(uri, { socket: { localAddress: "192.0.2.1" } });
    expect((await failure(elsewhere)).message).toMatch(
      /^Cannot connect to .*: bind EADDRNOTAVAIL 192\.0\.2\.1/,
    );
  });
});

describe("requests", () => {
  test("are confirmed by their receipts, in whatever order and however late they come", async () => {
    const order: string[] = [];
    const { connection } = await connect(async (peer) => {
      const ids: (string | undefined)[] = [];
      for (const body of ["a", "b", "c"]) {
        const frame = await peer.take("SEND");
        expect(frame.body).toBe(body);
        ids.push(frame.headers.receipt);
      }
      expect(new Set(ids).size).toBe(3);
      for (const index of [2, 0, 1]) {
        await turn();
        peer.send(receipt(ids[index]));
      }
    });
    const all = ["a", "b", "c"].map(
      (body) =>
        new Promise<void>((resolve) => {
          connection.request(send(body), (error) => {
            order.push(error ? error.message : body);
            resolve();
          });
        }),
    );
    await Promise.all(all);
    expect(order).toStrictEqual(["c", "a", "b"]);
  });

  test("are confirmed once, whatever receipts nobody waits for", async () => {
    const { connection } = await connect(async (peer) => {
      const { headers } = await peer.take("SEND");
      peer.send(receipt("unknown") + receipt() + frame("RECEIPT") + receipt("__proto__"));
      peer.send(receipt(headers.receipt) + receipt(headers.receipt));
      await confirmAll(peer);
    });
    const confirmed = vi.fn();
    connection.request(send(), confirmed);
    await connection.confirm(send());
    expect(confirmed.mock.calls).toStrictEqual([[undefined]]);
  });

  test("overrule a receipt header of the frame", async () => {
    const { connection } = await connect(confirmAll);
    const headers = { destination: "/queue/a", receipt: "mine" };
    await connection.confirm({ command: "SEND", headers, body: "" });
    await connection.confirm({ command: "SEND", headers, body: "" });
    expect(headers.receipt).toBe("mine");
  });

  test("that the broker refuses by receipt-id fail alone", async () => {
    const { connection, ended } = await connect(async (peer) => {
      await peer.take("SEND");
      const { headers } = await peer.take("SEND");
      peer.send(
        frame("ERROR", { "receipt-id": headers.receipt ?? "", message: "no such queue" }, "a\ttrace\n"),
      );
      await confirmAll(peer);
    });
    let first: unknown = "waiting";
    connection.request(send("1"), (error) => (first = error));
    const { code, canRetry, message } = await failure(connection.confirm(send("2")));
    expect({ code, canRetry }).toStrictEqual({ code: "BROKER_REJECTED", canRetry: false });
    expect(message).toBe("The broker refuses: no such queue a trace");
    await connection.confirm(send("3"));
    expect(first).toBe("waiting");
    connection.destroy();
    await ended;
    expect(first).toMatchObject({ code: "BROKER_CLOSED" });
  });

  test.each([
    ["without a receipt-id", {}],
    ["with a receipt-id that nobody waits for", { "receipt-id": "77" }],
  ])("fail all together after an ERROR %s, which ends the connection", async (_, headers) => {
    const { connection, ended } = await connect(async (peer) => {
      await peer.take("SEND");
      await peer.take("SEND");
      peer.send(frame("ERROR", { ...headers, message: "bad" }) + receipt("1") + receipt("2"));
    });
    const requests = await Promise.all([send(), send()].map((frame) => failure(connection.confirm(frame))));
    for (const error of requests) expect(error).toMatchObject({ code: "BROKER_REJECTED" });
    expect(await ended).toBe(requests[0]);
  });

  test.each<[string, (peer: Peer) => void, string, RegExp]>([
    ["closes", ({ socket }) => socket.end(), "BROKER_CLOSED", /the other side closed it$/],
    ["resets", ({ socket }) => socket.resetAndDestroy(), "BROKER_CLOSED", /ECONNRESET/],
    [
      "closes in a frame",
      ({ socket }) => socket.end("MESSAGE\n\nx"),
      "BROKER_CLOSED",
      /in the middle of a frame$/,
    ],
    ["sends garbage", (peer) => peer.send("\x16\x03\x01"), "BROKER_PROTOCOL", /Expected a STOMP frame/],
    [
      "sends CONNECTED again",
      (peer) => peer.send(connected({ "heart-beat": "1,1" })),
      "BROKER_PROTOCOL",
      /got CONNECTED$/,
    ],
    [
      "sends SEND",
      (peer) => peer.send(frame("SEND")),
      "BROKER_PROTOCOL",
      /Expected MESSAGE, RECEIPT or ERROR, got SEND$/,
    ],
  ])("fail, and the connection with them, when the broker %s", async (_, script, code, why) => {
    const onMessage = vi.fn();
    const answer = async (peer: Peer) => {
      await peer.take("SEND");
      script(peer);
    };
    const { connection, ended } = await connect(answer, {
      onMessage,
      heartBeat: { sendMs: 1000, receiveMs: 1000 },
    });
    const error = await failure(connection.confirm(send()));
    expect(error).toMatchObject({ name: "BrokerError", code });
    expect(error.message).toMatch(why);
    expect(await ended).toBe(error);
    expect(onMessage).not.toHaveBeenCalled();
  });

  test("fail with what the message handler throws, as it ends the connection", async () => {
    const mine = new RangeError("mine");
    const onMessage = () => {
      throw mine;
    };
    const answer = async (peer: Peer) => {
      await peer.take("SEND");
      peer.send(frame("MESSAGE"));
    };
    const { connection, ended } = await connect(answer, { onMessage });
    expect(await failure(connection.confirm(send()))).toBe(mine);
    expect(await ended).toBe(mine);
  });

  test("of `confirm` fail after its time, and a receipt that is later still changes nothing", async () => {
    let answer: () => void = idle;
    const { connection } = await connect(async (peer) => {
      const { headers } = await peer.take("SEND");
      answer = () => peer.send(receipt(headers.receipt));
      await confirmAll(peer);
    });
    const late = failure(connection.confirm(send(), 2000));
    await connection.confirm(send());
    vi.advanceTimersByTime(2000);
    expect(await late).toMatchObject({ code: "BROKER_TIMEOUT", message: "No receipt for SEND within 2 s" });
    answer();
    await connection.confirm(send());
  });

  test("that are not confirmed in time end the connection, and fail with it", async () => {
    const { connection, ended } = await connect(
      async (peer) => {
        await peer.take("SEND");
        const { headers } = await peer.take("SEND");
        peer.send(receipt(headers.receipt));
        await peer.left();
      },
      { answerMs: 8000 },
    );
    const first = failure(connection.confirm(send("1")));
    await connection.confirm(send("2"));
    vi.advanceTimersByTime(7999);
    await turn();
    expect(connection.isOver).toBe(false);
    vi.advanceTimersByTime(1);
    const error = await first;
    expect(error).toMatchObject({ code: "BROKER_TIMEOUT", message: "No receipt for SEND within 8 s" });
    expect(await ended).toBe(error);
  });

  test("may take longer in all, as long as one after the other is confirmed", async () => {
    const ids: string[] = [];
    let peer: Peer | undefined;
    const { connection, ended } = await connect(
      async (client) => {
        peer = client;
        for await (const { headers } of client.frames()) ids.push(headers.receipt ?? "");
      },
      { answerMs: 8000 },
    );
    const outcomes: unknown[] = [];
    for (let count = 0; count < 5; count++) {
      connection.request(send(), (error) => outcomes.push(error?.message ?? "confirmed"));
    }
    while (ids.length < 5) await turn();
    for (let count = 0; count < 4; count++) {
      vi.advanceTimersByTime(7000);
      peer?.send(receipt(ids[count]));
      while (outcomes.length <= count) await turn();
    }
    // The last one is the oldest only since then.
    vi.advanceTimersByTime(7000);
    await turn();
    await turn();
    expect(connection.isOver).toBe(false);
    vi.advanceTimersByTime(2000);
    expect(await ended).toMatchObject({ code: "BROKER_TIMEOUT" });
    expect(outcomes).toStrictEqual([...Array<string>(4).fill("confirmed"), "No receipt for SEND within 8 s"]);
  });

  test("after the end fail at once", async () => {
    const { connection, ended } = await connect(({ socket }) => void socket.end());
    await ended;
    const confirmed = vi.fn();
    expect(connection.request(send(), confirmed)).toBe(true);
    expect(confirmed.mock.calls).toStrictEqual([[expect.objectContaining({ code: "BROKER_CLOSED" })]]);
    expect(await failure(connection.confirm(send()))).toMatchObject({ code: "BROKER_CLOSED" });
    await connection.drained();
  });

  test("that cannot be said fail before anything is sent", async () => {
    const { connection } = await connect(confirmAll);
    const frame = { ...send(), headers: { destination: "a\0b" } };
    expect(() => connection.send(frame)).toThrow(/^Header "destination" cannot be sent/);
    expect(() => connection.request(frame, idle)).toThrow(/^Header "destination" cannot be sent/);
    expect(await failure(connection.confirm(frame))).toMatchObject({ code: "MESSAGE_NOT_SENDABLE" });
    expect(vi.getTimerCount()).toBe(0);
    await connection.confirm(send());
  });
});

describe("closing", () => {
  test("says DISCONNECT after all that was sent, and is true when the broker has confirmed it", async () => {
    const commands: string[] = [];
    const { connection, ended } = await connect(async (peer) => {
      for await (const { command, headers } of peer.frames()) {
        commands.push(command);
        if (headers.receipt) peer.send(receipt(headers.receipt));
      }
    });
    for (let count = 0; count < 100; count++) connection.send(send());
    expect(await connection.close()).toBe(true);
    expect(await ended).toBeUndefined();
    expect(commands).toHaveLength(101);
    expect(commands.at(-1)).toBe("DISCONNECT");
  });

  test("twice is the same, at once and later", async () => {
    let disconnects = 0;
    const { connection } = await connect(async (peer) => {
      for await (const { command, headers } of peer.frames()) {
        if (command === "DISCONNECT") disconnects++;
        peer.send(receipt(headers.receipt));
      }
    });
    expect(await Promise.all([connection.close(), connection.close()])).toStrictEqual([true, true]);
    expect(await connection.close()).toBe(true);
    expect(disconnects).toBe(1);
  });

  test("does not wait for a broker that confirms but keeps its side open", async () => {
    // The fake server never closes by itself.
    const { connection } = await connect(confirmAll);
    expect(await connection.close(Infinity)).toBe(true);
  });

  test("against a stuck broker is false after its time, and what is unconfirmed fails", async () => {
    const { connection, ended } = await connect(async (peer) => {
      await peer.take("SEND");
      await peer.take("DISCONNECT");
      vi.advanceTimersByTime(3000);
    });
    const request = failure(connection.confirm(send(), Infinity));
    expect(await connection.close(3000)).toBe(false);
    expect(await request).toMatchObject({ code: "BROKER_CLOSED" });
    expect(await ended).toBeUndefined();
  });

  test("against a broker that goes without a receipt is false, and no error", async () => {
    for (const go of [({ socket }: Peer) => socket.end(), ({ socket }: Peer) => socket.resetAndDestroy()]) {
      const { connection, ended } = await connect(async (peer) => {
        await peer.take("DISCONNECT");
        go(peer);
      });
      expect(await connection.close()).toBe(false);
      expect(await ended).toBeUndefined();
    }
  });

  test("fails with the words of a broker that refuses what was sent", async () => {
    const { connection, ended } = await connect(async (peer) => {
      await peer.take("SEND");
      await peer.take("DISCONNECT");
      peer.socket.end(frame("ERROR", { message: "no such queue" }));
    });
    connection.send(send());
    expect(await failure(connection.close())).toMatchObject({
      code: "BROKER_REJECTED",
      message: "The broker refuses: no such queue",
    });
    expect(await ended).toBeUndefined();
  });

  test("after the end is false", async () => {
    const { connection, ended } = await connect(({ socket }) => void socket.end());
    expect(await ended).toMatchObject({ code: "BROKER_CLOSED" });
    expect(await connection.close()).toBe(false);
  });

  test("still takes messages and confirmations that were under way", async () => {
    const bodies: string[] = [];
    const { connection } = await connect(
      async (peer) => {
        const sent = await peer.take("SEND");
        const last = await peer.take("DISCONNECT");
        peer.send(
          frame("MESSAGE", {}, "late") + receipt(sent.headers.receipt) + receipt(last.headers.receipt),
        );
      },
      { onMessage: ({ body }) => bodies.push(body.toString()) },
    );
    connection.pause();
    const confirmed = vi.fn();
    connection.request(send(), confirmed);
    expect(await connection.close()).toBe(true);
    expect(confirmed.mock.calls).toStrictEqual([[undefined]]);
    expect(bodies).toStrictEqual(["late"]);
  });

  test("by `destroy` is at once, with or without an error", async () => {
    const error = new RangeError("mine");
    for (const why of [undefined, error]) {
      const { connection, ended } = await connect(idle);
      const request = failure(connection.confirm(send()));
      connection.destroy(why);
      connection.destroy();
      expect(await ended).toBe(why);
      expect(await request).toMatchObject(why ?? { code: "BROKER_CLOSED" });
    }
  });
});

describe("flow", () => {
  test("of messages stops with `pause` and goes on with `resume`", async () => {
    let count = 0;
    const { connection } = await connect(
      async (peer) => {
        for await (const { headers } of peer.frames()) {
          peer.send(frame("MESSAGE", {}, "x".repeat(1000)).repeat(1000));
          if (headers.receipt) peer.send(receipt(headers.receipt));
        }
      },
      { onMessage: () => count++ },
    );
    await connection.confirm(send());
    expect(count).toBe(1000);
    connection.pause();
    connection.send(send());
    for (let turns = 0; turns < 50; turns++) await turn();
    expect(count).toBe(1000);
    connection.resume();
    while (count < 2000) await turn();
  });

  test("to a broker that does not read is held back, and let go when it reads or leaves", async () => {
    for (const release of [
      (peer: Peer) => peer.socket.resume(),
      (peer: Peer) => peer.socket.resetAndDestroy(),
    ]) {
      let stuck: Peer | undefined;
      const { connection } = await connect((peer) => {
        peer.socket.pause();
        stuck = peer;
      });
      const large = send("x".repeat(256 * 1024));
      // What the network takes before it is full is as large as the system likes.
      for (let refused = 0; refused < 3;) {
        while (connection.send(large));
        for (let turns = 0; turns < 5; turns++) await turn();
        refused = connection.send(large) ? 0 : refused + 1;
      }
      let drained = false;
      const draining = connection.drained().then(() => (drained = true));
      for (let turns = 0; turns < 20; turns++) await turn();
      expect(drained).toBe(false);
      if (stuck) release(stuck);
      await draining;
      connection.destroy();
    }
  });
});

describe("what was sent", () => {
  const large = send("x".repeat(256 * 1024));

  /** A connection to a broker that does not read, with more sent than the network takes. */
  async function congested(options: Partial<ConnectionOptions> = {}) {
    let stuck: Peer | undefined;
    const ends = await connect((peer) => {
      peer.socket.pause();
      stuck = peer;
    }, options);
    for (let refused = 0; refused < 3;) {
      while (ends.connection.send(large));
      for (let turns = 0; turns < 5; turns++) await turn();
      refused = ends.connection.send(large) ? 0 : refused + 1;
    }
    return { ...ends, stuck: stuck! };
  }

  test("and is not taken by the network for long ends the connection while somebody waits for room", async () => {
    const { connection, ended } = await congested({ answerMs: 8000 });
    const draining = connection.drained();
    vi.advanceTimersByTime(7000);
    await turn();
    expect(connection.isOver).toBe(false);
    vi.advanceTimersByTime(1000);
    await draining;
    expect(await ended).toMatchObject({
      code: "BROKER_TIMEOUT",
      message: "The broker takes nothing for 8 s",
    });
  });

  test("is flushed when the network has it, and not before", async () => {
    const { connection, stuck } = await congested();
    const flushed = connection.flushed(60_000);
    let isFlushed: boolean | undefined;
    void flushed.then((value) => (isFlushed = value));
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(isFlushed).toBeUndefined();
    stuck.socket.resume();
    expect(await flushed).toBe(true);
    expect(await connection.flushed(60_000)).toBe(true);
  });

  test("is not flushed after its time, or by the end of the connection", async () => {
    const { connection, ended, stuck } = await congested();
    const late = connection.flushed(8000);
    vi.advanceTimersByTime(8000);
    expect(await late).toBe(false);
    const cut = connection.flushed(8000);
    stuck.socket.resetAndDestroy();
    expect(await cut).toBe(false);
    await ended;
    expect(await connection.flushed(8000)).toBe(false);
  });
});

describe("a process that is held up", () => {
  const limit = 4 * 50;

  /** Nothing of this process runs, as in a long computation. */
  const hold = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

  beforeEach(() => {
    vi.useRealTimers();
  });
  afterEach(() => {
    vi.useFakeTimers();
  });

  test("longer than heart-beats may stay away keeps its connection if they came", async () => {
    let beat: () => void = idle;
    const { uri } = await serve(async (peer) => {
      await peer.login({ "heart-beat": "50,0" });
      beat = () => peer.send("\n");
      await confirmAll(peer);
    });
    const ends: unknown[] = [];
    const connection = await open(uri, {
      heartBeat: { sendMs: 0, receiveMs: 50 },
      onClosed: (error) => ends.push(error),
    });
    for (let round = 0; round < 3; round++) {
      beat();
      hold(limit + 100);
      await connection.confirm(send());
    }
    expect(ends).toStrictEqual([]);
    connection.destroy();
  });

  test.each([
    ["receipts", (connection: StompConnection) => connection.confirm(send())],
    ["a receipt", (connection: StompConnection) => connection.confirm(send(), limit)],
  ])("longer than the broker may take for %s waits for the answer", async (_, confirm) => {
    const { uri } = await serve(async (peer) => {
      await peer.login();
      await confirmAll(peer);
    });
    const connection = await open(uri, { answerMs: limit });
    for (let round = 0; round < 3; round++) {
      const confirmed = confirm(connection);
      // Before the frame has even left.
      hold(limit + 100);
      await confirmed;
    }
    connection.destroy();
  });

  test("longer than connecting may take connects all the same", async () => {
    const { uri } = await serve(async (peer) => void (await peer.login()));
    const opening = open(uri, { timeoutMs: limit });
    hold(limit + 100);
    (await opening).destroy();
  });

  test("loses it with BROKER_TIMEOUT if they did not", async () => {
    const { uri } = await serve(async (peer) => {
      await peer.login({ "heart-beat": "50,0" });
      await peer.left();
    });
    let request: Promise<BrokerError> | undefined;
    const ended = new Promise<Error | undefined>((resolve, reject) => {
      const heartBeat = { sendMs: 0, receiveMs: 50 };
      open(uri, { heartBeat, onClosed: resolve }).then((connection) => {
        request = failure(connection.confirm(send()));
        hold(limit + 100);
      }, reject);
    });
    const error = await ended;
    expect(error).toMatchObject({ code: "BROKER_TIMEOUT", canRetry: true });
    expect(error?.message).toMatch(/^No heart-beat for 0\.\d s$/);
    expect(await request).toBe(error);
  });
});
