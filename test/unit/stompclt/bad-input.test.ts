// What can be wrong with a call: one clear line, a documented status, and every message where it was.
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runAgent } from "../../helpers/agents.js";
import { freePort } from "../../helpers/broker.js";
import { run, type RunOptions } from "../../helpers/programs.js";

let directory: string;
let queue: DqsQueue;
const servers: Server[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spoolwire-bad-input-"));
  chmodSync(directory, 0o755);
  queue = new DqsQueue({ path: join(directory, "a") });
  for (const body of ["1", "2"]) {
    queue.addMessage(new Message({ header: { destination: "/queue/x" }, body }));
  }
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  rmSync(directory, { recursive: true });
});

/** Everything in the queue, by name; each element can be locked, so nobody holds it. */
function state(): [string, string][] {
  return [...queue].map((name) => {
    expect(queue.lock(name)).toBe(true);
    const content = queue.get(name).toString();
    queue.unlock(name);
    return [name, content];
  });
}

const secret = "s3cret";
const send = (uri: string, ...more: string[]) => [
  ...["--incoming-queue", `path=${queue.path}`, "--remove", "--reliable"],
  ...["--outgoing-broker-uri", uri, ...more],
];
const sendTo = (port: number, ...more: string[]) =>
  send(`stomp://127.0.0.1:${port}`, "--outgoing-broker-auth", `plain name=app pass=${secret}`, ...more);

/** Run it, and see that it says one line and changes nothing. */
async function refused(
  argv: readonly string[],
  options?: RunOptions,
): Promise<{ status: number | null; line: string }> {
  const { status, lines } = await refusedFor(argv, options);
  expect(lines).toHaveLength(1);
  return { status, line: lines[0] ?? "" };
}

/** Run it, and see that it says nothing secret and changes nothing. */
async function refusedFor(
  argv: readonly string[],
  options?: RunOptions,
): Promise<{ status: number | null; lines: string[] }> {
  const before = state();
  // Another account needs a process of its own.
  const { status, stdout, stderr } = options
    ? await run("stompclt", argv, options)
    : await runAgent("stompclt", argv);
  expect(stdout).toBe("");
  expect(stderr).not.toContain(secret);
  expect(state()).toEqual(before);
  expect(stderr).toMatch(/\n$/);
  return { status, lines: stderr.trimEnd().replaceAll(directory, "DIR").split("\n") };
}

/** A server that answers every connection with the same bytes. */
async function answer(bytes: string | Buffer): Promise<number> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end(bytes);
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as { port: number }).port;
}

describe("options", () => {
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
      [...queueOnly, "--outgoing-queue", "path=DIR/b", "--subscribe", "destination=/queue/x"],
      "--subscribe needs --incoming-broker-uri",
    ],
    [
      [...queueOnly, "--outgoing-queue", "path=DIR/b", "--unsubscribe", ""],
      "--unsubscribe needs --incoming-broker-uri",
    ],
    [
      [
        ...[
          "--incoming-broker-uri",
          uri,
          "--subscribe",
          "destination=/q/x",
          "--outgoing-queue",
          "path=DIR/b",
        ],
        ...["--unsubscribe", "", "--unsubscribe", "id=1"],
      ],
      "Expected --unsubscribe no more often than --subscribe, got 2 and 1",
    ],
    ...["sockopts", "stomp-debug"].flatMap((what): [string[], string][] => [
      [
        [...queueOnly, "--outgoing-queue", "path=DIR/b", `--outgoing-broker-${what}`, "a=b"],
        `--outgoing-broker-${what} needs --outgoing-broker-uri`,
      ],
      [
        [...queueOnly, "--outgoing-broker-uri", uri, `--incoming-broker-${what}`, "a=b"],
        `--incoming-broker-${what} needs --incoming-broker-uri`,
      ],
    ]),
    ...[
      [
        "rcvbuf=1000",
        'Expected a socket option keepalive, keepidle, nodelay, localaddr, family, got "rcvbuf"',
      ],
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
      [...queueOnly, "--outgoing-queue", "path=DIR/b", "--outgoing-broker-auth", "none"],
      "--outgoing-broker-auth needs --outgoing-broker-uri",
    ],
    [
      [...queueOnly, "--outgoing-queue", "path=DIR/b", "--window", "-1"],
      'Expected --window to be an integer >= 0, got "-1"',
    ],
    ...["broker", "connect", "disconnect", "flush", "inactivity", "linger", "status", "client", "server"].map(
      (name): [string[], string] => [
        [...queueOnly, "--outgoing-queue", "path=DIR/b", `--timeout-${name}`, "-0.5"],
        `Expected --timeout-${name} to be a number >= 0, got "-0.5"`,
      ],
    ),
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
      'Expected --outgoing-broker-uri to start with stomp://, tcp://, stomp+ssl://, ssl://, failover://, file://, udp://, amqp://, amqps://, amqp10://, amqp10s://, amqp091://, amqp091s://, got "http"',
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
  ])("%j", async (argv, ...messages) => {
    const { status, lines } = await refusedFor(argv.map((word) => word.replace("DIR", directory)));
    expect(lines).toEqual(messages.map((message) => `stompclt: ${message} (see stompclt --help)`));
    expect(status).toBe(64);
  });
});

