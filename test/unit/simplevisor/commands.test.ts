// Services that have only commands, as configurations of the original know them, with real scripts.
import { spawn } from "node:child_process";
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, vi } from "vitest";
import { endWithUs } from "../../helpers/broker.js";
import { run, start } from "../../helpers/programs.js";
import { commandLine, isThere, patience, service, supervisor, test, type Site } from "./helpers.js";

vi.setConfig({ testTimeout: 60_000 });

test.concurrent(
  "the sample configuration: an include, a variable, a daemon and a control script",
  async ({ site }) => {
    site.foreground("receiver");
    const web = site.initScript("app-web");
    const more = site.initScript("more");
    site.write(
      "site.conf",
      `<simplevisor>
    store = ${site.at("store")}
    rundir = ${site.at("run")}
    interval = 1
    log = stdout
</simplevisor>
<entry>
    type = supervisor
    name = app
    strategy = rest_for_one
    window = 12
    adjustments = 3
    var_conf = ${site.directory}
    <children>
        <entry>
            type = service
            name = receiver
            daemon = ${site.at("app-receiver.pid")}
            start = \${var_conf}/receiver --config \${var_conf}/receiver.conf --no-daemon hello%20world
        </entry>
        <entry>
            type = service
            name = web
            control = ${web}
            expected = running
            timeout = 20
        </entry>
        <<include more.conf>>
    </children>
</entry>
`,
    );
    site.write("more.conf", service("more", `control = ${more}`, "expected = stopped"));
    const { child, done } = await site.start("--log", "file");
    const started = await site.until("app", "running");
    expect(started.children?.map(({ name, phase }) => [name, phase])).toEqual([
      ["receiver", "running"],
      ["web", "running"],
      ["more", "stopped"],
    ]);
    // It runs when the loop does; what that starts may still be on its way.
    await vi.waitUntil(() => site.read("receiver.words"), patience);
    expect(site.read("receiver.words")).toBe(
      `--config ${site.directory}/receiver.conf --no-daemon hello world\n`,
    );
    expect(site.calls("more")).not.toContain("start");

    // Somebody stops the one and starts the other: the next cycle puts both right.
    site.write("more.state", "running");
    const before = site.calls("app-web").length;
    rmSync(site.at("app-web.state"));
    await vi.waitUntil(() => site.calls("app-web").slice(before).includes("start"), patience);
    await vi.waitUntil(() => site.calls("more").includes("stop"), patience);
    expect(site.calls("app-web").slice(before)).not.toContain("stop");

    expect(await site.command("stop")).toMatchObject({ status: 0 });
    expect(await done).toMatchObject({ status: 0 });
    expect(isThere(child.pid!)).toBe(false);
    expect(site.calls("app-web").at(-2)).toBe("stop");
    expect(site.processes()).toEqual([]);
  },
);

test.concurrent("a status that is neither 0 nor 3 means stop and start", async ({ site }) => {
  site.configure(
    supervisor("app", [service("web", `control = ${site.initScript("web")}`)]),
    "interval = 0.3",
  );
  await site.start();
  await site.until("app/web", "running");
  site.write("web.broken", "");
  const before = site.calls("web").length;
  await vi.waitUntil(() => site.calls("web").slice(before).includes("stop"), patience);
  rmSync(site.at("web.broken"));
  await vi.waitUntil(() => site.calls("web").slice(before).includes("start"), patience);
  expect((await site.until("app/web", "running")).failure).toBe("its status is 1");
});

test.concurrent("a status command that hangs is killed, and holds up nobody", async ({ site }) => {
  const hangs = site.script(
    "hangs",
    `[ "$1" = status ] && exec tail -f ${site.write("hangs.data", "")}\nexit 0\n`,
  );
  site.configure(
    supervisor("app", [
      service("stuck", `control = ${hangs}`, "timeout = 1"),
      service("web", `control = ${site.initScript("web")}`),
    ]),
  );
  await site.start();
  await site.until("app/web", "running");
  // It is still being asked how it is, or told to stop.
  expect((await site.report("app/stuck")).phase).toMatch(/^(starting|stopping)$/);
  await site.until("app/stuck", "waiting");
});

