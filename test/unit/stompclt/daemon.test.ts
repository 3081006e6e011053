// Agents that run for long, as real processes: in the background, with a pid file, told by signals.
import { existsSync, readFileSync, readlinkSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { readPidFile } from "@spoolwire/program";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { endPidWithUs, freePort, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { startDatagrams } from "../../helpers/datagrams.js";
import { run, start, type Outcome } from "../../helpers/programs.js";
import { requires } from "../../helpers/requirements.js";
import { startStompServer } from "../../helpers/stomp-server.js";

vi.setConfig({ testTimeout: 60_000 });
const patience = { timeout: 30_000, interval: 20 };

let directory: string;
let queue: DqsQueue;
const running = new Map<number, () => void>();

beforeEach(() => {
  directory = temporaryDirectory("daemon");
  queue = new DqsQueue({ path: join(directory, "from") });
});
afterEach(() => {
  for (const [pid, forget] of running) {
    if (isThere(pid)) process.kill(pid, "SIGKILL");
    forget();
  }
  running.clear();
  removeDirectory(directory);
});

/** Whether a process is there; one that has ended and waits for its parent to notice is not. */
function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !existsSync("/proc/self") || readFileSync(`/proc/${pid}/cmdline`, "latin1") !== "";
  } catch {
    return false;
  }
}

const at = (name: string) => join(directory, name);
const log = () => readFileSync(at("log"), "utf8");
const pidFile = ["--pidfile", "agent.pid"];
const copy = ["--incoming-queue", "path=from", "--remove", "--loop", "--outgoing-queue", "path=to"];
const agent = (...args: string[]): Promise<Outcome> =>
  run("stompclt", [...pidFile, ...args], { cwd: directory });

/** Who runs by the pid file, to be ended with the test at the latest. */
async function runningPid(): Promise<number> {
  const pid = await vi.waitUntil(() => readPidFile(at("agent.pid"))?.pid, patience);
  if (!running.has(pid)) running.set(pid, endPidWithUs(pid));
  return pid;
}

/** Start a daemon that logs to the file `log`, and see that it is up. */
async function startDaemon(...args: string[]): Promise<number> {
  const outcome = await agent("--daemon", "--logfile", "log", ...(args.length > 0 ? args : copy));
  expect(outcome).toMatchObject({ status: 0, stdout: "" });
  return await runningPid();
}

describe("a daemon", () => {
  test("works on when its launcher is done; it can be asked, and told to quit", async () => {
    const pid = await startDaemon();
    queue.addMessage(new Message({ body: "hello" }));
    const to = new DqsQueue({ path: at("to") });
    await vi.waitUntil(() => to.count() === 1 && queue.count() === 0, patience);
    const { status, stdout } = await agent("--status");
    expect(stdout).toMatch(/^stompclt \(pid \d+\) was active on \w{3} \w{3} [ \d]\d [\d:]{8} \d{4}\n$/);
    expect(stdout).toContain(`(pid ${pid})`);
    expect(status).toBe(0);
    expect(await agent("--quit")).toMatchObject({
      status: 0,
      stdout: `stompclt (pid ${pid}) is being told to quit...\nstompclt does not seem to be running anymore\n`,
    });
    expect(isThere(pid)).toBe(false);
    expect(existsSync(at("agent.pid"))).toBe(false);
  });

  test.runIf(existsSync("/proc/self/stat"))("shows no more of itself than it was given", async () => {
    const pid = await startDaemon();
    const proc = (name: string) => readFileSync(`/proc/${pid}/${name}`, "latin1");
    const [, , , session, terminal] = proc("stat")
      .replace(/^.*\) /, "")
      .split(" ");
    expect([session, terminal]).toEqual([`${pid}`, "0"]);
    const words = proc("cmdline").split("\0").slice(2, -1);
    expect(words).toEqual([...pidFile, "--daemon", "--logfile", "log", ...copy]);
    expect([0, 1, 2].map((descriptor) => readlinkSync(`/proc/${pid}/fd/${descriptor}`))).toEqual([
      "/dev/null",
      "/dev/null",
      "/dev/null",
    ]);
  });

  test("that cannot start says why to whoever started it, and in its log", async () => {
    const outcome = await agent(
      "--daemon",
      "--logfile",
      "log",
      "--incoming-queue",
      "path=no",
      "--outgoing-queue",
      "path=to",
    );
    const why = "stompclt: ENOENT: no such file or directory, lstat 'no/.'\n";
    expect(outcome).toMatchObject({ status: 66, stderr: why });
    expect(log()).toMatch(/^\S+ stompclt\[\d+\]: ENOENT: no such file or directory, lstat 'no\/\.'\n$/);
    expect(existsSync(at("agent.pid"))).toBe(false);
  });

  test("is up while its broker is away", async () => {
    const broker = `stomp://127.0.0.1:${await freePort()}`;
    await startDaemon("--incoming-queue", "path=from", "--loop", "--outgoing-broker-uri", broker);
    expect(log()).toMatch(/warning: Cannot connect to .*; trying again until it is there\n/);
    expect(await agent("--status")).toMatchObject({ status: 0 });
  });

  test("is there once; after a kill -9 the next one takes its place", async () => {
    const pid = await startDaemon();
    const second = await agent("--daemon", "--log", "null", ...copy);
    expect(second).toMatchObject({
      status: 75,
      stderr: `stompclt: The pid file agent.pid is that of pid ${pid}, which is running\n`,
    });
    process.kill(pid, "SIGKILL");
    await vi.waitUntil(async () => (await agent("--status")).status === 1, patience);
    const next = await startDaemon();
    expect(next).not.toBe(pid);
    expect(await agent("--status")).toMatchObject({ status: 0 });
  });
});

