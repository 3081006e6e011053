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
