// What each setting and each command does, beyond what the other files show: real scripts, and real supervisors.
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { request } from "node:http";
import { text } from "node:stream/consumers";
import { giveOrder, main } from "@spoolwire/simplevisor";
import { describe, expect, vi } from "vitest";
import { asNobody, isRoot } from "../../helpers/accounts.js";
import { call } from "../../helpers/in-process.js";
import { run } from "../../helpers/programs.js";
import { patience, service, supervisor, test } from "./helpers.js";

vi.setConfig({ testTimeout: 60_000 });

/** A service that prints something once. */
const once = (name: string, ...lines: string[]) => service(name, "restart = temporary", ...lines);

test.concurrent("words, environment, directory, path and shell", async ({ site }) => {
  const say = site.script("say", 'echo "$@"\n');
  site.script("found-by-path", "echo from $PATH in $PWD\n");
  site.configure(
    supervisor("app", [
      // Without `shell` nothing is special: not a dollar, a star, a semicolon or a backquote.
      once("plain", `run = ${say} $HOME * ; \`id\` >${site.at("made")} hello%20world 100%`),
      once("shell", "shell = true", `run = echo $((6 * 7)) >${site.at("made-by-shell")}`),
      once("env", "env = OWN=1 OTHER=two%20words", "run = printenv OWN OTHER"),
      once("placed", `path = ${site.directory}:/bin`, "cwd = /usr", "run = found-by-path"),
    ]),
  );
  const { done } = await site.start();
  for (const name of ["plain", "shell", "env", "placed"]) await site.until(`app/${name}`, "finished");
  await vi.waitUntil(() => site.read("log").includes("placed| from"), patience);
  const said = (name: string) =>
    Array.from(site.read("log").matchAll(new RegExp(`app/${name}\\| (.*)`, "g")), ([, line]) => line);
  expect(said("plain")).toEqual([`$HOME * ; \`id\` >${site.at("made")} hello world 100%`]);
  expect(existsSync(site.at("made"))).toBe(false);
  expect(site.read("made-by-shell")).toBe("42\n");
  expect(said("env")).toEqual(["1", "two words"]);
  expect(said("placed")).toEqual([`from ${site.directory}:/bin in /usr`]);
  expect((await site.command("check")).stdout).toContain("  env: OK, finished, as expected\n");
  await site.command("stop");
  await done;
});

test.concurrent(
  "commands of its own: what they write is in the log, and restart is not stop and start",
  async ({ site }) => {
    const script = site.initScript("web");
    const line = (word: string) => `${word} = sh -c echo%20${word}%20said;exec%20${script}%20${word}`;
    const lines = ["start", "stop", "status", "restart"].map(line);
    site.configure(supervisor("app", [service("web", ...lines)]), "interval = 3600\nloglevel = debug");
    await site.start();
    await site.until("app/web", "running");
    expect(site.read("log")).toContain("app/web| start said");
    expect(await site.command("restart", "app/web")).toMatchObject({ status: 0 });
    expect(site.calls("web").filter((word) => word !== "status")).toEqual(["start", "restart"]);
  },
);

test.concurrent("pattern: without one it is the start command", async ({ site }) => {
  const self = site.script(
    "self",
    'if [ "$2" ]; then while :; do sleep 0.1; done; fi\nsetsid sh "$0" "$1" loop >/dev/null 2>&1 &\n',
  );
  site.configure(service("lone", `start = ${self} a.b`));
  expect(await site.command("status")).toMatchObject({ status: 3 });
  expect(await site.command("start")).toMatchObject({ status: 0 });
  expect(site.processes().length).toBeGreaterThanOrEqual(1);
  expect(await site.command("stop")).toMatchObject({ status: 0 });
  expect(await site.command("check")).toMatchObject({
    status: 1,
    stdout: "lone: WARNING, not running, not expected\n",
  });
});

test.concurrent("expected = stopped, of a supervisor, is for all below it", async ({ site }) => {
  const [web, log] = [site.initScript("web"), site.initScript("log")];
  site.write("web.state", "");
  const below = supervisor("below", [service("web", `control = ${web}`), service("log", `control = ${log}`)]);
  site.configure(supervisor("app", [below], "expected = stopped"));
  expect(await site.command("check")).toMatchObject({
    status: 1,
    stdout:
      "app: WARNING, not expected\n  below: WARNING, not expected\n" +
      "    web: WARNING, found running, not expected\n    log: OK, not running, as expected\n",
  });
  expect(await site.command("single")).toMatchObject({ status: 0, stdout: "" });
  expect([site.calls("web").includes("stop"), site.calls("log").includes("start")]).toEqual([true, false]);
});

