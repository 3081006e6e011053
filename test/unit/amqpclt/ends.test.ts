// Ends that come in between: of a connection, a session, a broker that says nothing. Nothing waits for ever after them.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { amqp091, amqp10 } from "@spoolwire/amqpclt";
import { DqsQueue, Message } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import { QueueSource, Transfer, type BrokerOptions, type Protocol } from "@spoolwire/transfer";
import type { EventContext } from "rhea";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Amqp091Client, startAmqp091Peer } from "../../helpers/amqp-091-peer.js";
import { type AmqpPeer, startAmqpPeer } from "../../helpers/amqp-peer.js";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { brokerOptions } from "../../helpers/broker-options.js";
import { makeCertificates } from "../../helpers/certificates.js";
import { requires } from "../../helpers/requirements.js";

let directory: string;
let queue: DqsQueue;
let told: string[];
beforeEach(() => {
  directory = temporaryDirectory("ends", inMemory);
  queue = new DqsQueue({ path: join(directory, "queue") });
  told = [];
});
afterEach(() => removeDirectory(directory));

const again = { backOff: { initialMs: 1, maxMs: 10, multiplier: 2, attempts: 20 } };

function send(protocol: Protocol, uri: string, own: Partial<BrokerOptions> = {}) {
  const log = createLogger("ends", 0, (line) => told.push(line));
  const sink = protocol.openSink(brokerOptions(uri, { log, ...own }));
  return new Transfer(new QueueSource(queue, log, { remove: true }), sink, log).run(
    AbortSignal.timeout(10_000),
  );
}

const fill = (count: number, destination = "/queue/there") => {
  for (let index = 0; index < count; index++) {
    queue.addMessage(new Message({ header: { destination }, body: `${index}` }));
  }
};

const refusal = { condition: "app:no", description: "not here" };

describe("AMQP 1.0", () => {
  let peer: AmqpPeer;
  beforeEach(async () => void (peer = await startAmqpPeer()));
  afterEach(() => peer[Symbol.asyncDispose]());

  const socketOf = ({ connection }: EventContext) => (connection as unknown as { socket: Socket }).socket;

  test("who waits for credit goes on when the connection is lost, which is told", async () => {
    peer.container.once("receiver_open", (context: EventContext) => socketOf(context).destroy());
    peer.container.on("message", ({ delivery }: EventContext) => delivery?.accept());
    fill(5);
    expect(await send(amqp10, peer.uri, again)).toMatchObject({ confirmed: 5, rejected: 0 });
    expect(told.join("\n")).toMatch(/connecting again until it is there/);
    expect(told.join("\n")).not.toContain("Cannot connect");
  });

  test.each([
    { what: "link", end: ({ receiver }: EventContext) => receiver?.close(refusal) },
    { what: "session", end: ({ session }: EventContext) => session?.close(refusal) },
  ])("a $what that is refused is told, also without --reliable", async ({ end }) => {
    peer.container.on("message", (context: EventContext) => end(context));
    fill(1);
    const sent = send(amqp10, peer.uri, { reliable: false, timeoutFlush: 8 });
    await expect(sent).rejects.toMatchObject({
      code: "BROKER_REJECTED",
      message: expect.stringContaining("app:no: not here") as string,
    });
  });

  test("a link that ends without a reason is opened again, also without --reliable", async () => {
    const bodies: string[] = [];
    peer.container.on("message", ({ message, receiver }: EventContext) => {
      bodies.push(String(message?.body));
      if (bodies.length === 1) receiver?.close();
    });
    fill(1);
    const log = createLogger("ends", 0, (line) => told.push(line));
    const sink = amqp10.openSink(brokerOptions(peer.uri, { log, reliable: false }));
    const source = new QueueSource(queue, log, { remove: true, loop: true });
    const stop = new AbortController();
    const done = new Transfer(source, sink, log).run(stop.signal);
    await expect.poll(() => bodies, { timeout: 5000 }).toEqual(["0"]);
    await sleep(100);
    fill(2);
    await expect.poll(() => bodies, { timeout: 5000 }).toEqual(["0", "0", "1"]);
    stop.abort();
    expect(await done).toMatchObject({ confirmed: 3 });
  });
});

