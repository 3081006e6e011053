// A client that nobody here wrote.
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, test } from "vitest";
import type { Header } from "@spoolwire/message";
import { connectStompit, disconnect, type Client, type Done, type Incoming } from "../../helpers/stompit.js";
import { start, until, versions, type TestBroker } from "./helpers.js";

const clients: Client[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
});

const destination = "/queue/a";

async function connect({ port }: TestBroker, headers: Header): Promise<Client> {
  const client = await connectStompit(port, headers);
  clients.push(client);
  return client;
}

function send(client: Client, body: string | Buffer, headers: Header = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const done: Done = (error) => (error ? reject(error) : resolve());
    client.send({ destination, ...headers }, { onReceipt: () => done(), onError: done }).end(body);
  });
}

/** Subscribe, and collect what comes with its body. */
function subscribe(client: Client, headers: Header, onMessage?: (message: Incoming) => void) {
  const bodies: string[] = [];
  const messages: Incoming[] = [];
  const errors: Error[] = [];
  const subscription = client.subscribe({ destination, ...headers }, (error, message) => {
    if (error) errors.push(error);
    else if (message) {
      messages.push(message);
      void text(message).then((body) => {
        bodies.push(body);
        onMessage?.(message);
      });
    }
  });
  return { bodies, messages, errors, subscription };
}

describe.each(versions)("stompit with STOMP %s", (version) => {
  const headers = { "accept-version": version };

  test("connects, sends with receipts, gets all of it back and disconnects", async () => {
    await using broker = await start();
    const client = await connect(broker, headers);
    expect(client.headers.version).toBe(version);
    const expected = Array.from({ length: 20 }, (_, n) => `message ${n}`);
    for (const body of expected) await send(client, body, { "content-type": "text/plain", kept: "value" });
    expect(broker.status().queues.a?.messages).toBe(20);
    const { bodies, messages } = subscribe(client, { ack: "auto" });
    await until(() => bodies.length === 20);
    expect(bodies).toEqual(expected);
    expect(messages[0]?.headers).toMatchObject({ destination, kept: "value", "content-type": "text/plain" });
    await disconnect(client);
    await until(() => broker.status().connections === 0);
    expect(broker.status().queues.a?.messages).toBe(0);
  });

  test.each([
    ["client", [3]],
    ["client-individual", [0, 1, 3]],
  ])("acknowledges with ack:%s", async (ack, acknowledged) => {
    await using broker = await start();
    const client = await connect(broker, headers);
    for (const body of ["0", "1", "2", "3", "4"]) await send(client, body);
    const { bodies, messages } = subscribe(client, { ack });
    await until(() => bodies.length === 5);
    for (const index of acknowledged) client.ack(messages[index]!);
    await until(() => broker.status().queues.a?.messages === (ack === "client" ? 1 : 2));
    client.destroy();
    const other = await connect(broker, headers);
    const rest = subscribe(other, { ack: "auto" });
    await until(() => broker.status().queues.a?.messages === 0);
    await until(() => rest.bodies.length === (ack === "client" ? 1 : 2));
    expect(rest.bodies).toEqual(ack === "client" ? ["4"] : ["2", "4"]);
    expect(rest.messages[0]?.headers.redelivered).toBe("true");
  });

  test("gets again what it does not acknowledge", async () => {
    await using broker = await start();
    const client = await connect(broker, headers);
    await send(client, "x");
    const { bodies, messages } = subscribe(client, { ack: "client-individual" }, (message) => {
      if (message.headers.redelivered === "true") client.ack(message);
      else client.nack(message);
    });
    await until(() => broker.status().queues.a?.messages === 0);
    expect(bodies).toEqual(["x", "x"]);
    expect(messages.map((message) => message.headers.redelivered)).toEqual([undefined, "true"]);
  });

  test("gets nothing after it has unsubscribed", async () => {
    await using broker = await start();
    const client = await connect(broker, headers);
    const { bodies, subscription } = subscribe(client, { ack: "auto" });
    await send(client, "one");
    await until(() => bodies.length === 1);
    subscription.unsubscribe();
    await send(client, "two");
    expect(broker.status().queues.a).toMatchObject({ messages: 1, subscriptions: 0 });
  });

  test("is told of a frame that is refused", async () => {
    await using broker = await start();
    const client = await connect(broker, headers);
    await expect(send(client, "x", { destination: "nowhere" })).rejects.toThrow(/Expected a destination/);
  });
});

test("stompit is refused with a wrong password", async () => {
  await using broker = await start({ credential: { login: "app", passcode: "right" } });
  await expect(connect(broker, { login: "app", passcode: "wrong" })).rejects.toThrow("Access refused");
  const client = await connect(broker, { login: "app", passcode: "right" });
  await send(client, "x");
  expect(broker.status().queues.a?.messages).toBe(1);
});

test("stompit keeps the heart-beat that it agrees on", async () => {
  await using broker = await start({ heartBeat: { sendMs: 250, receiveMs: 250 } });
  const client = await connect(broker, { "heart-beat": "250,250" });
  const errors: unknown[] = [];
  client.on("error", (error) => errors.push(error));
  // Both would have given up: the broker after four times the silence, stompit after less.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(errors).toEqual([]);
  await send(client, "x");
});
