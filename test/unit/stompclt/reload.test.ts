// SIGHUP to an agent with a configuration file, as a real process.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { start, type Running } from "../../helpers/programs.js";
import { type Peer, receipt, startStompServer } from "../../helpers/stomp-server.js";

vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 30_000, interval: 20 };

let directory: string;
let from: DqsQueue;
let agent: Running | undefined;

beforeEach(() => {
  directory = temporaryDirectory("reload");
  from = new DqsQueue({ path: at("from") });
});
afterEach(async () => {
  agent?.child.kill("SIGKILL");
  await agent?.done;
  removeDirectory(directory);
});

const at = (name: string) => join(directory, name);
const add = (body: string) => from.addMessage(new Message({ header: { destination: "/queue/x" }, body }));
const configure = (outgoing: string, others = "") =>
  writeFileSync(
    at("agent.conf"),
    `<incoming-queue>\npath = from\n</incoming-queue>\nloop = true\nremove = true
reliable = true\npidfile = agent.pid\nlogfile = log\n${outgoing}\n${others}`,
  );

/** The lines of the log, without time and pid. */
const log = () =>
  existsSync(at("log")) ? readFileSync(at("log"), "utf8").replaceAll(/^\S+ stompclt\[\d+\]: /gm, "") : "";
const logged = (text: string | RegExp) => vi.waitFor(() => expect(log()).toMatch(text), patience);

/** The bodies that a queue comes to hold. */
async function arrived(name: string, ...bodies: string[]): Promise<void> {
  await vi.waitUntil(() => existsSync(at(name)), patience);
  const queue = new DqsQueue({ path: at(name) });
  const got = () => [...queue].map((element) => (queue.lock(element), queue.getMessage(element).body));
  await vi.waitUntil(() => queue.count() >= bodies.length, patience);
  expect(got().sort()).toEqual(bodies);
}

function startAgent(): Running {
  agent = start("stompclt", ["--config", "agent.conf"], { cwd: directory });
  return agent;
}

test("a file with faults changes nothing, and all of them are logged", async () => {
  configure("outgoing-queue = path=to");
  const { child, done } = startAgent();
  add("before");
  await arrived("to", "before");
  configure("outgoing-quee = path=other\nlazy = maybe\nwindow = -1");
  child.kill("SIGHUP");
  await logged("the configuration stays as it was\n");
  expect(log()).toBe(`agent.conf:9: Unknown option outgoing-quee (did you mean outgoing-queue?)
agent.conf:10: Expected lazy to be true or false, got "maybe"
agent.conf:11: Expected window to be an integer >= 0, got "-1"
the configuration stays as it was
`);
  // Right in itself, and it cannot be done.
  writeFileSync(at("file"), "");
  configure("outgoing-queue = path=file");
  child.kill("SIGHUP");
  await logged(
    /EEXIST.*\nthe configuration stays as it was\n$|ENOTDIR.*\nthe configuration stays as it was\n$/,
  );
  add("after");
  await vi.waitUntil(() => from.count() === 0, patience);
  await arrived("to", "after", "before");
  child.kill("SIGTERM");
  expect(await done).toMatchObject({ status: 0, stdout: "", stderr: "" });
});

test("a file that has not changed changes nothing; the process's own options wait for a restart", async () => {
  configure("outgoing-queue = path=to");
  const { child, done } = startAgent();
  add("one");
  await arrived("to", "one");
  configure("outgoing-queue = path=to", "loglevel = debug\n# and a comment\n");
  child.kill("SIGHUP");
  await logged("the configuration has not changed\n");
  child.kill("SIGTERM");
  expect(await done).toMatchObject({ status: 0 });
  expect(log()).toBe("the configuration has not changed\n");
});

test("a callback module that has changed is a change", async () => {
  const callback = (value: string) =>
    writeFileSync(
      at("callback.mjs"),
      `export const check = (msg) => { msg.body = ${JSON.stringify(value)}; };`,
    );
  callback("old");
  configure("outgoing-queue = path=to", "callback-path = callback.mjs");
  const { child, done } = startAgent();
  add("one");
  await arrived("to", "old");
  callback("newer");
  child.kill("SIGHUP");
  await logged("the configuration was read again\n");
  add("two");
  await arrived("to", "newer", "old");
  child.kill("SIGHUP");
  await logged("the configuration has not changed\n");
  child.kill("SIGTERM");
  expect(await done).toMatchObject({ status: 0, stderr: "" });
});

test("what is on its way is confirmed before other options hold; the process and its pid file stay", async () => {
  let sent: (peer: Peer) => void;
  const sending = new Promise<Peer>((resolve) => (sent = resolve));
  const server = await startStompServer(async (peer) => {
    await peer.login();
    const send = await peer.take("SEND");
    sent(peer);
    await released;
    peer.send(receipt(send.headers.receipt));
    const { headers } = await peer.take("DISCONNECT");
    peer.send(receipt(headers.receipt));
    await peer.left();
  });
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  configure(`<outgoing-broker>\nuri = stomp://127.0.0.1:${server.uri.port}\n</outgoing-broker>`);
  const { child, done } = startAgent();
  add("held");
  await sending;
  const pidFile = readFileSync(at("agent.pid"), "utf8");
  configure("outgoing-queue = path=to");
  child.kill("SIGHUP");
  // Its sides are opened to see that they can be; nothing is moved yet.
  await vi.waitUntil(() => existsSync(at("to")), patience);
  add("next");
  expect(from.count()).toBe(2);
  expect(new DqsQueue({ path: at("to") }).count()).toBe(0);
  release();
  await arrived("to", "next");
  await logged("the configuration was read again\n");
  await vi.waitUntil(() => from.count() === 0, patience);
  expect(readFileSync(at("agent.pid"), "utf8")).toBe(pidFile);
  child.kill("SIGTERM");
  expect(await done).toMatchObject({ status: 0 });
  await server.stop();
});

test("what is never confirmed is sent again with the other options", async () => {
  let isSent = false;
  const server = await startStompServer(async (peer) => {
    await peer.login();
    await peer.take("SEND");
    isSent = true;
    await peer.left();
  });
  const uri = `stomp://127.0.0.1:${server.uri.port}`;
  configure(`outgoing-broker-uri = ${uri}`, "timeout-linger = 0.1\ntimeout-disconnect = 0.1\n");
  const { child, done } = startAgent();
  add("stubborn");
  await vi.waitUntil(() => isSent, patience);
  configure("outgoing-queue = path=to");
  child.kill("SIGHUP");
  await arrived("to", "stubborn");
  await logged("before the reload: 1 pending messages\nthe configuration was read again\n");
  child.kill("SIGTERM");
  expect(await done).toMatchObject({ status: 0 });
  await server.stop();
});