test.concurrent("a pid file that is none is a fault of its service alone", async ({ site }) => {
  const [receiver, sender] = [site.foreground("receiver"), site.foreground("sender")];
  mkdirSync(site.at("receiver.pid"));
  site.configure(
    supervisor(
      "app",
      [
        service("receiver", `daemon = ${site.at("receiver.pid")}`, `start = ${receiver}`),
        service("sender", `daemon = ${site.at("sender.pid")}`, `start = ${sender}`, "stop-timeout = 0.5"),
        site.worker("worker"),
      ],
      "adjustments = 12",
    ),
    "interval = 0.2",
  );
  await site.start();
  expect((await site.until("app/receiver", "waiting")).failure).toMatch(/^its start command ended with /);
  await site.until("app/sender", "running");
  site.write("sender.pid", "garbage\n");
  expect((await site.until("app/sender", "waiting")).failure).toMatch(
    /^its (status is 1|start command ended with 65)$/,
  );
  expect((await site.report("app/worker")).phase).toBe("running");
});

test.concurrent(
  "a pid file from before a reboot, whose number is another's by now, is taken over",
  async ({ site }) => {
    const receiver = site.foreground("receiver");
    utimesSync(site.write("receiver.pid", `${process.pid}\n`), 1, 1);
    const daemon = `daemon = ${site.at("receiver.pid")}`;
    site.configure(supervisor("app", [service("receiver", daemon, `start = ${receiver}`, "timeout = 10")]));
    await site.start();
    await site.until("app/receiver", "running");
    expect(site.read("receiver.pid")).not.toBe(`${process.pid}\n`);
    expect(await site.command("stop")).toMatchObject({ status: 0 });
  },
);

describe.runIf(process.getuid?.() === 0)("a supervisor of an ordinary account", () => {
  test.concurrent("leaves what is another account's alone, and goes on", async ({ site }) => {
    const data = site.write("data", "");
    endWithUs(spawn("tail", ["-f", data]));
    site.configure(
      supervisor("app", [
        service(
          "other",
          "start = true",
          `pattern = tail -f ${data}`,
          "expected = stopped",
          "stop-timeout = 0.5",
        ),
        site.worker("worker"),
      ]),
      "interval = 0.3",
    );
    chownSync(site.directory, 65534, 65534);
    const args = ["--conf", "site.conf", "--logfile", "log", "start"];
    const { done } = start("simplevisor", args, { cwd: site.directory, uid: 65534 });
    await vi.waitUntil(() => site.read("log").includes("app/other does not stop"), patience);
    expect((await site.report("app/worker")).phase).toBe("running");
    await site.order({ command: "stop" });
    expect(await done).toMatchObject({ status: 0 });
  });
});

test.concurrent("a status command that hangs does not hold up a stop", async ({ site }) => {
  const web = site.initScript("web");
  const hangs = site.script(
    "hangs",
    `[ "$1" = status ] && [ -e hang ] && exec tail -f ${site.write("hangs.data", "")}\n${web} "$@"\n`,
  );
  site.configure(
    supervisor("app", [
      service("stuck", `control = ${hangs}`, `cwd = ${site.directory}`, "stop-timeout = 0.5"),
      site.worker("worker"),
    ]),
    "interval = 0.2",
  );
  const { done } = await site.start();
  await site.until("app", "running");
  site.write("hang", "");
  await vi.waitUntil(() => site.processes().length === 2, patience);
  void site.order({ command: "stop" });
  // The status command has 60 s.
  expect(await done).toMatchObject({ status: 0 });
  expect(site.calls("web").at(-1)).toBe("stop");
  expect(site.processes()).toEqual([]);
});

test.concurrent("who is stopped while it is being started stays stopped", async ({ site }) => {
  const web = site.initScript("web");
  const slow = site.script("slow", `[ "$1" = start ] && echo >begun && sleep 1\n${web} "$@"\n`);
  site.configure(supervisor("app", [service("web", `control = ${slow}`, `cwd = ${site.directory}`)]));
  await site.start();
  await vi.waitUntil(() => existsSync(site.at("begun")), patience);
  expect(await site.order({ command: "stop", path: "app/web" })).toMatchObject({ status: 0 });
  expect(site.calls("web").filter((word) => word !== "status")).toEqual(["start", "stop"]);
  expect(site.read("web.state")).toBe("");
});

