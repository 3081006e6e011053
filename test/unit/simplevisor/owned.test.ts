// Services in the foreground, with real processes: seen when they end, stopped, and taken over after a crash.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Answer, Order } from "@spoolwire/simplevisor";
import { expect, vi } from "vitest";
import { endWithUs } from "../../helpers/broker.js";
import { isThere, patience, service, supervisor, test } from "./helpers.js";

vi.setConfig({ testTimeout: 60_000 });

test.concurrent("one that is killed runs again at once; the others stay", async ({ site }) => {
  site.configure(supervisor("app", [site.worker("a"), site.worker("b")]));
  await site.start();
  const [a, b] = [await site.until("app/a", "running"), await site.until("app/b", "running")];
  process.kill(a.pid!, "SIGKILL");
  const again = await vi.waitUntil(async () => {
    const now = await site.report("app/a");
    return now.phase === "running" && now.pid !== a.pid && now;
  }, patience);
  expect(again.restarts).toBe(1);
  expect(again.failure).toBe("ended by SIGKILL");
  expect((await site.report("app/b")).pid).toBe(b.pid);
});

test.concurrent("its output is in the log and can be followed; the tree can be drawn", async ({ site }) => {
  site.configure(supervisor("app", [site.worker("a"), site.worker("b")], "strategy = rest_for_one"));
  await site.start();
  await vi.waitUntil(() => site.read("log").includes("app/a| up a"), patience);
  expect(await site.command("logs", "app/a")).toMatchObject({ status: 0, stdout: "up a\n" });
  const { stdout } = await site.command("tree");
  expect(stdout).toMatch(
    /^app {2}rest_for_one, running \d+ s\n├─ a {2}running \d+ s, pid \d+\n└─ b {2}running/,
  );
  expect(await site.command("check")).toMatchObject({
    status: 0,
    stdout: "app: OK, as expected\n  a: OK, running, as expected\n  b: OK, running, as expected\n",
  });
});

test.concurrent("stop ends all of them in order, and the supervisor", async ({ site }) => {
  site.configure(supervisor("app", [site.worker("a"), site.worker("b")], "strategy = one_for_all"));
  const { done } = await site.start();
  await site.until("app", "running");
  expect(await site.command("stop")).toMatchObject({ status: 0, stderr: "" });
  expect(await done).toMatchObject({ status: 0 });
  expect(site.processes()).toEqual([]);
  const log = site.read("log");
  expect(log.indexOf("app/b has stopped")).toBeLessThan(log.indexOf("app/a is being stopped"));
  expect(await site.command("status")).toMatchObject({
    status: 3,
    stdout: "simplevisor does not seem to be running\n",
  });
});

test.concurrent(
  "who ignores SIGTERM is killed with all of its group, and the log says who it was",
  async ({ site }) => {
    const path = site.script("stubborn", `trap "" TERM\ntail -f ${site.write("data", "")} &\nwait\nwait\n`);
    site.configure(supervisor("app", [service("a", `run = ${path}`, "stop-timeout = 0.5")]));
    await site.start();
    await vi.waitUntil(() => site.processes().length === 2, patience);
    expect((await site.command("stop")).status).toBe(0);
    expect(site.processes()).toEqual([]);
    expect(site.read("log")).toContain("app/a does not stop: it is killed");
  },
);

test.concurrent(
  "a command that does not exist is a failure, and waits longer each time",
  async ({ site }) => {
    site.configure(supervisor("app", [service("a", `run = ${site.at("nothing")}`)]));
    await site.start();
    const { failure, restarts } = await site.until("app/a", "waiting");
    expect(failure).toMatch(/ENOENT/);
    expect(restarts).toBeGreaterThanOrEqual(1);
    expect((await site.command("check")).status).toBe(1);
  },
);

test.concurrent(
  "below a supervisor that is stopped nothing is started, and that is said at once",
  async ({ site }) => {
    site.configure(supervisor("top", [supervisor("app", [site.worker("a")]), site.worker("b")]));
    await site.start();
    await site.until("top", "running");
    const start = async (path: string, command = "start") => {
      const began = performance.now();
      const { status, stderr } = await site.command(command, path);
      return { status, stderr, isSlow: performance.now() - began > 5000 };
    };
    const refused = (path: string, above: string) => ({
      status: 1,
      stderr: `simplevisor: ${path} cannot be started: its supervisor ${above} is stopped, and has to be started first\n`,
      isSlow: false,
    });
    expect((await site.command("stop", "top/app")).status).toBe(0);
    expect(await start("top/app/a")).toEqual(refused("top/app/a", "top/app"));
    expect(await start("top/app/a", "restart")).toEqual(refused("top/app/a", "top/app"));
    expect(await start("top/app")).toMatchObject({ status: 0 });
    expect((await site.report("top/app/a")).phase).toBe("running");

    expect((await site.command("stop_children")).status).toBe(0);
    expect(await start("top/app/a")).toEqual(refused("top/app/a", "top"));
    expect(await start("top")).toMatchObject({ status: 0 });
    expect((await site.report("top/app/a")).phase).toBe("running");
  },
);

