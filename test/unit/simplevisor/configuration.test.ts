// What is wrong in a configuration, each with file and line; and what the parts of it are read to.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { main } from "@spoolwire/simplevisor";
import { call } from "../../helpers/in-process.js";
import { service, Site } from "./helpers.js";

let site: Site;
beforeAll(() => {
  site = new Site();
});
afterAll(() => site.end());

/** Run `simplevisor ARG…` with a configuration of the site; what it tells names the file without the directory. */
async function check(file: string, ...args: string[]) {
  const { stderr, ...outcome } = await call(main, ["--conf", site.at(file), ...args]);
  return { ...outcome, stderr: stderr.replaceAll(`${site.directory}/`, "") };
}

test("every error is told, with its file and line", async () => {
  site.write("more.conf", "<entry>\ntype = service\nname = web\nstart = /bin/x\nrun = /bin/y\n</entry>\n");
  site.write(
    "bad.conf",
    `<simplevisor>
interval = soon
stor = x
</simplevisor>
<entry>
type = supervisor
name = app
strategy = one_for_some
<children>
<entry>
type = service
name = web
run = /bin/x
expcted = running
</entry>
<entry>
type = service
name = a/b
run = /bin/x
depends = nobody
</entry>
<entry>
type = service
name = c
start = /bin/x
pattern = (
</entry>
<entry>
type = service
name = d
run = /bin/x
ready = http://
instances = 3..1
scale = queue:/x depth=5
backoff = bse=1
</entry>
<entry>
name = e
</entry>
<<include more.conf>>
</children>
</entry>
`,
  );
  const { status, stderr } = await check("bad.conf", "--check");
  expect(status).toBe(64);
  expect(stderr.split("\n").map((line) => line.replace(/^simplevisor: /, ""))).toEqual([
    'bad.conf:2: Expected interval to be a number >= 0.1, got "soon"',
    "bad.conf:3: Unknown option stor (did you mean store?)",
    "",
  ]);
  const rest = site.read("bad.conf").replace("interval = soon", "interval = 5").replace("stor = x", "");
  site.write("bad.conf", rest);
  const again = await check("bad.conf", "check_configuration");
  expect(again.status).toBe(64);
  expect(again.stderr.split("\n").map((line) => line.replace(/^simplevisor: /, ""))).toEqual([
    'bad.conf:8: Expected strategy to be one of one_for_one, rest_for_one, one_for_all, got "one_for_some"',
    "bad.conf:14: Unknown option expcted (did you mean expected?)",
    'bad.conf:18: Expected a name without slash and space, got "a/b"',
    "bad.conf:26: Expected pattern to be a regular expression: Invalid regular expression: /(/: Unterminated group",
    'bad.conf:32: Expected ready to be command:…, tcp:[HOST:]PORT, file:PATH, log:REGEX or queue:PATH depth<N, got "http://"',
    'bad.conf:33: Expected instances to be N or N..M, got "3..1"',
    'bad.conf:34: Expected scale to be queue:PATH depth>N or queue:PATH age>SECONDS, got "queue:/x depth=5"',
    "bad.conf:35: Expected backoff to have numbers for base, factor, cap, jitter, healthy, got bse=1",
    "bad.conf:37: Expected type to be service or supervisor, got none",
    "more.conf:5: Expected one of run, start and control, got run and start",
    "",
  ]);
});

test.each([
  ["no entry", "interval = 1\n", "one.conf:1: Expected an <entry>, got none"],
  [
    "two entries at the top",
    "<entry>\ntype = service\nname = a\nrun = x\n</entry>\n".repeat(2),
    "one.conf:6: Expected one <entry> that holds all others, got a second one",
  ],
  [
    "looks without a pause",
    "<entry>\ntype = service\nname = a\nrun = x\nhealth-interval = 0\n</entry>\n",
    'one.conf:5: Expected health-interval to be a number >= 0.05, got "0"',
  ],
  [
    "a name twice",
    `<entry>\ntype = supervisor\n<children>\n${"<entry>\ntype = service\nname = a\nrun = x\n</entry>\n".repeat(2)}</children>\n</entry>\n`,
    "one.conf:9: Expected each name once among children, got a again after line 4",
  ],
  [
    "a circle",
    `<entry>\ntype = supervisor\n<children>\n${["a", "b"]
      .map((name, n) => `<entry>\ntype = service\nname = ${name}\nrun = x\ndepends = ${"ba"[n]}\n</entry>\n`)
      .join("")}</children>\n</entry>\n`,
    "one.conf:4: Expected a not to depend on itself",
  ],
  [
    "a wait for one that comes later, where each comes after the one before",
    `<entry>\ntype = supervisor\nstrategy = rest_for_one\n<children>\n${service("a", "run = x", "depends = b")}${service("b", "run = x")}</children>\n</entry>\n`,
    "one.conf:1: Expected b before a, which depends on it, with rest_for_one",
  ],
  [
    "an unknown variable",
    "<entry>\ntype = service\nname = a\nrun = ${var_x}\n</entry>\n",
    "one.conf:4: Unknown variable ${var_x}",
  ],
])("%s", async (_, text, message) => {
  site.write("one.conf", text);
  const { status, stderr } = await check("one.conf", "check_configuration");
  expect(status).toBe(64);
  expect(stderr.split("\n")[0]).toBe(`simplevisor: ${message}`);
});

