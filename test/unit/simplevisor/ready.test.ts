// When a service counts as running: every form of `ready`, one tree for all of them.
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { SimpleQueue } from "@spoolwire/dirq";
import { describe, expect, vi } from "vitest";
import { freePort } from "../../helpers/broker.js";
import { ofProcess } from "../../helpers/processes.js";
import { requires } from "../../helpers/requirements.js";
import { commandLine, isThere, patience, service, supervisor, test } from "./helpers.js";

vi.setConfig({ testTimeout: 60_000 });

test("each is ready when what it names holds, and not before", async ({ site }) => {
  const queue = new SimpleQueue({ path: site.at("spool") });
  const port = await freePort();
  const forms = {
    tcp: `tcp:${port}`,
    file: `file:${site.at("a%20file")}`,
    command: `command:test -e ${site.at("for-command")}`,
    line: `log:^at work on (data|files)$`,
    depth: `queue:${site.at("spool")} depth>1`,
    age: `queue:${site.at("spool")} age>1`,
  };
  const workers = Object.entries(forms).map(([name, ready]) => site.worker(name, `ready = ${ready}`));
  site.configure(supervisor("app", workers, "strategy = one_for_one"));
  await site.start();
  const phases = async () =>
    Object.fromEntries((await site.report("app")).children!.map(({ name, phase }) => [name, phase]));
  const all = (phase: string) => Object.fromEntries(Object.keys(forms).map((name) => [name, phase]));
  await vi.waitUntil(
    () => Object.keys(forms).every((name) => site.read("log").includes(`up ${name}`)),
    patience,
  );
  expect(await phases()).toEqual(all("starting"));

  const expected = all("starting");
  const see = async (name: string) => {
    await site.until(`app/${name}`, "running");
    expected[name] = "running";
    expect(await phases()).toEqual(expected);
  };
  const server = createServer().listen(port, "127.0.0.1");
  await once(server, "listening");
  await see("tcp");
  server.close();
  site.write("a file", "");
  await see("file");
  site.write("for-command", "");
  await see("command");
  site.write("line", "at work on data\n");
  await see("line");
  queue.add("one");
  queue.add("two");
  await Promise.all(["depth", "age"].map((name) => site.until(`app/${name}`, "running")));
});

test("who is not ready in time is stopped, and has failed", async ({ site }) => {
  const never = `ready = file:${site.at("never")}`;
  site.configure(supervisor("app", [site.worker("a", never, "start-timeout = 0.3")]));
  await site.start();
  const { failure } = await site.until("app/a", "waiting");
  expect(failure).toBe("not ready within 0.3 s");
});

describe.runIf(requires("logger-and-systemd"))("notify", () => {
  test("it is ready when it says so; who hears it ends with the supervisor", async ({ site }) => {
    const says = site.script(
      "says",
      `systemd-notify --status=begins
until [ -e ${site.at("go")} ]; do sleep 0.05; done
systemd-notify --ready --status=done
exec tail -f ${site.write("data", "")}
`,
    );
    site.configure(supervisor("app", [service("a", `run = ${says}`, "ready = notify")]));
    const first = await site.start();
    const reader = await vi.waitUntil(() => readerOf(first.child.pid), patience);
    expect((await site.report("app/a")).phase).toBe("starting");
    site.write("go", "");
    const { pid } = await site.until("app/a", "running");
    first.child.kill("SIGKILL");
    await first.done;
    await vi.waitUntil(() => !isThere(reader) && site.processes().length === 1, patience);
    // Taken over, it can speak again: the next supervisor listens at the same socket.
    const second = await site.start();
    expect((await site.until("app/a", "running")).pid).toBe(pid);
    await vi.waitUntil(() => site.processes().length === 2, patience);
    expect((await site.command("stop")).status).toBe(0);
    await second.done;
    expect([isThere(pid!), site.processes()]).toEqual([false, []]);
  });
});

test("one that cannot be heard after a take-over is supervised all the same", async ({ site }) => {
  site.script("setpriv", "exit 1\n");
  site.write("systemd-socket-activate", "");
  const entry = (...lines: string[]) => service("a", `run = tail -f ${site.write("data", "")}`, ...lines);
  site.configure(supervisor("app", [entry()]));
  const first = await site.start();
  const { pid } = await site.until("app/a", "running");
  first.child.kill("SIGKILL");
  await first.done;
  site.configure(supervisor("app", [entry("ready = notify")]));
  vi.stubEnv("PATH", `${site.directory}:${process.env.PATH}`);
  await site.start().finally(() => vi.unstubAllEnvs());
  expect((await site.until("app/a", "running")).pid).toBe(pid);
  expect(site.read("log")).toContain("app/a: systemd-socket-activate has ended");
});

/** The process that hears what the services of a supervisor say, once it was started by the first message. */
function readerOf(supervisor: number | undefined): number | undefined {
  return readdirSync("/proc")
    .map(Number)
    .find((pid) => {
      const line = pid > 0 ? commandLine(pid) : "";
      return /^[^\0]*node\0[^\0]*notified-program\.js/.test(line) && parentOf(pid) === supervisor;
    });
}

const parentOf = (pid: number) => Number(/^PPid:\s+(\d+)$/m.exec(ofProcess(pid, "status"))?.[1]);