test.concurrent("an operator stops, starts and restarts one of them", async ({ site }) => {
  site.configure(supervisor("app", [site.worker("a"), site.worker("b")]));
  await site.start();
  const { pid } = await site.until("app/a", "running");
  expect(await site.command("stop", "app/a")).toMatchObject({ status: 0, stdout: "app/a is stopped\n" });
  expect((await site.command("status", "app/a")).status).toBe(3);
  expect(await site.command("start", "app/a")).toMatchObject({ status: 0, stdout: "app/a is running\n" });
  const before = await site.report("app/a");
  expect(await site.command("restart_child", "app/a")).toMatchObject({ status: 0 });
  const after = await site.report("app/a");
  expect(new Set([pid, before.pid, after.pid]).size).toBe(3);
  expect(after.restarts).toBe(0);
  expect(await site.command("stop", "app/none")).toMatchObject({
    status: 64,
    stderr: 'simplevisor: Expected the path of a child, got "app/none"\n',
  });
});

test.concurrent(
  "after kill -9 the next start takes over what runs, and starts no second copy",
  async ({ site }) => {
    site.configure(supervisor("app", [site.worker("a"), site.worker("b"), site.worker("c")]));
    const first = await site.start();
    await site.until("app", "running");
    const before = await Promise.all(["a", "b", "c"].map((name) => site.report(`app/${name}`)));
    first.child.kill("SIGKILL");
    await first.done;
    process.kill(before[1]!.pid!, "SIGKILL");
    // What it writes while nobody reads is read later.
    writeFileSync(site.at("a"), "written meanwhile\n");
    const second = await site.start();
    await site.until("app", "running");
    const after = await Promise.all(["a", "b", "c"].map((name) => site.report(`app/${name}`)));
    expect([after[0]!.pid, after[2]!.pid]).toEqual([before[0]!.pid, before[2]!.pid]);
    expect(after[1]!.pid).not.toBe(before[1]!.pid);
    expect(site.processes().length).toBe(3);
    await vi.waitUntil(() => site.read("log").includes("app/a| written meanwhile"), patience);
    // Those that were taken over are seen to end too.
    process.kill(before[0]!.pid!, "SIGKILL");
    await vi.waitUntil(async () => {
      const now = await site.report("app/a");
      return now.phase === "running" && now.pid !== before[0]!.pid;
    }, patience);
    await site.command("stop");
    expect(await second.done).toMatchObject({ status: 0 });
  },
);

test.concurrent(
  "a process that has the number of a former one is not taken for it, nor ended",
  async ({ site }) => {
    site.configure(supervisor("app", [site.worker("a")]));
    const first = await site.start();
    const { pid } = await site.until("app/a", "running");
    first.child.kill("SIGKILL");
    await first.done;
    process.kill(pid!, "SIGKILL");
    // As if its number had been given again since, to the leader of another group.
    const other = spawn("tail", ["-f", "/dev/null"], { stdio: "ignore", detached: true });
    endWithUs(other);
    const [record = ""] = readdirSync(site.at("run/processes"));
    const { started } = JSON.parse(site.read(`run/processes/${record}`)) as { started: string };
    site.write(`run/processes/${record}`, JSON.stringify({ service: "app/a", pid: other.pid, started }));
    await site.start();
    const now = await site.until("app/a", "running");
    expect(now.pid).not.toBe(other.pid);
    await site.command("stop", "app/a");
    expect(other.exitCode ?? other.signalCode).toBe(null);
    other.kill("SIGKILL");
  },
);

test.concurrent(
  "what a service has left behind is ended, though its supervisor did not see it die",
  async ({ site }) => {
    const data = site.write("left", "");
    const path = site.script("parent", `tail -f ${data} &\nexec tail -f ${site.write("data", "")}\n`);
    site.configure(supervisor("app", [service("a", `run = ${path}`)]));
    const first = await site.start();
    const { pid } = await site.until("app/a", "running");
    await vi.waitUntil(() => site.processes().length === 2, patience);
    first.child.kill("SIGKILL");
    await first.done;
    const [left] = site.processes().filter((one) => one !== pid);
    process.kill(pid!, "SIGKILL");
    await site.start();
    expect((await site.until("app/a", "running")).pid).not.toBe(pid);
    await vi.waitUntil(() => !isThere(left!), patience);
  },
);