describe("AMQP 0-9-1", () => {
  test("who waits for a queue to be declared goes on when the connection is given up", async () => {
    let clients = 0;
    const peer = await startAmqp091Peer((client) => {
      const isFirst = ++clients === 1;
      client.answers = (request) => request !== "50.10" || !isFirst;
      client.onMessage = (channel, tag) => client.confirm(channel, tag);
    });
    fill(5);
    const report = await send(amqp091, peer.uri, { ...again, timeoutBroker: 0.5 });
    await peer.stop();
    expect(report).toMatchObject({ confirmed: 5, rejected: 0 });
    expect(clients).toBe(2);
  });

  test("what is under way when a connection is lost is not refused, however often", async () => {
    const clients: Amqp091Client[] = [];
    const peer = await startAmqp091Peer((client) => {
      clients.push(client);
      const isLast = clients.length === 6;
      client.onMessage = (channel, tag) => {
        if (isLast) client.confirm(channel, tag);
        else if (tag === 3) client.socket.destroy();
      };
    });
    fill(3);
    const report = await send(amqp091, peer.uri, again);
    await peer.stop();
    expect(report).toMatchObject({ confirmed: 3, rejected: 0 });
    expect(told.join("\n")).not.toContain("closed the channel");
    expect(clients).toHaveLength(6);
  });

  test("what the library refuses to declare leaves no channel open", async () => {
    let open = 0;
    const peer = await startAmqp091Peer((client) => {
      client.answers = (request) => {
        if (request === "20.10") open++;
        if (request === "20.40") open--;
        return true;
      };
    });
    fill(1, `exchange=name=e,type=${"x".repeat(256)}`);
    const report = await send(amqp091, peer.uri, { maxAttempts: 3 });
    await peer.stop();
    expect(report).toMatchObject({ confirmed: 0, rejected: 1 });
    expect(open).toBe(0);
  });
});

describe.each(["amqp10", "amqp10s", "amqp091", "amqp091s"])("%s", (scheme) => {
  const protocol = scheme.startsWith("amqp10") ? amqp10 : amqp091;

  test("a server that says nothing is left, whoever gives up", async () => {
    const gone: Promise<unknown>[] = [];
    const server = createServer((socket) => {
      socket.on("error", () => undefined).resume();
      gone.push(once(socket, "close"));
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const uri = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const late = protocol.openSink(brokerOptions(uri, { timeoutConnect: 0.2 }));
    await expect(late.start(new AbortController().signal)).rejects.toMatchObject({ code: "BROKER_TIMEOUT" });
    const stopped = protocol.openSink(brokerOptions(uri));
    await expect(stopped.start(AbortSignal.timeout(200))).rejects.toMatchObject({ name: "TimeoutError" });
    expect(gone).toHaveLength(2);
    const left = await Promise.race([Promise.all(gone), sleep(2000, "never")]);
    server.close();
    expect(left).not.toBe("never");
  });
});

describe.runIf(requires("openssl"))("with TLS", () => {
  test.each([
    { scheme: "amqp10s", protocol: amqp10 },
    { scheme: "amqp091s", protocol: amqp091 },
  ])("a certificate that does not go with its key is no connection, over $scheme", async (each) => {
    const { client, server } = makeCertificates(directory);
    const x509 = { scheme: "x509", cert: client.cert, key: server.key } as const;
    const sink = each.protocol.openSink(brokerOptions(`${each.scheme}://127.0.0.1:1`, { x509 }));
    await expect(sink.start(new AbortController().signal)).rejects.toMatchObject({ code: "BROKER_CONNECT" });
  });
});
