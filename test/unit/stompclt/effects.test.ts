// What single options of sending do with STOMP, as a broker sees it: one that does what a script says. What they do
// with every protocol is in test/unit/transfer/effects.test.ts.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { DqsQueue, Message } from "@spoolwire/message";
import { formatUri } from "@spoolwire/stomp";
import { main as stompclt } from "@spoolwire/stompclt";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runAgent } from "../../helpers/agents.js";
import { endWithUs, inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import {
  receipt,
  startStompServer,
  type ClientFrame,
  type Peer,
  type StompServer,
} from "../../helpers/stomp-server.js";

let directory: string;
let queue: DqsQueue;
let server: StompServer | undefined;
beforeEach(() => {
  directory = temporaryDirectory("effects", inMemory);
  queue = new DqsQueue({ path: join(directory, "queue") });
});
afterEach(async () => {
  removeDirectory(directory);
  const last = server;
  server = undefined;
  await last?.stop();
});

const fill = (count: number) => {
  for (let index = 0; index < count; index++)
    queue.addMessage(new Message({ header: { destination: "/queue/x" }, body: `${index}` }));
};

/** The CONNECT of the last client. */
let connect: ClientFrame | undefined;

/** Run an agent that sends the queue to a broker that does this after CONNECTED. */
async function send(script: (peer: Peer) => Promise<void>, ...more: string[]) {
  server = await startStompServer(async (peer) => {
    connect = await peer.login();
    await script(peer);
  });
  return await runAgent("stompclt", [
    ...["--incoming-queue", `path=${queue.path}`, "--remove"],
    ...["--outgoing-broker-uri", formatUri(server.uri), ...more],
  ]);
}

const confirmAll = async (peer: Peer) => {
  for await (const { headers } of peer.frames()) peer.send(receipt(headers.receipt));
};

test("--outgoing-broker-auth and --outgoing-broker-connect are who we say we are", async () => {
  const auth = ["--outgoing-broker-auth", "plain name=app pass=s3cret"];
  const headers = ["--outgoing-broker-connect", "host=site", "client-id=me", "version=1.1"];
  expect(await send(confirmAll, ...auth, ...headers)).toMatchObject({ status: 0, stderr: "" });
  expect(connect?.headers).toEqual({
    ...{ login: "app", passcode: "s3cret", host: "site", "client-id": "me" },
    ...{ "accept-version": "1.1", "heart-beat": "0,0" },
  });
  expect(await send(confirmAll, "--outgoing-broker-auth", "none")).toMatchObject({ status: 0, stderr: "" });
  expect(connect?.headers).not.toHaveProperty("login");
});

test("--outgoing-broker-sockopts localaddr=ADDRESS is where we come from", async () => {
  let from: string | undefined;
  const look = async (peer: Peer) => {
    from = peer.socket.remoteAddress;
    await confirmAll(peer);
  };
  const outcome = await send(look, "--outgoing-broker-sockopts", "localaddr=127.0.0.2");
  expect(outcome).toMatchObject({ status: 0, stderr: "" });
  expect(from).toBe("127.0.0.2");
});

test("--heart-beat offers what --timeout-client and --timeout-server say, and ends a silent broker's run", async () => {
  fill(1);
  server = await startStompServer(async (peer) => {
    connect = await peer.login({ "heart-beat": "50,0" });
    await peer.left();
  });
  const { status, stderr } = await runAgent("stompclt", [
    ...["--incoming-queue", `path=${queue.path}`, "--reliable", "--heart-beat"],
    ...[
      "--timeout-client",
      "1.5",
      "--timeout-server",
      "0.05",
      "--outgoing-broker-uri",
      formatUri(server.uri),
    ],
  ]);
  expect(connect?.headers["heart-beat"]).toBe("1500,50");
  expect(stderr).toMatch(/No heart-beat for [\d.]+ s/);
  expect(status).toBe(69);
});

test("--timeout-flush is the most that the network takes at the end", async () => {
  queue.addMessage(new Message({ header: { destination: "/queue/x" }, body: "x".repeat(32 << 20) }));
  const deaf = async (peer: Peer) => {
    peer.socket.pause();
    await peer.left();
  };
  const { status, stderr } = await send(deaf, "--duration", "0.5", "--timeout-flush", "0.1");
  expect(stderr).toMatch(/did not take all that was sent within 0\.1 s\n$/);
  expect(status).toBe(69);
});

test("--no-… takes back what a file says", async () => {
  fill(1);
  const all = ["reliable", "loop", "remove", "lazy", "reconnect", "heart-beat", "statistics", "dry-run"];
  const config = join(directory, "all.conf");
  writeFileSync(config, all.map((name) => `${name} = true\n`).join(""));
  const run = (uri: string) =>
    runAgent("stompclt", [
      ...["--config", config, ...all.map((name) => `--no-${name}`)],
      ...["--incoming-queue", `path=${queue.path}`, "--outgoing-broker-uri", uri],
    ]);
  const frames: ClientFrame[] = [];
  server = await startStompServer(async (peer) => {
    frames.push(await peer.login());
    for await (const frame of peer.frames()) {
      frames.push(frame);
      peer.send(receipt(frame.headers.receipt));
    }
  });
  const uri = formatUri(server.uri);
  expect(await run(uri)).toEqual({ status: 0, stdout: "", stderr: "" });
  expect(frames.map(({ command }) => command)).toEqual(["CONNECT", "SEND", "DISCONNECT"]);
  expect(frames[0]?.headers["heart-beat"]).toBe("0,0");
  expect(frames[1]?.headers).not.toHaveProperty("receipt");
  const [name = "", ...others] = [...queue];
  expect(others).toEqual([]);
  queue.lock(name);
  queue.remove(name);
  // Not lazy, it connects for nothing.
  expect(await run(uri)).toMatchObject({ status: 0 });
  expect(server.clients).toBe(2);
  await server.stop();
  expect(await run(uri)).toMatchObject({ status: 69 });
});

test("--quit waits as long as the agent may take to stop, and 10 s more", async () => {
  const child = spawn(process.execPath, ["-e", 'setInterval(() => {}, 1000); console.log("up")']);
  endWithUs(child);
  await once(child.stdout, "data");
  const pidfile = join(directory, "agent.pid");
  writeFileSync(pidfile, `${child.pid}\n`);
  const ended = once(child, "exit");
  // A clock that goes on when it is looked at: 19 s are 2.
  let now = performance.now();
  const clock = vi.spyOn(performance, "now").mockImplementation(() => (now += 1000));
  const began = now;
  let waited = 0;
  const stdout = new Writable({
    write: (line, _encoding, done) => {
      if (String(line).includes("still running")) waited = (now - began) / 1000;
      done();
    },
  });
  const times = ["--timeout-linger", "2", "--timeout-flush", "3", "--timeout-disconnect", "4"];
  const status = await stompclt(["--quit", "--pidfile", pidfile, ...times], [], { ...process, stdout });
  clock.mockRestore();
  expect(status).toBe(0);
  expect(await ended).toEqual([null, "SIGTERM"]);
  expect(waited).toBeGreaterThanOrEqual(19);
  expect(waited).toBeLessThan(23);
});