test.concurrent("the time to stop begins when the start command has ended", async ({ site }) => {
  const web = site.initScript("web");
  const slow = site.script("slow", `${web} "$@"\nstatus=$?\n[ "$1" = start ] && sleep 2\nexit $status\n`);
  const control = service("web", `control = ${slow}`, "stop-timeout = 0.5");
  site.configure(supervisor("app", [control]));
  const { done } = await site.start();
  await vi.waitUntil(() => site.calls("web").includes("start"), patience);
  expect(await site.command("stop")).toMatchObject({ status: 0 });
  expect(await done).toMatchObject({ status: 0 });
  expect(site.calls("web").filter((word) => word !== "status")).toEqual(["start", "stop"]);
});

test.concurrent(
  "a restart command may fail, and what it stops meanwhile has not failed",
  async ({ site }) => {
    const web = site.initScript("web");
    const slow = site.script(
      "slow",
      `[ "$1" != restart ] && exec ${web} "$@"\n[ -e bad ] && exit 7\n${web} stop\nsleep 1\n${web} start\n`,
    );
    site.configure(
      supervisor("app", [service("web", `control = ${slow}`, `cwd = ${site.directory}`)]),
      "interval = 0.1",
    );
    const { done } = await site.start();
    await site.until("app", "running");
    expect(await site.order({ command: "restart", path: "app/web" })).toMatchObject({ status: 0 });
    expect(site.calls("web").filter((word) => word !== "status")).toEqual(["start", "stop", "start"]);
    expect((await site.report("app/web")).restarts).toBe(0);

    // Who is to stop meanwhile does so after it.
    const restarting = site.order({ command: "restart", path: "app/web" });
    await vi.waitUntil(() => site.calls("web").filter((word) => word === "stop").length === 2, patience);
    expect(await site.order({ command: "stop", path: "app/web" })).toMatchObject({ status: 0 });
    expect(site.calls("web").filter((word) => word !== "status")).toEqual([
      ...["start", "stop", "start"],
      ...["stop", "start", "stop"],
    ]);
    await site.order({ command: "start", path: "app/web" });
    await restarting;

    site.write("bad", "");
    const failed = {
      status: 1,
      stderr: expect.stringContaining("its restart command ended with 7") as string,
    };
    expect(await site.command("restart", "app/web")).toMatchObject(failed);
    await site.order({ command: "stop_supervisor" });
    await done;
    expect(await site.command("restart", "app/web")).toMatchObject(failed);
  },
);

test.concurrent("times of more than 24 days are long, not short", async ({ site }) => {
  const long = "timeout = 3000000";
  site.configure(
    supervisor("app", [
      service(
        "web",
        `control = ${site.initScript("web")}`,
        long,
        "health = command:true",
        "health-interval = 3000000",
      ),
      site.worker("worker", long),
    ]),
    "interval = 3000000",
  );
  await site.start();
  expect(await site.command("restart", "app/worker")).toMatchObject({ status: 0 });
  await site.until("app", "running");
  await sleep(300);
  // Before the start, and after it; and one of the first cycle, if that came later.
  expect(site.calls("web").filter((word) => word === "status").length).toBeLessThan(5);
  expect((await site.report("app/web")).restarts).toBe(0);
});

test.concurrent(
  "a reload changes a service without a failure, or puts a supervisor in its place",
  async ({ site }) => {
    const web = site.initScript("web");
    const slow = site.script("slow", `[ "$1" = stop ] && sleep 1\nexec ${web} "$@"\n`);
    const configure = (entry: string) =>
      site.configure(supervisor("app", [entry, site.worker("worker")]), "interval = 0.1");
    configure(service("web", `control = ${slow}`));
    await site.start();
    await site.until("app", "running");
    configure(service("web", `control = ${slow}`, "timeout = 50"));
    expect(await site.order({ command: "reload" })).toMatchObject({ status: 0 });
    await vi.waitUntil(() => site.calls("web").filter((word) => word === "start").length === 2, patience);
    expect((await site.until("app/web", "running")).restarts).toBe(0);
    expect(site.read("log")).not.toContain("app/web: is found running");

    configure(supervisor("web", [site.worker("below")]));
    expect(await site.order({ command: "reload" })).toMatchObject({ status: 0 });
    await site.until("app/web", "running");
    const asked = site.calls("web").length;
    await site.order({ command: "wake_up" });
    await sleep(500);
    expect(site.calls("web").length).toBe(asked);
  },
);

