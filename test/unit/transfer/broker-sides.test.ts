// What the sources and sinks of brokers do with what goes wrong, whatever the protocol.
import { BrokerError, Message } from "@spoolwire/message";
import {
  BrokerSink,
  BrokerSource,
  Transfer,
  type Delivery,
  type SendingConnection,
} from "@spoolwire/transfer";
import { createLogger } from "@spoolwire/program";
import { expect, test } from "vitest";
import { brokerOptions } from "../../helpers/broker-options.js";

const never = new AbortController().signal;
const brokers = {};

/** A source to which these are delivered; `accepted` are those that the broker may forget. */
async function deliver(reliable: boolean, ...bodies: string[]) {
  const accepted: string[] = [];
  const options = { ...brokerOptions("test://b", { reliable, maxBodySize: 10 }), subscriptions: [{}] };
  const source = new BrokerSource(
    {
      brokers,
      connect: async (arrive) => {
        for (const body of bodies) {
          const delivery: Delivery = {
            read: () => new Message({ body }),
            accept: () => accepted.push(body),
            describe: () => `message ${body.slice(0, 1)}`,
          };
          arrive(delivery);
        }
        return await Promise.resolve({ close: () => Promise.resolve(true) });
      },
    },
    { ...options, unsubscriptions: undefined, prefetch: undefined },
  );
  await source.start(never);
  return { source, accepted };
}

const noRoom = () => {
  throw new Error("ENOSPC: no space left");
};

test("what cannot be kept elsewhere stays with its broker, and the run goes on", async () => {
  const { source, accepted } = await deliver(true, "1", "2");
  const arrival = await source.next(0);
  if (arrival.kind !== "message") throw new Error(arrival.kind);
  expect(source.reject(arrival.ticket, "no good", noRoom)).toBe(
    "broker test://b, message 1: no good; it stays there, since ENOSPC: no space left",
  );
  expect(accepted).toEqual([]);
  expect(source.reject(arrival.ticket, "no good", () => "it is kept")).toMatch(/no good; it is kept$/);
  expect(accepted).toEqual(["1"]);
  expect(await source.next(0)).toMatchObject({ kind: "message" });
});

test("of a source that is not reliable it is lost, and that is said", async () => {
  const { source, accepted } = await deliver(false, "1");
  const arrival = await source.next(0);
  if (arrival.kind !== "message") throw new Error(arrival.kind);
  const lost = "broker test://b, message 1: no good; it is lost, as the source is not reliable";
  expect(source.reject(arrival.ticket, "no good")).toBe(lost);
  expect(source.reject(arrival.ticket, "no good", noRoom)).toBe(`${lost}, since ENOSPC: no space left`);
  expect(accepted).toEqual(["1"]);
});

test.each([
  [true, "it stays there", []],
  [false, "it is lost, as the source is not reliable", ["a larger one"]],
])("what cannot be had makes room for others where nobody acknowledges: reliable %s", async (...args) => {
  const [reliable, fate, forgotten] = args;
  const { source, accepted } = await deliver(reliable, "a larger one");
  const arrival = await source.next(0);
  if (arrival.kind !== "rejected") throw new Error(arrival.kind);
  expect(arrival.told.endsWith(`; ${fate}`)).toBe(true);
  expect(accepted).toEqual(forgotten);
});

test("an idle sender whose broker is gone for good ends, and says why", async () => {
  let lose: (error: Error) => void = () => undefined;
  const connection: SendingConnection<string> = {
    send: () => true,
    drained: () => Promise.resolve(),
    flushed: () => Promise.resolve(true),
    awaited: undefined,
    end: () => undefined,
    close: () => Promise.resolve(true),
  };
  const sink = new BrokerSink(
    {
      brokers,
      prepare: () => "",
      connect: (lost) => {
        lose = lost;
        return Promise.resolve(connection);
      },
    },
    brokerOptions("test://b", { backOff: undefined, mayReconnect: false }),
  );
  const idle = {
    name: "idle",
    start: () => Promise.resolve(),
    next: (waitMs: number) =>
      new Promise<{ kind: "none" }>((resolve) => setTimeout(() => resolve({ kind: "none" }), waitMs)),
    wake: () => undefined,
    ack: () => undefined,
    release: () => undefined,
    reject: () => "",
    stop: () => Promise.resolve(),
  };
  const gone = new BrokerError("BROKER_CLOSED", "it is gone");
  const started = performance.now();
  setTimeout(() => lose(gone), 100);
  await expect(new Transfer(idle, sink, createLogger("test")).run(never)).rejects.toBe(gone);
  expect(performance.now() - started).toBeLessThan(2000);
});
