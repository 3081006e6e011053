import { once } from "node:events";
import { readFileSync } from "node:fs";
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { parseUri, StompConnection } from "@spoolwire/stomp";
import { fill, RawClient, start, store, until, versions } from "./helpers.js";

const credential = { login: "app", passcode: "s3cret:pass" };

describe.each(versions)("STOMP %s", (version) => {
  test.each(["CONNECT", "STOMP"])("is agreed on with %s", async (command) => {
    await using broker = await start();
    using client = await RawClient.open(broker);
    client.send(command, { "accept-version": version, host: "no.such.host" });
    const { headers } = await client.next("CONNECTED");
    expect(headers.version).toBe(version);
    expect(headers.session).toMatch(/^session-[0-9a-f]{16}$/);
  });

  test("works with our own client", async () => {
    await using broker = await start();
    const bodies: string[] = [];
    const connection = await StompConnection.open({
      uri: parseUri(broker.address),
      headers: { "accept-version": version },
      onMessage: (frame) => bodies.push(frame.body.toString()),
    });
    expect(connection.version).toBe(version);
    const destination = "/queue/a";
    await connection.confirm({ command: "SUBSCRIBE", headers: { id: "1", destination }, body: "" });
    await connection.confirm({ command: "SEND", headers: { destination }, body: "hello" });
    await until(() => bodies.length === 1);
    expect(bodies).toEqual(["hello"]);
    expect(await connection.close()).toBe(true);
    await until(() => broker.status().connections === 0);
  });

  test("answers DISCONNECT with its receipt and then closes", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    await client.confirm("DISCONNECT");
    await until(() => client.isClosed);
  });

  test("refuses a second CONNECT", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    client.send("CONNECT", { "accept-version": version });
    expect((await client.refused()).headers.message).toBe("Connected already");
  });

  test("refuses a frame that no client sends", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, version);
    client.send("MESSAGE", { receipt: "7" });
    expect((await client.refused()).headers).toMatchObject({
      message: "Unknown frame MESSAGE",
      "content-type": "text/plain;charset=utf-8",
      "receipt-id": "7",
    });
  });
});

test("the newest version that both know is taken", async () => {
  await using broker = await start();
  using client = await RawClient.open(broker);
  client.send("CONNECT", { "accept-version": "0.9, 1.0, 1.1,3.0" });
  expect((await client.next("CONNECTED")).headers.version).toBe("1.1");
});

test("a client that names no version has STOMP 1.0", async () => {
  await using broker = await start();
  using client = await RawClient.open(broker);
  client.send("CONNECT");
  expect((await client.next("CONNECTED")).headers.version).toBe("1.0");
});

test("without a common version the ERROR lists ours", async () => {
  await using broker = await start();
  using client = await RawClient.open(broker);
  client.send("CONNECT", { "accept-version": "0.9,2.0" });
  const { headers, text } = await client.refused();
  expect(headers.version).toBe("1.0,1.1,1.2");
  expect(text).not.toBe("");
});

