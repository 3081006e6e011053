// Which acknowledgements a broker gets, where one of them speaks for all that came before it.
import { formatUri } from "@spoolwire/stomp";
import { StompSource } from "@spoolwire/stompclt";
import type { Ticket } from "@spoolwire/transfer";
import { afterEach, expect, test } from "vitest";
import { brokerOptions } from "../../helpers/broker-options.js";
import { frame, receipt, startStompServer, type StompServer } from "../../helpers/stomp-server.js";

let server: StompServer | undefined;
afterEach(async () => {
  const last = server;
  server = undefined;
  await last?.stop();
});

/**
 * Receive messages named by their subscription (`a1` is the first of the subscription a), acknowledge some of them in
 * this order, and say goodbye.
 * @returns the ids of all ACKs that the broker got
 */
async function acknowledged(
  { version = "1.2", subscriptions, reliable = true }: Given,
  names: readonly string[],
  order: readonly string[],
): Promise<string[]> {
  const acks: string[] = [];
  let subscribed = 0;
  server = await startStompServer(async (peer) => {
    await peer.login({ version });
    for await (const { command, headers } of peer.frames()) {
      if (command === "ACK") acks.push(headers.id ?? headers["message-id"] ?? "");
      if (headers.receipt !== undefined) peer.send(receipt(headers.receipt));
      if (command !== "SUBSCRIBE" || ++subscribed < subscriptions.length) continue;
      for (const name of names) {
        peer.send(frame("MESSAGE", { subscription: name.charAt(0), "message-id": name, ack: name }, name));
      }
    }
  });
  const source = new StompSource({
    ...brokerOptions(formatUri(server.uri), { reliable }),
    subscriptions: subscriptions.map((more) => ({ destination: "/queue/x", ...more })),
    unsubscriptions: undefined,
    prefetch: undefined,
  });
  await source.start(new AbortController().signal);
  const tickets = new Map<string, Ticket>();
  while (tickets.size < names.length) {
    const arrival = await source.next(100);
    if (arrival.kind === "message") tickets.set(String(arrival.message.body), arrival.ticket);
  }
  for (const name of order) source.ack(tickets.get(name));
  await source.stop();
  return acks;
}

interface Given {
  readonly version?: string;
  readonly subscriptions: Record<string, string>[];
  readonly reliable?: boolean;
}

const a = { id: "a" };
const client = { id: "a", ack: "client" };

test.each<[string, Given, string[], string[], string[]]>([
  ["each for itself", { subscriptions: [a] }, ["a1", "a2", "a3"], ["a3", "a1"], ["a3", "a1"]],
  [
    "STOMP 1.0: none behind one that stays",
    { version: "1.0", subscriptions: [a] },
    ["a1", "a2", "a3"],
    ["a2", "a3"],
    [],
  ],
  [
    "STOMP 1.0: in the order in which they came",
    { version: "1.0", subscriptions: [a] },
    ["a1", "a2", "a3", "a4"],
    ["a3", "a1", "a2"],
    ["a1", "a2", "a3"],
  ],
  [
    "ack=client: the same",
    { subscriptions: [client] },
    ["a1", "a2", "a3"],
    ["a2", "a3", "a1"],
    ["a1", "a2", "a3"],
  ],
  [
    "ack=client: those of other subscriptions count, which need not wait themselves",
    { subscriptions: [client, { id: "b" }] },
    ["b1", "a1", "b2", "a2"],
    ["a1", "b2", "b1", "a2"],
    ["b2", "b1", "a1", "a2"],
  ],
  [
    "a subscription that is not told is one that takes care",
    { subscriptions: [client, { id: "b" }] },
    ["?1", "?2"],
    ["?2", "?1"],
    ["?1", "?2"],
  ],
  [
    "not reliable: when it is taken, if the subscription wants that",
    { subscriptions: [client], reliable: false },
    ["a1", "a2"],
    [],
    ["a1", "a2"],
  ],
])("acknowledges: %s", async (_, given, names, order, expected) => {
  expect(await acknowledged(given, names, order)).toEqual(expected);
});