test.concurrent(
  "stop_supervisor leaves them running, and the next start takes them over",
  async ({ site }) => {
    site.configure(supervisor("app", [site.worker("a")]));
    const first = await site.start();
    const { pid } = await site.until("app/a", "running");
    expect((await site.command("stop_supervisor")).status).toBe(0);
    expect(await first.done).toMatchObject({ status: 0 });
    expect(isThere(pid!)).toBe(true);
    await site.start();
    expect((await site.until("app/a", "running")).pid).toBe(pid);
  },
);

test.concurrent(
  "who has another name since the supervisor was killed does not run twice",
  async ({ site }) => {
    const run = `run = tail -f ${site.write("data", "")}`;
    site.configure(supervisor("app", [service("old", run), site.worker("b")]));
    const { child, done } = await site.start();
    const { pid } = await site.until("app/old", "running");
    const b = await site.until("app/b", "running");
    child.kill("SIGKILL");
    await done;
    site.configure(supervisor("app", [service("new", run), site.worker("b")]));
    await site.start();
    await site.until("app/new", "running");
    expect((await site.report("app/b")).pid).toBe(b.pid);
    await vi.waitUntil(() => !isThere(pid!), patience);
    expect(site.processes().length).toBe(2);
    expect(site.read("log")).toContain("app/old: is in the configuration no more: it is stopped");
  },
);

test.concurrent(
  "a second supervisor of the same configuration refuses, and names the first",
  async ({ site }) => {
    site.configure(supervisor("app", [site.worker("a")]));
    const { child } = await site.start();
    const second = await site.command("start");
    expect(second.status).toBe(75);
    expect(second.stderr).toContain(`is that of pid ${child.pid}, which is running`);
  },
);

test.concurrent("whoever asks and does not listen holds up no stop", async ({ site }) => {
  const flood = site.script("flood", `while :; do seq 3000; sleep 0.05; done\n`);
  site.configure(
    supervisor("app", [service("a", `run = ${flood}`), site.worker("b", "ready = file:/nowhere")]),
  );
  const { done } = await site.start();
  await site.until("app/a", "running");
  const ask = (order: Order) => {
    const socket = connect(site.at("run/control"));
    socket.write(`${JSON.stringify(order)}\n`);
    return socket;
  };
  // The one has gone before it is answered, the other is held up with more to read than there is room for.
  const gone = ask({ command: "start", path: "app/b" });
  const stuck = ask({ command: "logs", path: "app/a", follow: true });
  await once(stuck, "readable");
  await sleep(2000);
  gone.destroy();
  void site.order({ command: "stop" });
  expect(await done).toMatchObject({ status: 0 });
  stuck.destroy();
});

test.concurrent("the control socket is for the own account alone", async ({ site }) => {
  site.configure(supervisor("app", [site.worker("a")]));
  await site.start();
  expect(statSync(site.at("run/control")).mode & 0o777).toBe(0o600);
  expect(statSync(site.at("run")).mode & 0o777).toBe(0o700);
});

test.concurrent("reload touches only what has changed", async ({ site }) => {
  const [a, b, c] = [site.worker("a"), site.worker("b"), site.worker("c")];
  site.configure(supervisor("app", [a, b, c]));
  const { child } = await site.start();
  const before = await Promise.all(["a", "b", "c"].map((name) => site.until(`app/${name}`, "running")));
  site.configure(supervisor("app", [a, site.worker("b", "stop-timeout = 5"), site.worker("d")]));
  expect(await site.command("reload")).toMatchObject({ status: 0 });
  await site.until("app/d", "running");
  const b2 = await vi.waitUntil(async () => {
    const now = await site.until("app/b", "running");
    return now.pid !== before[1]!.pid && now;
  }, patience);
  expect((await site.report("app/a")).pid).toBe(before[0]!.pid);
  expect(isThere(b2.pid!)).toBe(true);
  await vi.waitUntil(() => !isThere(before[2]!.pid!), patience);
  site.configure(supervisor("app", [a]));
  child.kill("SIGHUP");
  await vi.waitUntil(() => site.processes().length === 1, patience);
  expect((await site.report("app/a")).pid).toBe(before[0]!.pid);
});