test("the server header has this package's version", async () => {
  const manifest = new URL("../../../packages/broker/package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  await using broker = await start();
  const connection = await StompConnection.open({ uri: parseUri(broker.address) });
  expect(connection.headers.server).toBe(`Spoolwire/${version}`);
  await connection.close();
});

test("frames right behind CONNECT are read in the version that it gets", async () => {
  await using broker = await start();
  using client = await RawClient.open(broker);
  client.write(
    "CONNECT\naccept-version:1.2\n\n\0SEND\ndestination:/queue/a\nreceipt:1\nx:a\\nb\\cc\\\\\\r\n\nbody\0",
  );
  await client.next("RECEIPT");
  const queue = store(broker, "a");
  const [name = ""] = queue;
  queue.lock(name);
  expect(queue.getMessage(name).header.x).toBe("a\nb:c\\\r");
});

test.each([
  ["SEND", { destination: "/queue/a", receipt: "1" }],
  ["SUBSCRIBE", { destination: "/queue/a", id: "1" }],
  ["DISCONNECT", {}],
])("%s before CONNECT is refused and does nothing", async (command, headers) => {
  await using broker = await start();
  using client = await RawClient.open(broker);
  client.send(command, headers);
  client.send("CONNECT", { "accept-version": "1.2" });
  client.send("SEND", { destination: "/queue/a" });
  expect((await client.refused()).headers.message).toBe(`Expected CONNECT or STOMP first, got ${command}`);
  expect(client.frames).toEqual([]);
  expect(broker.status().queues).toEqual({});
});

describe("with a credential", () => {
  test("who has it is let in", async () => {
    await using broker = await start({ credential });
    using client = await RawClient.connect(broker, "1.2", { ...credential });
    await client.confirm("SEND", { destination: "/queue/a" });
  });

  test.each([
    ["a wrong passcode", { login: "app", passcode: "s3cret" }],
    ["a wrong login", { login: "App", passcode: "s3cret:pass" }],
    ["no passcode", { login: "app" }],
    ["no login", { passcode: "s3cret:pass" }],
    ["neither", {}],
  ])("%s is refused", async (_, headers) => {
    await using broker = await start({ credential });
    using client = await RawClient.open(broker);
    client.send("CONNECT", { "accept-version": "1.2", ...headers });
    expect((await client.refused()).headers.message).toBe("Access refused");
    expect(broker.log.join()).toContain("Access refused");
    expect(broker.log.join()).not.toContain("s3cret");
  });

  test("our own client says that it was refused", async () => {
    await using broker = await start({ credential });
    const opening = StompConnection.open({ uri: parseUri(broker.address), login: "app", passcode: "no" });
    await expect(opening).rejects.toMatchObject({ code: "BROKER_AUTH" });
  });
});

test("without a credential any login is let in", async () => {
  await using broker = await start();
  using client = await RawClient.connect(broker, "1.1", { login: "who", passcode: "ever" });
  await client.confirm("SEND", { destination: "/queue/a" });
});

test("who does not log in in time is sent away, and who has is not", async () => {
  await using broker = await start({ loginMs: 30 });
  using client = await RawClient.connect(broker);
  using silent = await RawClient.open(broker);
  expect((await silent.refused()).headers.message).toBe("Expected CONNECT within 0.03 s");
  await client.settle();
});

describe("garbage", () => {
  test.each([
    ["a request of another protocol", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["binary bytes", Buffer.from("16030100c8010000c40303", "hex")],
    ["a line without end", "X".repeat(100_000)],
    ["a header without a colon", "CONNECT\nnonsense\n\n\0"],
    ["headers that are not UTF-8", Buffer.from("CONNECT\nx:\xe9\n\n\0", "latin1")],
    ["a body longer than is allowed", "CONNECT\ncontent-length:999999999999\n\n"],
  ])("of the kind %s gets an ERROR, and harms nobody else", async (_, bytes) => {
    await using broker = await start();
    using other = await RawClient.connect(broker);
    using client = await RawClient.open(broker);
    client.write(bytes);
    await client.refused();
    await other.settle();
    expect(broker.status().connections).toBe(1);
  });

  test("does not take with it what came before", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker);
    client.write("SEND\ndestination:/queue/a\n\none\0SEND\ndestination:/queue/a\n\ntwo\0\x07garbage");
    await client.refused();
    expect(broker.status().queues.a?.messages).toBe(2);
  });

  test("is bounded by the limits that are set", async () => {
    await using broker = await start({ limits: { body: 10 } });
    using client = await RawClient.connect(broker);
    await client.confirm("SEND", { destination: "/queue/a" }, "0123456789");
    client.send("SEND", { destination: "/queue/a" }, "0123456789a");
    await client.refused();
    expect(broker.status().queues.a?.messages).toBe(1);
  });

  test("a client that sends and closes at once has sent", async () => {
    await using broker = await start();
    const socket = net.connect(broker.port, "127.0.0.1");
    const send = "SEND\ndestination:/queue/a\n\nx\0".repeat(500);
    socket.end(`CONNECT\naccept-version:1.2\n\n\0${send}`);
    socket.resume();
    await once(socket, "close");
    await until(() => broker.status().connections === 0);
    expect(broker.status().queues.a?.messages).toBe(500);
  });
});

describe("heart-beats", () => {
  const heartBeat = { sendMs: 40, receiveMs: 40 };

  test.each([
    ["1.0", "0,0"],
    ["1.1", "40,40"],
    ["1.2", "40,40"],
  ] as const)("are offered in STOMP %s as %s", async (version, offer) => {
    await using broker = await start({ heartBeat });
    using client = await RawClient.open(broker);
    client.send("CONNECT", { "accept-version": version, "heart-beat": "50,50" });
    expect((await client.next("CONNECTED")).headers["heart-beat"]).toBe(offer);
  });

  test("come as agreed, and a client that keeps its own stays", async () => {
    await using broker = await start({ heartBeat });
    using client = await RawClient.connect(broker, "1.2", { "heart-beat": "50,60" });
    const beating = setInterval(() => client.write("\n"), 50);
    try {
      await until(() => client.arrivals.length >= 12);
    } finally {
      clearInterval(beating);
    }
    expect(client.isClosed).toBe(false);
  });

  test("a client that does not send them is given up", async () => {
    await using broker = await start({ heartBeat });
    using client = await RawClient.connect(broker, "1.1", { "heart-beat": "50,0" });
    await until(() => client.isClosed);
    expect(broker.log.join()).toContain("No heart-beat");
  });

  test("are not expected of a client that offers none", async () => {
    await using broker = await start({ heartBeat });
    using client = await RawClient.connect(broker, "1.2", { "heart-beat": "0,0" });
    const before = client.arrivals.length;
    // Longer than the broker's patience with one that does.
    await sleep(400);
    expect(client.isClosed).toBe(false);
    expect(client.arrivals.length).toBe(before);
  });

  test("are on time while others send without end", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker, "1.2", { "heart-beat": "0,1000" });
    const began = performance.now();
    const body = "x".repeat(100);
    for (let round = 0; performance.now() - began < 3000; round++) {
      await fill(broker, `/queue/busy${round}`, ...Array<string>(300).fill(body));
    }
    const times = [began, ...client.arrivals, performance.now()];
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(Math.max(...gaps)).toBeLessThan(1000);
  });
});