describe("an agent in the foreground", () => {
  test("stops when an older agent tells it to, and when its place is taken", async () => {
    const first = start("stompclt", [...pidFile, ...copy], { cwd: directory });
    writeFileSync(at("agent.pid"), `${await runningPid()}\nquit\n`);
    expect(await first.done).toMatchObject({ status: 0, stderr: "" });
    const second = start("stompclt", [...pidFile, ...copy], { cwd: directory });
    await runningPid();
    writeFileSync(at("agent.pid"), "1\n");
    expect(await second.done).toMatchObject({
      status: 75,
      stderr: "stompclt: The pid file agent.pid was taken over by pid 1\n",
    });
    expect(readFileSync(at("agent.pid"), "utf8")).toBe("1\n");
  });

  test("goes on in a new log file after HUP, tells how it is at USR1, and ends at TERM", async () => {
    const { child, done } = start("stompclt", [...pidFile, "--logfile", "log", ...copy], { cwd: directory });
    await runningPid();
    await vi.waitUntil(() => existsSync(at("to")), patience);
    renameSync(at("log"), at("log.1"));
    child.kill("SIGHUP");
    await vi.waitUntil(() => existsSync(at("log")), patience);
    child.kill("SIGUSR1");
    await vi.waitFor(
      () => expect(log()).toMatch(/up for [\d.]+ s: 0 messages received, 0 confirmed, 0 rejected\n/),
      patience,
    );
    child.kill("SIGTERM");
    expect(await done).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });

  test("waits for confirmations at the first TERM; at the second it goes at once, its pid file too", async () => {
    queue.addMessage(new Message({ header: { destination: "/queue/x" }, body: "hello" }));
    let sent = false;
    const server = await startStompServer(async (peer) => {
      await peer.login();
      await peer.take("SEND"); // and no receipt
      sent = true;
      await peer.left();
    });
    const { host, port } = server.uri;
    const args = [
      "--incoming-queue",
      "path=from",
      "--loop",
      "--reliable",
      "--outgoing-broker-uri",
      `stomp://${host}:${port}`,
    ];
    const { child, done } = start("stompclt", [...pidFile, ...args], { cwd: directory });
    await vi.waitUntil(() => sent, patience);
    child.kill("SIGTERM");
    // Between two signals that come at once nobody can tell; two touches of its pid file are long enough.
    const touched = () => statSync(at("agent.pid")).mtimeMs;
    for (let n = 0; n < 2; n++) {
      const before = touched();
      await vi.waitUntil(() => touched() > before, patience);
    }
    child.kill("SIGTERM");
    expect(await done).toMatchObject({ status: null, signal: "SIGTERM" });
    expect(existsSync(at("agent.pid"))).toBe(false);
    await server.stop();
  });

  test.runIf(requires("logger-and-systemd"))("tells systemd when it is up, lives and stops", async () => {
    const server = await startDatagrams(at("notify"));
    const env = { NOTIFY_SOCKET: at("notify"), WATCHDOG_USEC: "600000" };
    const { child, done } = start("stompclt", copy, { cwd: directory, env });
    await server.expect(/^READY=1\nSTATUS=0 messages received, 0 confirmed, 0 rejected$/);
    await server.expect(/^WATCHDOG=1\n/);
    child.kill("SIGTERM");
    expect(await done).toMatchObject({ status: 0, stderr: "" });
    await server.expect(/^STOPPING=1$/);
    await server.stop();
  });
});

test("an agent whose broker is away lives and is not ready, and says so to Prometheus", async () => {
  const [metrics, broker] = [await freePort(), await freePort()];
  queue.addMessage(new Message({ body: "x" }));
  const { child, done } = start(
    "stompclt",
    [
      ...["--incoming-queue", "path=from", "--remove", "--loop", "--metrics", `${metrics}`],
      ...["--outgoing-broker-uri", `stomp://127.0.0.1:${broker}`],
    ],
    { cwd: directory },
  );
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${metrics}${path}`).catch(() => undefined);
    return { status: response?.status, text: await response?.text() };
  };
  await vi.waitUntil(async () => (await get("/livez")).status === 200, patience);
  expect(await get("/readyz")).toMatchObject({ status: 503 });
  const { text } = await get("/metrics");
  expect(text).toContain('spoolwire_side_up{side="incoming"} 1\nspoolwire_side_up{side="outgoing"} 0\n');
  expect(text).toContain("spoolwire_messages_confirmed_total 0\n");
  child.kill("SIGTERM");
  expect((await done).signal).toBeNull();
});