test.concurrent("who waits for its turn is not late for that", async ({ site }) => {
  const slow = (name: string) =>
    site.script(`slow-${name}`, `[ "$1" = start ] && sleep 1\nexec ${site.initScript(name)} "$@"\n`);
  const names = ["a", "b", "c", "d", "e"];
  const entries = names.map((name) => service(name, `control = ${slow(name)}`, "timeout = 3"));
  site.configure(supervisor("app", entries), "interval = 3600\njobs = 1");
  await site.start();
  await site.until("app", "running");
  const { children } = await site.report();
  expect(children!.map(({ restarts }) => restarts)).toEqual([0, 0, 0, 0, 0]);
});

test.concurrent("pattern: found in the process table, and ended from there", async ({ site }) => {
  const program = site.foreground("worker");
  const start = site.script("start", `setsid ${program} x.y >/dev/null 2>&1 &\n`);
  site.configure(
    supervisor("app", [service("worker", `start = ${start}`, `pattern = tail -f ${site.at("worker")}.*`)]),
  );
  await site.start();
  await site.until("app/worker", "running");
  expect(site.processes().length).toBe(1);
  expect(await site.command("stop", "app/worker")).toMatchObject({ status: 0 });
  expect(site.processes()).toEqual([]);
});

test.concurrent(
  "single: one cycle each, and the store counts the adjustments between them",
  async ({ site }) => {
    const web = site.initScript("web");
    const configure = () =>
      site.configure(
        supervisor("top", [
          supervisor(
            "app",
            [service("web", `control = ${web}`), service("log", `control = ${site.initScript("log")}`)],
            "adjustments = 1",
          ),
        ]),
      );
    configure();
    const lose = () => rmSync(site.at("web.state"));
    expect(await site.command("single")).toMatchObject({ status: 0 });
    lose();
    expect(await site.command("single")).toMatchObject({ status: 0 });
    expect(site.calls("log").filter((word) => word === "stop")).toEqual([]);
    lose();
    // The second adjusted cycle of the window is one too many: the supervisor fails, and all of it is restarted.
    expect(await site.command("single")).toMatchObject({ status: 0 });
    expect(site.calls("log").filter((word) => word === "stop")).toEqual(["stop"]);
  },
);

test.concurrent("a store that is none is kept aside, and a new one begun", async ({ site }) => {
  site.configure(supervisor("app", [service("web", `control = ${site.initScript("web")}`)]));
  site.write("store", '{"cut');
  const { status, stderr } = await site.command("single");
  expect(status).toBe(0);
  expect(stderr).toMatch(
    /the store \S+ is not one: it is kept as \S+store\.corrupt-\d+, and a new one begun/,
  );
  expect(JSON.parse(site.read("store"))).toMatchObject({ version: 1, state: { name: "app" } });
});

describe("without a supervisor", () => {
  test.concurrent("one of them is started, asked, restarted and stopped by its path", async ({ site }) => {
    site.configure(supervisor("app", [service("web", `control = ${site.initScript("web")}`)]));
    const steps = [
      ["status", 3],
      ["check", 1],
      ["start", 0],
      ["status", 0],
      ["check", 0],
      ["restart", 0],
      ["stop", 0],
      ["status", 3],
    ] as const;
    for (const [command, status] of steps) {
      expect([command, (await site.command(command, "app/web")).status]).toEqual([command, status]);
    }
    expect(site.calls("web").filter((word) => word !== "status")).toEqual(["start", "restart", "stop"]);
  });

  test.concurrent("a lone service needs no path", async ({ site }) => {
    site.configure(service("web", `control = ${site.initScript("web")}`, "restart = stop+start"));
    expect(await site.command("start")).toMatchObject({ status: 0, stdout: "web is running\n" });
    expect(await site.command("restart")).toMatchObject({ status: 0 });
    expect(await site.command("status")).toMatchObject({ status: 0 });
    expect(site.calls("web").filter((word) => word !== "status")).toEqual(["start", "stop", "start"]);
  });
});

