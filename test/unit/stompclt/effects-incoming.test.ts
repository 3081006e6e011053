// What single options of receiving do, as a broker sees it.
import { join } from "node:path";
import { DqsQueue } from "@spoolwire/message";
import { formatUri } from "@spoolwire/stomp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runAgent } from "../../helpers/agents.js";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import {
  frame,
  receipt,
  startStompServer,
  type ClientFrame,
  type StompServer,
} from "../../helpers/stomp-server.js";

let directory: string;
let server: StompServer | undefined;
/** All that the broker was told. */
let frames: ClientFrame[];
/** From where. */
let from: string | undefined;
beforeEach(() => {
  directory = temporaryDirectory("effects", inMemory);
  frames = [];
});
afterEach(async () => {
  removeDirectory(directory);
  const last = server;
  server = undefined;
  await last?.stop();
});

/** Run an agent that receives from a broker that says who it is, and sends these bodies to the subscription 0. */
async function receive(greeting: Readonly<Record<string, string>>, bodies: string[], ...more: string[]) {
  server = await startStompServer(async (peer) => {
    from = peer.socket.remoteAddress;
    frames.push(await peer.login(greeting));
    for await (const each of peer.frames()) {
      frames.push(each);
      if (each.headers.receipt !== undefined) peer.send(receipt(each.headers.receipt));
      if (each.command !== "SUBSCRIBE" || each.headers.id !== "0") continue;
      for (const [index, body] of bodies.entries()) {
        const headers = { subscription: "0", "message-id": `${index}`, ack: `a${index}` };
        peer.send(frame("MESSAGE", { ...headers, "content-type": "text/plain" }, body));
      }
    }
  });
  const ends = more.includes("--count") ? [] : ["--duration", "0.3"];
  return await runAgent("stompclt", [
    ...["--incoming-broker-uri", formatUri(server.uri), "--subscribe", "destination=/queue/x"],
    ...["--outgoing-queue", `path=${join(directory, "to")}`, ...ends, ...more],
  ]);
}

const ok = { status: 0, stderr: "" };
const told = (command: string) =>
  frames.filter((each) => each.command === command).map(({ headers }) => headers);
const arrived = () => new DqsQueue({ path: join(directory, "to") }).count();

describe("--prefetch is said as the broker knows it", () => {
  const seven = ["--prefetch", "7"];
  test.each<[Record<string, string>, string[], Record<string, string>]>([
    [{ server: "ActiveMQ/5.17.2" }, seven, { "activemq.prefetchSize": "7" }],
    [{ session: "ID:host-40225-1700000000000-3:1" }, seven, { "activemq.prefetchSize": "7" }],
    [
      { server: "ActiveMQ-Artemis/2.28.0 ActiveMQ Artemis Messaging Engine" },
      seven,
      { "consumer-window-size": "7" },
    ],
    [{ server: "apache-apollo/1.7.1" }, seven, { credit: "7" }],
    [{ session: "broker-1a" }, seven, { credit: "7" }],
    [{ server: "RabbitMQ/3.10.8" }, seven, { "prefetch-count": "7" }],
    [{ session: "session-Zx9" }, seven, { "prefetch-count": "7" }],
    [{ server: "Spoolwire/0.1.0" }, seven, { "prefetch-count": "7" }],
    ...["ActiveMQ", "Apollo", "Artemis", "RabbitMQ"].map(
      (type, index): [Record<string, string>, string[], Record<string, string>] => [
        { server: "somebody else" },
        [...seven, "--incoming-broker-type", type],
        { [["activemq.prefetchSize", "credit", "consumer-window-size", "prefetch-count"][index]!]: "7" },
      ],
    ),
    [{ server: "RabbitMQ/3.10.8" }, ["--reliable", "--count", "3"], { "prefetch-count": "3" }],
    [{ server: "RabbitMQ/3.10.8" }, ["--reliable", "--count", "300"], { "prefetch-count": "100" }],
  ])("%j %j", async (greeting, more, expected) => {
    expect(await receive(greeting, [], "--duration", "0.3", ...more)).toMatchObject(ok);
    const [subscribed] = told("SUBSCRIBE");
    expect(subscribed).toMatchObject({ destination: "/queue/x", ...expected });
    expect(Object.keys(subscribed!)).toHaveLength(5);
  });

  test.each([[[]], [["--incoming-broker-type", "UNKNOWN"]]])("and to nobody else: %j", async (more) => {
    const server = more.length > 0 ? "RabbitMQ/3.10.8" : "somebody else";
    const { status, stderr } = await receive({ server }, [], "--prefetch", "7", ...more);
    expect(stderr).toMatch(/--prefetch needs a broker that is known, or --incoming-broker-type/);
    expect(status).toBe(64);
  });
});

