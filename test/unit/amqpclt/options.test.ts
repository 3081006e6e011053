// What amqpclt's own options do, as far as it shows without a broker.
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { runAgent } from "../../helpers/agents.js";

let directory: string;
let queue: DqsQueue;
beforeEach(() => {
  directory = temporaryDirectory("amqp-options", inMemory);
  queue = new DqsQueue({ path: join(directory, "q") });
  queue.addMessage(new Message({ header: { destination: "anywhere" }, body: "x" }));
});
afterEach(() => removeDirectory(directory));

const send = (uri: string, ...more: string[]) =>
  runAgent("amqpclt", ["--incoming-queue", `path=${queue.path}`, "--outgoing-broker-uri", uri, ...more]);
const module = "--outgoing-broker-module";

test.each([
  { how: [], isSent: true },
  { how: [module, "rhea"], isSent: true },
  { how: [module, "amqplib"], isSent: false },
  { how: [module, "pika"], isSent: false },
])("amqp:// with %j is the AMQP of that module", async ({ how, isSent }) => {
  // To AMQP 1.0 any text is an address, to 0-9-1 it is not.
  const { status, stdout, stderr } = await send("amqp://127.0.0.1:1", "--dry-run", ...how);
  expect(stdout).toBe(isSent ? '{"destination":"anywhere"} 1 bytes of text\n' : "");
  expect(stderr).toMatch(isSent ? /^$/ : /^\S+ \S+: Expected a destination as \/queue\/NAME, .*\n$/);
  expect(status).toBe(isSent ? 0 : 65);
  expect(queue.count()).toBe(1);
});

test.each([
  [["amqp://h", module, "proton"], "--outgoing-broker-module to be one of rhea, amqplib, pika, kombu, got"],
  [["amqp091://h", module, "rhea"], "--outgoing-broker-uri to start with amqp://, .* for rhea, got"],
  [["stomp://h:1", module, "amqplib"], "--outgoing-broker-uri to start with amqp091://, .* for amqplib, got"],
  [
    ["amqp://h/v", "--outgoing-broker-connect", "host=w"],
    "a virtual host in the URI or as host=VHOST, got both",
  ],
  [["failover:(amqp091://h,amqp10://g)"], "all brokers of a list to speak amqp091, got amqp10://g"],
  [["failover:(amqp://h,amqp091://g)"], "all brokers of a list to speak amqp10, got amqp091://g"],
  [["amqp://h", "--outgoing-broker-auth", "x509 cert=/c"], "A certificate needs a URI with amqps://"],
  [
    ["amqp://h", "--outgoing-broker-sockopts", "nodelay=1"],
    "--outgoing-broker-sockopts does not go with AMQP",
  ],
  [["amqp091://h", "--outgoing-broker-stomp-debug", "all"], "-stomp-debug does not go with AMQP"],
  [["amqp://h", "--incoming-broker-module", "rhea"], "--incoming-broker-module .*--incoming-broker-uri"],
])("%j is refused in one line", async ([uri = "", ...how], words) => {
  const { status, stderr } = await send(uri, ...how);
  expect(stderr).toMatch(new RegExp(`^amqpclt: [^\\n]*${words}[^\\n]*\\n$`));
  expect(status).toBe(64);
});

test.each(["amqp10://h", "amqp091://h"])(
  "what is STOMP's of receiving does not go with %s, all at once",
  async (uri) => {
    const { status, stderr } = await runAgent("amqpclt", [
      ...[
        "--incoming-broker-uri",
        uri,
        "--subscribe",
        "destination=/queue/x",
        "--outgoing-queue",
        "type=NULL",
      ],
      ...["--keep-headers", "--unsubscribe", ""],
    ]);
    expect(stderr.trim().split("\n").sort()).toEqual([
      "amqpclt: --keep-headers does not go with AMQP (see amqpclt --help)",
      "amqpclt: --unsubscribe does not go with AMQP (see amqpclt --help)",
    ]);
    expect(status).toBe(64);
  },
);
