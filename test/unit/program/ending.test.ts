// How an agent ends when it is not by itself: told twice, or by an error that nobody caught.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { listenToSignals } from "@spoolwire/program";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { start, type Running } from "../../helpers/programs.js";

vi.setConfig({ testTimeout: 60_000 });

let directory: string;
let agent: Running | undefined;
beforeEach(() => {
  directory = temporaryDirectory("ending");
  new DqsQueue({ path: join(directory, "from") }).addMessage(new Message({ body: "one" }));
});
afterEach(async () => {
  agent?.child.kill("SIGKILL");
  await agent?.done;
  removeDirectory(directory);
});

/** What others find of a running agent. */
const traces = () => ["pid", "socket"].filter((name) => existsSync(join(directory, name)));

/** Start an agent with a callback; it has a pid file and a metrics socket. */
function startAgent(code: string): Running {
  const queues = ["--incoming-queue", "path=from", "--loop", "--outgoing-queue", "path=to"];
  const service = ["--pidfile", "pid", "--metrics", "unix:socket", "--callback-code", code];
  agent = start("stompclt", [...queues, ...service], { cwd: directory });
  return agent;
}

test("a callback that never comes back is waited for, and a second signal leaves nothing behind", async () => {
  const { child, done } = startAgent("await new Promise(() => undefined)");
  await vi.waitUntil(() => traces().length === 2, { timeout: 30_000 });
  const ended = await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 1500, "at work"))]);
  expect(ended).toBe("at work");
  child.kill("SIGTERM");
  // Two that come at once are one.
  await vi.waitUntil(() => (child.kill("SIGTERM"), traces().length === 0), {
    timeout: 30_000,
    interval: 100,
  });
  expect(await done).toMatchObject({ signal: "SIGTERM", stdout: "", stderr: "" });
});

describe("an error that nobody caught", () => {
  test.each([
    ["of a timer", 'setTimeout(() => { throw new Error("late") }, 300)', "Error: late"],
    ["that is a text", 'setTimeout(() => { throw "late" }, 300)', "late"],
    ["of a promise", 'setTimeout(() => void Promise.reject(new Error("late")), 300)', "Error: late"],
  ])("%s is logged, is 70, and leaves nothing behind", async (_, code, told) => {
    const outcome = await startAgent(`function start() { ${code}; } function check() {}`).done;
    expect(outcome).toMatchObject({ status: 70, stdout: "" });
    // All that is said is one line of the log.
    expect(outcome.stderr).toMatch(new RegExp(`^stompclt: crashed: ${told}[^\\n]*\\n$`));
    expect(traces()).toEqual([]);
  });
});

test("who is told by the pid file to stop ends at once at the next signal", () => {
  const kill = vi.spyOn(process, "kill").mockReturnValue(true);
  const signals = listenToSignals();
  try {
    const lastWork = vi.fn<() => void>();
    signals.onSecond(lastWork);
    signals.stop();
    signals.stop();
    expect([signals.stopping.aborted, lastWork.mock.calls.length]).toEqual([true, 0]);
    process.emit("SIGTERM");
    expect(lastWork).toHaveBeenCalledOnce();
    expect(kill).toHaveBeenCalledWith(process.pid, "SIGTERM");
  } finally {
    signals.done();
    kill.mockRestore();
  }
});
