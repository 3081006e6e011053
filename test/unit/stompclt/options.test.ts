// What cannot be, of an option or of several: one clear line each, status 64, and nothing is made or connected.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue } from "@spoolwire/message";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runAgent } from "../../helpers/agents.js";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

let directory: string;
beforeEach(() => {
  directory = temporaryDirectory("options", inMemory);
  new DqsQueue({ path: join(directory, "a") });
});
afterEach(() => removeDirectory(directory));

const secret = "s3cret";

const uri = "stomp://127.0.0.1:1";
const queueOnly = ["--incoming-queue", "path=DIR/a"];
const noSink = "Expected one of --outgoing-broker-uri and --outgoing-queue, got none";
test.each<[string[], ...string[]]>([
  [["--incoming-quee", "path=a"], "unknown option '--incoming-quee' (Did you mean --incoming-queue?)"],
  [[], "Expected one of --incoming-broker-uri and --incoming-queue, got none", noSink],
  [
    ["--incoming-broker-uri", uri, "--subscribe", "destination=/queue/x", ...queueOnly],
    "Expected one of --incoming-broker-uri and --incoming-queue, got --incoming-broker-uri and --incoming-queue",
    noSink,
  ],
  [queueOnly, noSink],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--prefetch", "1"],
    "--prefetch needs --incoming-broker-uri",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--keep-headers"],
    "--keep-headers needs --incoming-broker-uri",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--subscribe", "destination=/queue/x"],
    "--subscribe needs --incoming-broker-uri",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--unsubscribe", ""],
    "--unsubscribe needs --incoming-broker-uri",
  ],
  [
    [
      ...["--incoming-broker-uri", uri, "--subscribe", "destination=/q/x", "--outgoing-queue", "path=DIR/b"],
      ...["--unsubscribe", "", "--unsubscribe", "id=1"],
    ],
    "Expected --unsubscribe no more often than --subscribe, got 2 and 1",
  ],
  ...[
    [
      ["destination=/q/x", "destination=/q/y id=0"],
      'Expected each --subscribe to have an id of its own, got "0" twice',
    ],
    [
      ["destination=/q/x ack=auto"],
      "Expected --subscribe to have ack=client-individual or ack=client with --reliable, got ack=auto",
    ],
  ].map(([subscriptions = [], message = ""]): [string[], string] => [
    [
      ...["--incoming-broker-uri", uri, "--reliable", "--outgoing-queue", "path=DIR/b"],
      ...(subscriptions as string[]).flatMap((each) => ["--subscribe", each]),
    ],
    message as string,
  ]),
  [
    [
      ...[...queueOnly, "--outgoing-broker-uri", "stomp://", "--outgoing-broker-type", "Foo"],
      ...["--outgoing-broker-sockopts", "family=5", "--outgoing-broker-stomp-debug", "none"],
    ],
    'Expected a broker URI as stomp://host:port, got "stomp://"',
    'Expected the socket option family to be 4 or 6, got "5"',
    'Expected a STOMP trace to be made of connection, api, command, header, body, io and all, got "none"',
    'Expected the broker type to be ActiveMQ, Artemis, Apollo, RabbitMQ, Spoolwire or UNKNOWN, got "Foo"',
  ],
  [
    [...queueOnly, "--outgoing-broker-uri", uri, "--outgoing-queue", "path=DIR/b"],
    "Expected one of --outgoing-broker-uri and --outgoing-queue, got --outgoing-broker-uri and --outgoing-queue",
  ],
  ...[
    ["auth", "none"],
    ["connect", "a=b"],
    ["module", "rhea"],
    ["sockopts", "a=b"],
    ["stomp-debug", "all"],
    ["type", "RabbitMQ"],
  ].flatMap(([what = "", value = ""]): [string[], string][] => [
    [
      [...queueOnly, "--outgoing-queue", "path=DIR/b", `--outgoing-broker-${what}`, value],
      `--outgoing-broker-${what} needs --outgoing-broker-uri`,
    ],
    [
      [...queueOnly, "--outgoing-broker-uri", uri, `--incoming-broker-${what}`, value],
      `--incoming-broker-${what} needs --incoming-broker-uri`,
    ],
  ]),
  ...[
    ["rcvbuf=1000", 'Expected a socket option keepalive, keepidle, nodelay, localaddr, family, got "rcvbuf"'],
    ["nodelay=maybe", 'Expected the socket option nodelay to be true or false, got "maybe"'],
    ["keepidle=0", 'Expected the socket option keepidle to be a number of seconds >= 1, got "0"'],
    ["family=5", 'Expected the socket option family to be 4 or 6, got "5"'],
  ].map(([sockopts = "", message = ""]): [string[], string] => [
    [...queueOnly, "--outgoing-broker-uri", uri, "--outgoing-broker-sockopts", sockopts],
    message,
  ]),
  [
    [...queueOnly, "--outgoing-broker-uri", uri, "--outgoing-broker-stomp-debug", "command,frames"],
    'Expected a STOMP trace to be made of connection, api, command, header, body, io and all, got "frames"',
  ],
  [
    ["--incoming-broker-uri", uri, "--outgoing-queue", "path=DIR/b"],
    "--incoming-broker-uri needs --subscribe",
  ],
  [
    ["--incoming-broker-uri", uri, "--subscribe", "id=1", "--outgoing-queue", "path=DIR/b"],
    "Expected --subscribe to have destination=NAME",
  ],
  [
    [
      ...["--incoming-broker-uri", uri, "--subscribe", "destination=/q/x", "--remove"],
      ...["--outgoing-queue", "path=DIR/b"],
    ],
    "--remove needs --incoming-queue",
  ],
  [
    [
      "--incoming-broker-uri",
      uri,
      "--subscribe",
      "destination=/q/x",
      "--loop",
      "--outgoing-queue",
      "path=DIR/b",
    ],
    "--loop needs --incoming-queue",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--callback-path", "x.mjs", "--callback-code", "x"],
    "--callback-path does not go with --callback-code",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--callback-data", "a=b"],
    "--callback-data needs --callback-path or --callback-code",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--callback-error", "skip"],
    "--callback-error needs --callback-path or --callback-code",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--callback-code", "x", "--callback-error", "ignore"],
    'Expected --callback-error to be one of quarantine, skip, stop, got "ignore"',
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--callback-code", "$hdr->{x} = 1;"],
    '--callback-code is Perl, expected JavaScript: such as hdr.destination = "/queue/app"; delete hdr["message-id"]; if (bdy === "") return "empty"',
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--rate", "0"],
    'Expected --rate to be a number >= 0.001, got "0"',
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--dry-run", "--daemon"],
    "--dry-run does not go with --daemon",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--max-attempts", "0"],
    'Expected --max-attempts to be an integer >= 1, got "0"',
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--daemon", "--statistics"],
    "--daemon does not go with --statistics",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--heart-beat"],
    "--heart-beat needs --incoming-broker-uri or --outgoing-broker-uri",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--reconnect"],
    "--reconnect needs --incoming-broker-uri or --outgoing-broker-uri",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--window", "-1"],
    'Expected --window to be an integer >= 0, got "-1"',
  ],
  ...[
    ...["broker", "connect"].map((name) => [name, "0", "0.001"]),
    ...["disconnect", "flush", "inactivity", "linger", "status", "client", "server"].map((name) => [
      name,
      "-0.5",
      "0",
    ]),
  ].map(([name, seconds = "", least]): [string[], string] => [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", `--timeout-${name}`, seconds],
    `Expected --timeout-${name} to be a number >= ${least}, got "${seconds}"`,
  ]),
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b", "--max-body-size", "1"],
    "--max-body-size needs --incoming-broker-uri or --outgoing-broker-uri",
  ],
  [
    [...queueOnly, "--outgoing-broker-uri", uri, "--max-body-size", "0.5"],
    'Expected --max-body-size to be an integer >= 0, got "0.5"',
  ],
  [
    ["--incoming-queue", "type=dir path=DIR colour=red", "--outgoing-queue", "path=DIR/b"],
    "Expected --incoming-queue type=dir to have path, and settle and done or not, got `colour`",
  ],
  [
    ["--incoming-queue", "type=dir path=DIR settle=soon", "--outgoing-queue", "path=DIR/b"],
    'Expected `settle` in --incoming-queue to be seconds, got "soon"',
  ],
  [[...queueOnly, "--outgoing-queue", "type=DQS"], "Expected --outgoing-queue to have path=DIRECTORY"],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b granularity=x"],
    "--outgoing-queue: Expected `granularity` to be an integer from 0 to 4294967295, got 'x' (string)",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b type=XYZ"],
    '--outgoing-queue: Expected `type` to be one of DQS, DQN, NULL, ZERO, got "XYZ"',
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b type=DQN nlink=maybe"],
    "--outgoing-queue: Expected `nlink` to be true or false, got 'maybe' (string)",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b type=DQN schema=x"],
    "--outgoing-queue: Unknown option `schema`: that of a DQN queue is fixed",
  ],
  [
    [...queueOnly, "--outgoing-queue", "path=DIR/b colour=red"],
    "--outgoing-queue: Unknown option `colour` of a simple queue, expected one of path, create, durability, maxlock, maxtemp, rndhex, umask, granularity",
  ],
  [
    [...queueOnly, "--outgoing-broker-uri", "http://127.0.0.1:1"],
    'Expected --outgoing-broker-uri to start with stomp://, tcp://, stomp+ssl://, ssl://, udp://, amqp://, amqps://, amqp10://, amqp10s://, amqp091://, amqp091s://, got "http"',
  ],
  ...[
    ["--reliable"],
    ["--heart-beat"],
    ["--outgoing-broker-auth", `plain name=app pass=${secret}`],
    ["--outgoing-broker-auth", "x509 cert=DIR/c key=DIR/k"],
    ["--outgoing-broker-connect", "host=/"],
    ["--outgoing-broker-sockopts", "nodelay=1"],
    ["--outgoing-broker-stomp-debug", "all"],
  ].map((option): [string[], string] => [
    [...queueOnly, "--outgoing-broker-uri", "udp://127.0.0.1:9", ...option],
    `${option[0]} does not go with udp://: there is no connection`,
  ]),
  [
    [...queueOnly, "--outgoing-broker-uri", "udp://127.0.0.1:9", "--reliable", "--heart-beat"],
    "--reliable does not go with udp://: there is no connection",
    "--heart-beat does not go with udp://: there is no connection",
  ],
  [
    [...queueOnly, "--outgoing-broker-uri", `udp://app:${secret}@127.0.0.1:9`],
    'Expected udp://host:port, got "udp://…@127.0.0.1:9"',
  ],
  [
    [
      ...["--incoming-broker-uri", "udp://127.0.0.1:9", "--subscribe", "destination=/q/x"],
      ...["--outgoing-queue", "path=DIR/b"],
    ],
    "udp:// is for --outgoing-broker-uri only",
  ],
  [
    [...queueOnly, "--outgoing-broker-uri", "stomp://127.0.0.1"],
    'Expected a broker URI as stomp://host:port, got "stomp://127.0.0.1"',
  ],
  [
    [...queueOnly, "--outgoing-broker-uri", uri, "--outgoing-broker-type", "Kafka"],
    'Expected the broker type to be ActiveMQ, Artemis, Apollo, RabbitMQ, Spoolwire or UNKNOWN, got "Kafka"',
  ],
  [
    [...queueOnly, "--outgoing-broker-uri", uri, "--outgoing-broker-auth", `basic ${secret}`],
    "Expected a credential as `none`, `plain name=N pass=P`, `x509 cert=F key=F ca=F` or `file=PATH`",
  ],
])("%j is refused", async (argv, ...messages) => {
  const { status, stdout, stderr } = await runAgent(
    "stompclt",
    argv.map((word) => word.replace("DIR", directory)),
  );
  expect(stderr).toBe(messages.map((message) => `stompclt: ${message} (see stompclt --help)\n`).join(""));
  expect(stdout).toBe("");
  expect(stderr).not.toContain(secret);
  expect(status).toBe(64);
  expect(readdirSync(directory)).toEqual(["a"]);
});
