// What no broker here can be made to say is said by a peer of our own: outcomes, refusals, ends.
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { amqp10 } from "@spoolwire/amqpclt";
import { DqsQueue, Message } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import { QueueSource, Transfer } from "@spoolwire/transfer";
import type { EventContext } from "rhea";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startAmqpPeer, type AmqpPeer } from "../../helpers/amqp-peer.js";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { brokerOptions } from "../../helpers/broker-options.js";

let directory: string;
let queue: DqsQueue;
let peer: AmqpPeer;
let told: string[];
/** How often each body has come. */
let came: Map<string, number>;

beforeEach(async () => {
  directory = temporaryDirectory("outcomes", inMemory);
  queue = new DqsQueue({ path: join(directory, "queue") });
  told = [];
  came = new Map();
  peer = await startAmqpPeer();
});
afterEach(async () => {
  await peer[Symbol.asyncDispose]();
  removeDirectory(directory);
});

/**
 * What the peer says to the n-th coming of each body. One at a time: of two different outcomes that follow each other
 * at once the library tells the first for both.
 */
function answer(say: (context: EventContext, body: string, times: number) => void): void {
  let turn = Promise.resolve();
  peer.container.on("message", (context: EventContext) => {
    const body = String(context.message?.body);
    const times = (came.get(body) ?? 0) + 1;
    came.set(body, times);
    turn = turn.then(() => setImmediate()).then(() => say(context, body, times));
  });
}

const fill = (...bodies: string[]) =>
  bodies.forEach((body) => queue.addMessage(new Message({ header: { destination: "there" }, body })));

const send = async () => {
  const log = createLogger("outcomes", 0, (line) => told.push(line));
  const options = brokerOptions(peer.uri, {
    backOff: { initialMs: 1, maxMs: 10, multiplier: 2, attempts: 20 },
    log,
  });
  const transfer = new Transfer(new QueueSource(queue, log, { remove: true }), amqp10.openSink(options), log);
  return transfer.run(AbortSignal.timeout(30_000));
};

const quarantined = () => [...queue.quarantined()].map(({ reason }) => reason);
const timeout = 40_000;

test("a rejected message is put aside at once, with the broker's reason", { timeout }, async () => {
  answer(({ delivery }, body) => {
    if (body === "bad") delivery?.reject({ condition: "app:ugly", description: "we do not like it" });
    else delivery?.accept();
  });
  fill("good", "bad", "better");
  expect(await send()).toMatchObject({ confirmed: 2, rejected: 1 });
  expect(quarantined()).toEqual([
    "The broker does not take what is sent to there: app:ugly: we do not like it",
  ]);
  expect(Object.fromEntries(came)).toEqual({ good: 1, bad: 1, better: 1 });
  expect(queue.count()).toBe(0);
});

test.each([
  { outcome: "released", say: (context: EventContext) => context.delivery?.release() },
  {
    outcome: "modified",
    say: (context: EventContext) => context.delivery?.modified({ delivery_failed: true }),
  },
])("a $outcome message is sent again, three times at most", { timeout }, async ({ outcome, say }) => {
  answer((context, body, times) => {
    if (body === "never" || (body === "later" && times < 3)) say(context);
    else context.delivery?.accept();
  });
  fill("later", "never", "good");
  expect(await send()).toMatchObject({ confirmed: 2, rejected: 1 });
  expect(quarantined()).toEqual([`The broker does not take what is sent to there: ${outcome}`]);
  expect(Object.fromEntries(came)).toEqual({ later: 3, never: 3, good: 1 });
});

test(
  "a message that makes the peer end the session is found, and the others arrive",
  { timeout },
  async () => {
    answer(({ delivery, session }, body) => {
      if (body === "poison")
        session?.close({ condition: "amqp:not-implemented", description: "what is that" });
      else delivery?.accept();
    });
    fill("1", "2", "poison", "3");
    expect(await send()).toMatchObject({ confirmed: 3, rejected: 1 });
    expect(quarantined()[0]).toContain("amqp:not-implemented: what is that");
  },
);

test(
  "a link that is refused is tried three times, and the message put aside with the reason",
  { timeout },
  async () => {
    peer.container.on("receiver_open", ({ receiver }: EventContext) =>
      receiver?.close({ condition: "amqp:not-found", description: "no node" }),
    );
    answer(({ delivery }) => delivery?.accept());
    fill("x");
    expect(await send()).toMatchObject({ confirmed: 0, rejected: 1 });
    expect(quarantined()[0]).toContain("amqp:not-found: no node");
  },
);

test("a peer that refuses everything does not empty the queue into the quarantine", { timeout }, async () => {
  answer(({ delivery }) => delivery?.reject({ condition: "app:no", description: "no" }));
  fill(...Array.from({ length: 50 }, (_, index) => `${index}`));
  await expect(send()).rejects.toMatchObject({ code: "BROKER_REJECTED" });
  expect(quarantined()).toHaveLength(10);
  expect(queue.count()).toBe(40);
});