describe("directories", () => {
  test("a missing incoming queue is named, and not made", async () => {
    const { status, line } = await refused([
      "--incoming-queue",
      `path=${directory}/b`,
      "--outgoing-queue",
      `path=${directory}/c`,
    ]);
    expect([status, line]).toEqual([66, "stompclt: ENOENT: no such file or directory, lstat 'DIR/b/.'"]);
  });

  test("a file where a queue should be is named", async () => {
    const { status, line } = await refused([
      ...send("stomp://127.0.0.1:1").slice(2),
      "--incoming-queue",
      "path=/etc/passwd",
    ]);
    expect([status, line]).toEqual([66, "stompclt: ENOTDIR: not a directory, lstat '/etc/passwd/.'"]);
  });

  test.runIf(process.getuid?.() === 0)("directories without permission are named", async () => {
    const port = await answer("");
    chmodSync(queue.path, 0o700);
    const incoming = await refused(sendTo(port, "--lazy"), { uid: 65534 });
    expect(incoming).toEqual({ status: 77, line: "stompclt: EACCES: permission denied, lstat 'DIR/a/.'" });
    chmodSync(queue.path, 0o755);
    const outgoing = await refused(
      ["--incoming-queue", `path=${queue.path}`, "--outgoing-queue", `path=${directory}/b`],
      { uid: 65534 },
    );
    expect(outgoing).toEqual({ status: 77, line: "stompclt: EACCES: permission denied, mkdir 'DIR/b'" });
  });
});

describe("brokers", () => {
  test("nobody listens", async () => {
    const port = await freePort();
    const { status, line } = await refused(sendTo(port));
    expect(line).toBe(
      `stompclt: Cannot connect to stomp://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
    expect(status).toBe(69);
  });

  test("the name of the host is not known", async () => {
    const { status, line } = await refused(send("stomp://no-such-host.invalid:61613"));
    expect(line).toMatch(
      /^stompclt: Cannot connect to stomp:\/\/no-such-host\.invalid:61613: getaddrinfo E\w+/,
    );
    expect(status).toBe(69);
  });

  test("it closes at once", async () => {
    const port = await answer("");
    const { status, line } = await refused(sendTo(port));
    expect(line).toMatch(`stompclt: Cannot connect to stomp://127.0.0.1:${port}: The connection ended: `);
    expect(status).toBe(69);
  });

  test("it says nothing", async () => {
    const server = createServer(() => undefined).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const { status, line } = await refused(sendTo(port, "--timeout-connect", "0.3"));
    expect(line).toBe(`stompclt: stomp://127.0.0.1:${port}: No answer within 0.3 s`);
    expect(status).toBe(69);
  });

  test.each([
    ["HTTP", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", '"HTTP/1.1 400 Bad'],
    ["an SSH greeting", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", '"SSH-2.0'],
    ["a TLS alert", Buffer.from("15030300020246", "hex"), '"'],
    ["random bytes", Buffer.from([...Array(200).keys()].map((n) => (n * 89 + 141) % 256)), '"'],
  ])("it speaks something else: %s", async (_, bytes, shown) => {
    const port = await answer(bytes);
    const { status, line } = await refused(sendTo(port));
    expect(line).toContain(`stompclt: stomp://127.0.0.1:${port}: Expected a STOMP frame, got ${shown}`);
    // What comes from a port must not reach a terminal as it is.
    expect(line).not.toMatch(/[\0-\x1f\x7f]/);
    expect(status).toBe(76);
  });

  test("it refuses the connection with an ERROR", async () => {
    const port = await answer("ERROR\nmessage:no room\n\n\0");
    const { status, line } = await refused(sendTo(port));
    expect(line).toBe(`stompclt: stomp://127.0.0.1:${port}: The broker refuses the connection: no room`);
    expect(status).toBe(76);
  });
});

describe("malformed messages are named, status 65, and", () => {
  const move = (...more: string[]) =>
    run("stompclt", [
      ...["--incoming-queue", `path=${queue.path}`, "--remove", "--outgoing-queue", `path=${directory}/b`],
      ...more,
    ]);
  const told = (bad: string, now: string) =>
    `stompclt: ${queue.path}/${bad} is no message: ` +
    `Expected \`header\` to be an object of strings, got an array; ${now}\n`;

  test("stay, unlocked, when the run ends by itself", async () => {
    const bad = queue.add('{"header":[]}');
    const { status, stderr } = await move();
    expect(stderr).toBe(told(bad, "it stays where it is"));
    expect(status).toBe(65);
    expect([...queue]).toEqual([bad]);
    expect(queue.lock(bad)).toBe(true);
    expect(readFileSync(queue.getPath(bad), "utf8")).toBe('{"header":[]}');
    expect(new DqsQueue({ path: `${directory}/b` }).count()).toBe(2);
  });

  test("are moved to the quarantine, whole, by an agent that loops", async () => {
    const bad = queue.add('{"header":[]}');
    const { status, stderr } = await move("--loop", "--timeout-inactivity", "0.5");
    const [kept] = [...queue.quarantined()];
    expect(stderr).toBe(told(bad, `it is in the quarantine as ${kept!.name}`));
    expect(status).toBe(65);
    expect([...queue]).toEqual([]);
    expect(readFileSync(kept!.files[0]!, "utf8")).toBe('{"header":[]}');
    expect(new DqsQueue({ path: `${directory}/b` }).count()).toBe(2);
  });
});