test.each([
  ["health = notify", "Expected notify in no other place than ready, beside run"],
  [
    "ready = notify",
    "Expected setpriv on the PATH for ready = notify; without it: tcp:, file:, log:, command: or queue:",
  ],
])("%s, where that cannot be", async (line, message) => {
  if (line.startsWith("ready")) vi.stubEnv("PATH", site.directory);
  site.write("one.conf", `<entry>\ntype = service\nname = a\nrun = x\n${line}\n</entry>\n`);
  const { stderr } = await check("one.conf", "check_configuration");
  vi.unstubAllEnvs();
  expect(stderr).toMatch(/^simplevisor: one\.conf:[15]: /);
  expect(stderr).toContain(message);
});

test("instances are for more work, not for less", async () => {
  site.write("one.conf", service("a", "run = x", "instances = 1..2", "scale = queue:/x depth<5"));
  expect(await check("one.conf", "check_configuration")).toMatchObject({
    status: 64,
    stderr:
      'simplevisor: one.conf:6: Expected scale to be for more than a limit (>), got "queue:/x depth<5"\n',
  });
});

test("a dollar sign that is no variable means itself; what the original knows is taken", async () => {
  site.write(
    "fine.conf",
    `<simplevisor>
loglevel = critical
logname = app
var_own = 1
</simplevisor>
<entry>
type = supervisor
name = app
max_restarts = 10
max_time = 60
<children>
<entry>
type = service
name = web
start = /bin/sh -c echo%20$HOME
pattern = web$
</entry>
</children>
</entry>
`,
  );
  expect(await check("fine.conf", "check_configuration")).toMatchObject({
    status: 0,
    stdout: "Configuration is valid.\n",
    stderr: "",
  });
});

test.each([
  [[], "Expected one of the commands"],
  [["dance"], "Expected one of the commands"],
  [["start", "a", "b"], 'Expected a command and a path, got "b" too'],
  [["reload", "a"], 'Expected reload without a path, got "a"'],
  [["start"], "Expected --conf FILE"],
])("%j is refused", async (args, message) => {
  const { status, stderr } = await call(main, args);
  expect(status).toBe(64);
  expect(stderr).toContain(message);
});

test("what the supervisor itself is asked for is checked too", async () => {
  site.write("own.conf", `metrics = 0.0.0.0:80\nlogsize = 9\n${service("web", "run = x", "stop = y")}\n`);
  for (const how of ["--check", "check_configuration"]) {
    const { status, stderr } = await check("own.conf", how);
    expect(status).toBe(64);
    expect(stderr).toContain("own.conf:1: Expected --metrics to be PORT, a loopback HOST:PORT or unix:PATH");
    expect(stderr).toContain("own.conf:2: Expected --logsize with --logfile FILE\n");
    expect(stderr.split("\n").length).toBeGreaterThan(3);
  }
});

test("the pid file answers whatever is wrong with the configuration", async () => {
  site.write("own.conf", "<entry>\ntype = nothing\n</entry>\n");
  const pidFile = ["--pidfile", site.at("pid")];
  for (const [how, status] of [
    ["--quit", 0],
    ["--status", 3],
  ] as const) {
    expect(await check("own.conf", ...pidFile, how)).toEqual({
      status,
      stdout: "simplevisor does not seem to be running (no pid file)\n",
      stderr: expect.stringMatching(/^simplevisor: warning: own.conf:\d: Expected [^\n]*\n$/) as string,
    });
  }
});