test.concurrent(
  "what an operator has stopped stays so when its entry has changed, or we are killed",
  async ({ site }) => {
    site.configure(supervisor("app", [site.worker("a"), site.worker("b")]));
    const { child, done } = await site.start();
    const { pid } = await site.until("app/a", "running");
    process.kill(pid!, "SIGKILL");
    await vi.waitUntil(async () => (await site.report("app/a")).restarts === 1, patience);
    await site.until("app/b", "running");
    await site.order({ command: "stop", path: "app/a" });
    site.configure(supervisor("app", [site.worker("a", "timeout = 50"), site.worker("b", "timeout = 50")]));
    expect(await site.order({ command: "reload" })).toMatchObject({ status: 0 });
    await site.until("app/b", "running");
    const changed = { phase: "stopped", wanted: false, restarts: 1 };
    expect(await site.report("app/a")).toMatchObject(changed);

    await site.order({ command: "stop", path: "app/b" });
    child.kill("SIGKILL");
    await done;
    await site.start();
    await site.until("app", "running");
    expect(await site.report("app/a")).toMatchObject(changed);
    expect(await site.report("app/b")).toMatchObject({ phase: "stopped", wanted: false });
  },
);

test.concurrent("a wrong configuration changes nothing, and the log says why", async ({ site }) => {
  site.configure(supervisor("app", [site.worker("a")]));
  await site.start();
  const { pid } = await site.until("app/a", "running");
  site.configure(supervisor("app", [service("a", "rnu = x")]));
  expect(await site.order({ command: "reload" })).toMatchObject({ status: 64 });
  expect(site.read("log")).toMatch(/site\.conf:\d+: Unknown option rnu \(did you mean run\?\)/);
  expect((await site.report("app/a")).pid).toBe(pid);
});

test.concurrent("two that need each other's readiness come one after the other", async ({ site }) => {
  site.configure(
    supervisor("app", [
      site.worker("web", "depends = database"),
      site.worker("database", `ready = file:${site.at("ready")}`),
    ]),
  );
  await site.start();
  await site.until("app/database", "starting");
  expect((await site.report("app/web")).phase).toBe("stopped");
  site.write("ready", "");
  await site.until("app/web", "running");
});

test.concurrent("what the one before wrote last does not begin a line of the next", async ({ site }) => {
  const twice = site.script(
    "twice",
    `[ -e well ] && echo ready && exec tail -f well\necho >well\nprintf 'cut \\303'\n`,
  );
  site.configure(
    supervisor("app", [service("a", `run = ${twice}`, `cwd = ${site.directory}`, "ready = log:^ready$")]),
  );
  await site.start();
  await site.until("app/a", "running");
  expect(site.read("log")).toContain("app/a| cut \ufffd\n");
});

test.concurrent("logs tells all that is kept, however long the lines are", async ({ site }) => {
  const run = site.script(
    "big",
    `head -c 4000000 /dev/zero\necho\necho end\nexec tail -f ${site.write("data", "")}\n`,
  );
  site.configure(supervisor("app", [service("a", `run = ${run}`, "ready = log:^end$")]));
  await site.start();
  await site.until("app/a", "running");
  const lines: string[] = [];
  const take = (answer: Answer) => "line" in answer && lines.push(answer.line);
  expect(await site.order({ command: "logs", path: "app/a" }, take)).toMatchObject({ status: 0 });
  expect([lines.length, lines[0], lines.at(-1)]).toEqual([200, "\0".repeat(8192), "end"]);
});

test.concurrent(
  "one that writes without end does not keep the others from being seen to",
  async ({ site }) => {
    site.configure(
      supervisor("app", [service("flood", "run = yes"), site.worker("b")]),
      "interval = 3600\nlogsize = 1000000",
    );
    const { child, done } = await site.start();
    await site.until("app", "running");
    const began = performance.now();
    for (let n = 0; n < 3; n++) await site.report();
    // It was 50 s when all that was there was read first; it is 1 s.
    expect(performance.now() - began).toBeLessThan(20_000);
    child.kill("SIGTERM");
    await done;
  },
);

test.concurrent("one that is found ill is restarted", async ({ site }) => {
  site.write("well", "");
  site.configure(
    supervisor("app", [site.worker("a", `health = file:${site.at("well")}`, "health-interval = 0.1")]),
  );
  await site.start();
  const { pid } = await site.until("app/a", "running");
  rmSync(site.at("well"));
  await vi.waitUntil(() => !isThere(pid!), patience);
  await vi.waitUntil(() => site.read("log").includes("was found ill 3 times in a row"), patience);
});