describe("simplevisor-loop", () => {
  const loop = (site: Site, ...args: string[]) => run("simplevisor-loop", args, { cwd: site.directory });

  test.concurrent("runs a command so often, whatever its words look like", async ({ site }) => {
    const note = site.script("note", 'echo "$@" >>notes\n');
    expect(await loop(site, "-c", "3", "--sleep", "0.01", note, "-c", "--pidfile", "x")).toMatchObject({
      status: 0,
    });
    expect(site.read("notes")).toBe("-c --pidfile x\n".repeat(3));
  });

  test.concurrent("ends with the status of a command that fails", async ({ site }) => {
    expect((await loop(site, site.script("fail", "exit 7\n"))).status).toBe(7);
  });

  test.concurrent("ends with 124 when a run took too long, even if that ends well", async ({ site }) => {
    const polite = site.script("polite", `trap "exit 0" TERM\necho run >>runs\nsleep 30 &\nwait\n`);
    expect((await loop(site, "-c", "2", "--timeout", "1", polite)).status).toBe(124);
    expect(site.read("runs")).toBe("run\n");
    expect((await loop(site, "--timeout", "0.2", "tail", "-f", site.write("data", ""))).status).toBe(124);
  });

  test.concurrent("in the background, behind a pid file", async ({ site }) => {
    const program = site.foreground("worker");
    expect(await loop(site, "-c", "1", "--pidfile", "p", "--log", "null", "--daemon", program)).toMatchObject(
      {
        status: 0,
      },
    );
    await vi.waitUntil(() => site.processes().some((pid) => commandLine(pid).startsWith("tail")), patience);
    expect((await loop(site, "--pidfile", "p", "--status")).status).toBe(0);
    expect((await loop(site, "--pidfile", "p", "--quit")).status).toBe(0);
    expect(site.processes()).toEqual([]);
  });
});

test.concurrent("simplevisor-control starts and stops what the environment names", async ({ site }) => {
  site.configure(supervisor("app", [service("web", `control = ${site.initScript("web")}`)]), `log = null`);
  const env = {
    SIMPLEVISOR_CONF: site.at("site.conf"),
    SIMPLEVISOR_PIDFILE: site.at("pid"),
    SIMPLEVISOR_LOCKFILE: site.at("lock"),
  };
  const control = (...args: string[]) => run("simplevisor-control", args, { cwd: site.directory, env });
  expect((await control("status")).status).toBe(3);
  expect(await control("start")).toMatchObject({ status: 0, stderr: "" });
  await site.until("app/web", "running");
  expect([(await control("status")).status, (await control("check")).status]).toEqual([0, 0]);
  expect(readFileSync(site.at("lock"), "utf8")).toBe("");
  expect((await control("restart")).status).toBe(0);
  await site.until("app/web", "running");
  expect((await control("stop")).status).toBe(0);
  expect(site.read("web.state")).toBe("");
  expect(await control("dance")).toMatchObject({ status: 64 });
});

describe.runIf(process.getuid?.() === 0)("simplevisor-control with SIMPLEVISOR_USER", () => {
  test.concurrent("has a lock file where that account may not write", async ({ site }) => {
    site.configure(
      supervisor("app", [service("web", `control = ${site.initScript("web")}`)]),
      `interval = 3600\nlog = null`,
    );
    mkdirSync(site.at("locks"), { mode: 0o755 });
    chownSync(site.directory, 65534, 65534);
    const env = {
      SIMPLEVISOR_CONF: site.at("site.conf"),
      SIMPLEVISOR_PIDFILE: site.at("pid"),
      SIMPLEVISOR_LOCKFILE: site.at("locks/lock"),
      SIMPLEVISOR_USER: "nobody",
    };
    const control = (...args: string[]) => run("simplevisor-control", args, { cwd: site.directory, env });
    expect(await control("start", "app/none")).toMatchObject({ status: 64 });
    expect(existsSync(site.at("locks/lock"))).toBe(false);
    expect(await control("start")).toMatchObject({ status: 0, stderr: "" });
    await site.until("app/web", "running");
    expect(statSync(site.at("web.state")).uid).toBe(65534);
    expect(statSync(site.at("locks/lock")).uid).toBe(0);
    expect(await control("stop", "app/web")).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(site.at("locks/lock"))).toBe(true);
    expect(await control("stop")).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(site.at("locks/lock"))).toBe(false);
  });
});