test.concurrent("wake_up, stop_children, --json, --metrics", async ({ site }) => {
  site.configure(
    supervisor("app", [service("web", `control = ${site.initScript("web")}`)]),
    `interval = 3600\nmetrics = unix:${site.at("metrics")}`,
  );
  await site.start();
  await site.until("app/web", "running");
  rmSync(site.at("web.state"));
  expect((await site.command("wake_up")).status).toBe(0);
  await vi.waitUntil(() => existsSync(site.at("web.state")), patience);
  await site.until("app/web", "running");

  expect((await site.command("stop_children")).status).toBe(0);
  expect(existsSync(site.at("web.state"))).toBe(false);
  expect((await site.command("status")).status).toBe(0);
  expect((await site.command("wake_up")).status).toBe(0);
  await site.until("app/web", "running");

  for (const args of [
    ["status"],
    ["tree"],
    ["check"],
    ["status", "app/web"],
    ["restart", "app/web"],
    ["wake_up"],
  ]) {
    const { stdout } = await site.command("--json", ...args);
    expect([args, stdout.split("\n").length]).toEqual([args, 2]);
    expect(typeof JSON.parse(stdout)).toBe("object");
  }
  const response = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
    request({ socketPath: site.at("metrics"), path: "/metrics" }, resolve)
      .on("error", reject)
      .end();
  });
  expect(await text(response)).toMatch(/^simplevisor_service_up\{path="app\/web"\} [01]$/m);
});

describe("options", () => {
  test.concurrent(
    "--conftype, --store, --rundir, --interval, --pidfile, --status and --quit",
    async ({ site }) => {
      const entry = { type: "service", name: "web", control: site.initScript("web") };
      site.write(
        "site.conf",
        JSON.stringify({ entry: { type: "supervisor", name: "app", children: { entry: [entry] } } }),
      );
      const apache = await site.command("check_configuration");
      expect(apache).toMatchObject({ status: 64 });
      const args = ["--conftype", "json", "--rundir", site.at("elsewhere"), "--pidfile", site.at("pid")];
      expect(await site.command(...args, "check_configuration")).toMatchObject({ status: 0 });
      expect(await site.command(...args, "--status")).toMatchObject({ status: 3 });
      const { done } = await site.start(...args, "--store", "kept", "--interval", "0.2");
      expect(existsSync(site.at("elsewhere/control"))).toBe(true);
      // Asked after it was started: it counts as running, and what is gone then is found by the next cycle.
      const calls = () => site.calls("web");
      await vi.waitUntil(
        () => calls().includes("start") && calls().length > calls().indexOf("start") + 2,
        patience,
      );
      rmSync(site.at("web.state"));
      const before = calls().length;
      await vi.waitUntil(() => calls().slice(before).includes("start"), patience);
      expect(await site.command(...args, "--status")).toMatchObject({ status: 0 });
      expect(await site.command(...args, "--quit")).toMatchObject({ status: 0 });
      expect(await done).toMatchObject({ status: 0 });
      expect(JSON.parse(site.read("kept"))).toMatchObject({ state: { name: "app" } });
    },
  );

  test("help, and what the tables make", async () => {
    for (const args of [["help"], ["--help"]]) {
      const { status, stdout } = await call(main, args);
      expect(status).toBe(0);
      expect(stdout).toMatch(/\nCommands:\n {2}start +supervise; /);
    }
    const manual = (await call(main, ["--manual"])).stdout;
    expect(manual).toMatch(/\.SH COMMANDS\n\.TP\n\.B start\n/);
    expect(manual).toMatch(/\.SH ENTRIES OF SERVICES\n(.*\n)*\.B health\\-interval\n.*default 10/);
    expect((await call(main, ["--completion", "bash"])).stdout).toContain("check_configuration");
  });
});

describe.runIf(isRoot)("another account", () => {
  test.concurrent("reaches nothing: not the directory, and not the socket in it", async ({ site }) => {
    site.configure(supervisor("app", [site.worker("a")]));
    await site.start();
    const never = new AbortController().signal;
    const ask = () =>
      asNobody(() => giveOrder(site.at("run/control"), { command: "stop" }, () => undefined, never));
    chmodSync(site.directory, 0o711);
    await expect(ask()).rejects.toMatchObject({ code: "EACCES" });
    chmodSync(site.at("run"), 0o711);
    await expect(ask()).rejects.toMatchObject({ code: "EACCES" });
    chmodSync(site.at("site.conf"), 0o644);
    const asked = await run("simplevisor", ["--conf", site.at("site.conf"), "tree"], { uid: 65_534 });
    expect(asked.status).toBe(77);
    // Nor is it trusted with a directory of ours.
    mkdirSync(site.at("theirs"));
    chownSync(site.at("theirs"), 65_534, 65_534);
    expect(await site.command("--rundir", site.at("theirs"), "single")).toMatchObject({ status: 77 });
  });

  test.concurrent("is taken on by simplevisor-control, for SIMPLEVISOR_USER", async ({ site }) => {
    chmodSync(site.directory, 0o777);
    const who = site.script("who", `id -un >${site.at("who.txt")}\nexit 3\n`);
    site.configure(service("lone", `control = ${who}`));
    const env = { SIMPLEVISOR_CONF: site.at("site.conf"), SIMPLEVISOR_USER: "nobody" };
    const { status } = await run("simplevisor-control", ["status", "lone"], { env, cwd: site.directory });
    expect([status, site.read("who.txt")]).toEqual([3, "nobody\n"]);
  });
});