test.each([
  ["1.2", ["--reliable"], "client-individual"],
  ["1.1", ["--reliable"], "client-individual"],
  ["1.0", ["--reliable"], "client"],
  ["1.2", [], "auto"],
  ["1.0", [], "auto"],
])(
  "--subscribe in STOMP %s with %j: id and receipt are ours if it has none, ack is %s",
  async (version, more, ack) => {
    const second = ["--subscribe", "destination=/topic/y id=events selector=x%3D1"];
    expect(await receive({ version }, [], ...second, ...more)).toMatchObject(ok);
    const subscribed = told("SUBSCRIBE");
    expect(subscribed.map(({ receipt: id, ...rest }) => (expect(id).toBeTruthy(), rest))).toEqual([
      { destination: "/queue/x", id: "0", ack },
      { destination: "/topic/y", id: "events", selector: "x=1", ack },
    ]);
  },
);

test.each<[string[], string[]]>([
  [[], []],
  [
    ["--unsubscribe", ""],
    ["0", "events"],
  ],
])("--unsubscribe, even if it is empty, ends the subscriptions: %j", async (more, expected) => {
  const second = ["--subscribe", "destination=/topic/y id=events"];
  expect(await receive({}, [], ...second, ...more)).toMatchObject(ok);
  const ended = told("UNSUBSCRIBE");
  expect(ended.map(({ id }) => id)).toEqual(expected);
  for (const { receipt: id } of ended) expect(id).toBeTruthy();
});

test("--incoming-broker-auth and --incoming-broker-connect are who we say we are", async () => {
  const auth = ["--incoming-broker-auth", "plain name=app pass=s3cret"];
  expect(await receive({}, [], ...auth, "--incoming-broker-connect", "client-id=me")).toMatchObject(ok);
  expect(told("CONNECT")).toEqual([
    {
      ...{ "accept-version": "1.0,1.1,1.2", "heart-beat": "0,0" },
      ...{ login: "app", passcode: "s3cret", "client-id": "me" },
    },
  ]);
});

test("--incoming-broker-sockopts localaddr=ADDRESS is where we come from", async () => {
  expect(await receive({}, [], "--incoming-broker-sockopts", "localaddr=127.0.0.2")).toMatchObject(ok);
  expect(from).toBe("127.0.0.2");
});

test("--incoming-broker-sockopts family=6 is which addresses of a name are meant", async () => {
  // At 127.0.0.1 only.
  server = await startStompServer((peer) => peer.left());
  const { status, stderr } = await runAgent("stompclt", [
    ...[
      "--incoming-broker-uri",
      `stomp://localhost:${server.uri.port}`,
      "--subscribe",
      "destination=/queue/x",
    ],
    ...["--outgoing-queue", `path=${join(directory, "to")}`, "--no-reconnect"],
    ...["--incoming-broker-sockopts", "family=6"],
  ]);
  expect(stderr).toMatch(/Cannot connect to stomp:\/\/localhost:\d+/);
  expect(status).toBe(69);
  expect(server.clients).toBe(0);
});

test.each([
  ["command", /sent SUBSCRIBE\n(.*\n)*.*received MESSAGE\n/, /s3cret/],
  ["header,body", /received MESSAGE {.*"message-id":"0".*} with 6 bytes "s3cret"\n/, /received \d+ bytes/],
])("--incoming-broker-stomp-debug %s is traced", async (words, shown, hidden) => {
  const trace = ["--debug", "--incoming-broker-stomp-debug", words];
  const { status, stderr } = await receive({}, ["s3cret"], "--count", "1", ...trace);
  expect(stderr).toMatch(shown);
  expect(stderr).not.toMatch(hidden);
  expect(status).toBe(0);
  // Without --debug nobody asks.
  expect(await receive({}, ["s3cret"], "--count", "1", ...trace.slice(1))).toMatchObject(ok);
});

test.each([
  [["--keep-headers"], { subscription: "0", ack: "a0", "content-type": "text/plain", "message-id": "0" }],
  [["--no-keep-headers"], { "content-type": "text/plain", "message-id": "0" }],
])("%j: what a header says of one delivery only", async (more, expected) => {
  expect(await receive({}, ["1"], "--count", "1", ...more)).toMatchObject(ok);
  const queue = new DqsQueue({ path: join(directory, "to") });
  const [name = ""] = queue;
  expect(queue.lock(name)).toBe(true);
  expect(queue.getMessage(name).header).toEqual(expected);
});

test("--count counts before the callback, and what is dropped is acknowledged", async () => {
  const drop = ["--callback-code", 'if (bdy === "1") return "dropped"'];
  const two = ["--reliable", "--count", "2", ...drop];
  expect(await receive({ server: "RabbitMQ/3.10.8" }, ["1", "2", "3"], ...two)).toMatchObject(ok);
  expect(arrived()).toBe(1);
  expect(told("ACK").map(({ id }) => id)).toEqual(["a0", "a1"]);
});

test("--duration is when the run ends, at the latest", async () => {
  const started = performance.now();
  expect(await receive({}, ["1"], "--duration", "0.3")).toMatchObject(ok);
  expect(performance.now() - started).toBeGreaterThan(299);
  expect(arrived()).toBe(1);
});
