// From a configuration file to the options of a program.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  about,
  ConfigError,
  excludes,
  exactlyOne,
  requires,
  runProgram,
  type OptionEntry,
} from "@spoolwire/program";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { samples } from "../../helpers/samples.js";
import { takes } from "../../helpers/in-process.js";

/** The table of an agent as the sample files of sites need it. */
const options = [
  ...(["incoming", "outgoing"] as const).flatMap(
    (side) =>
      [
        { name: `${side}-broker-uri`, type: "string", help: "" },
        { name: `${side}-broker-auth`, type: "credential", many: true, help: "" },
        { name: `${side}-broker-connect`, type: "properties", help: "" },
        { name: `${side}-queue`, type: "properties", help: "" },
      ] as const,
  ),
  { name: "subscribe", type: "properties", many: true, help: "" },
  { name: "unsubscribe", type: "properties", many: true, help: "" },
  { name: "callback-code", type: "string", help: "" },
  { name: "callback-path", type: "string", help: "" },
  { name: "callback-data", type: "properties", help: "" },
  { name: "timeout-inactivity", type: "number", help: "" },
  { name: "timeout-linger", type: "number", default: 60, help: "" },
  { name: "pidfile", type: "string", help: "" },
  { name: "count", type: "integer", short: "c", help: "" },
  { name: "daemon", type: "boolean", help: "" },
  { name: "loop", type: "boolean", help: "" },
  { name: "reliable", type: "boolean", help: "" },
  { name: "remove", type: "boolean", help: "" },
  { name: "statistics", type: "boolean", help: "" },
  { name: "quit", type: "boolean", notInFiles: true, help: "" },
] as const satisfies readonly OptionEntry[];

const spec = {
  name: "stompclt",
  version: "1.0.0",
  summary: "Move messages.",
  options,
  relations: [
    exactlyOne("incoming-broker-uri", "incoming-queue"),
    exactlyOne("outgoing-broker-uri", "outgoing-queue"),
    requires("loop", "incoming-queue"),
    excludes("daemon", "statistics"),
  ],
  configuration: { root: "stompclt" },
};

let top: string;
beforeAll(() => {
  top = temporaryDirectory("config");
});
afterAll(() => removeDirectory(top));

let [stdout, stderr] = ["", ""];
beforeEach(() => {
  stdout = stderr = "";
  vi.spyOn(process.stdout, "write").mockImplementation(takes((text) => (stdout += text)));
  vi.spyOn(process.stderr, "write").mockImplementation(takes((text) => (stderr += text)));
});
afterEach(() => vi.restoreAllMocks());

function file(text: string, name = "x.conf"): string {
  const path = join(top, name);
  writeFileSync(path, text);
  return path;
}

/** The values that a file and more arguments give, or the lines of what is wrong. */
async function run(text: string, ...argv: string[]): Promise<unknown> {
  return runFile(file(text), ...argv);
}

async function runFile(path: string, ...argv: string[]): Promise<unknown> {
  let seen: unknown;
  const status = await runProgram(spec, ["--config", path, ...argv], async ({ options }) => {
    seen = options;
    return undefined;
  });
  if (status === 0) return seen ?? stdout;
  expect(status).toBe(64);
  return stderr.replaceAll(`${top}/`, "").replaceAll("stompclt: ", "").trimEnd().split("\n");
}

const queues = "incoming-queue = path=/a\noutgoing-queue = path=/b\n";

describe("the files that sites have", () => {
  test("a sender", async () => {
    const values = await run(samples["sender.conf"]);
    expect(values).toMatchObject({
      "incoming-queue": { path: "/var/spool/app/outgoing" },
      "callback-code": 'hdr.destination = "/queue/app.data"\n    hdr.persistent = "true"',
      "outgoing-broker-uri": "stomp://mq.example.org:61613",
      "outgoing-broker-auth": [{ scheme: "plain", name: "app", pass: "s3cret" }],
      pidfile: "/run/app-sender.pid",
      ...{ reliable: true, daemon: true, loop: true, remove: true, "timeout-linger": 60 },
    });
  });

  const receiver = samples["receiver.conf"];

  test("a receiver, and how it is drained in the foreground", async () => {
    const values = {
      "incoming-broker-uri":
        "failover:(stomp://mq1.example.org:61613,stomp://mq2.example.org:61613)?randomize=false",
      "incoming-broker-auth": [{ scheme: "plain", name: "receiver", pass: "s3cret" }],
      subscribe: [{ destination: "/queue/app.data" }, { destination: "/topic/app.events", id: "events" }],
      "outgoing-queue": { path: "/var/spool/app/incoming", type: "DQN" },
      pidfile: "/run/app-receiver.pid",
    };
    expect(await run(receiver)).toMatchObject({ ...values, daemon: true });
    const drained = await run(receiver, "--no-daemon", "--timeout-inactivity", "10", "--statistics");
    expect(drained).toMatchObject({ ...values, daemon: false, "timeout-inactivity": 10 });
  });

  test("a shovel", async () => {
    const values = await run(samples["shovel.conf"]);
    expect(values).toMatchObject({
      "incoming-broker-uri": "stomp+ssl://mq.example.org:61614",
      subscribe: [{ destination: "/queue/app.data" }],
      "outgoing-broker-uri": "stomp://dev.example.org:61613",
      "callback-path": "tap-and-clean.mjs",
      "callback-data": { path: "/var/spool/app/tap", type: "DQS" },
    });
  });

  test("in JSON and YAML", async () => {
    const expected = {
      "incoming-queue": { path: "/a", maxlock: "600" },
      "outgoing-broker-uri": "stomp://h:1",
      "outgoing-broker-auth": [{ scheme: "plain", name: "n", pass: "p q" }],
      subscribe: [{ destination: "/queue/x y" }, { destination: "z" }],
      "timeout-linger": 1.5,
      daemon: true,
    };
    const json = `{"stompclt": {
      "incoming": {"queue": {"path": "/a", "maxlock": 600}},
      "outgoing-broker": {"uri": "stomp://h:1", "auth": [{"scheme": "plain", "name": "n", "pass": "p q"}]},
      "subscribe": [{"destination": "/queue/x y"}, "destination=z"],
      "timeout": {"linger": 1.5}, "daemon": true}}`;
    expect(await runFile(file(json, "x.json"))).toMatchObject(expected);
    const yaml = `
incoming-queue: {path: /a, maxlock: 600}
outgoing:
  broker:
    uri: stomp://h:1
    auth: plain name=n pass=p%20q
subscribe:
  - destination: /queue/x y
  - destination=z
timeout-linger: 1.5
daemon: on
`;
    expect(await runFile(file(yaml, "x.yaml"))).toMatchObject(expected);
  });
});

describe("options in a file", () => {
  test("may be flat, in blocks, within the root, and each way means the same", async () => {
    const expected = await run(`${queues}timeout-linger = 5\n`);
    expect(expected).toMatchObject({ "timeout-linger": 5 });
    for (const text of [
      `<stompclt>\n${queues}timeout-linger = 5\n</stompclt>\n`,
      `${queues}<timeout>\nlinger = 5\n</timeout>\n`,
      `${queues}<stompclt>\n<timeout>\nlinger = 5\n</timeout>\n</stompclt>\n`,
      "<incoming queue>\npath = /a\n</incoming>\n<outgoing>\nqueue = path=/b\n</outgoing>\ntimeout-linger 5\n",
    ]) {
      expect(await run(text)).toEqual({ ...(expected as object), config: join(top, "x.conf") });
    }
  });

  test.each(["true", "yes", "on", "1", "TRUE", "Yes"])("are on with %s", async (text) => {
    expect(await run(`${queues}loop = ${text}\n`)).toMatchObject({ loop: true });
  });
  test.each(["false", "no", "off", "0", "False"])("are off with %s", async (text) => {
    expect(await run(`${queues}loop = ${text}\n`)).toMatchObject({ loop: false });
  });

  test("take what a block holds as it stands, and decode what a line holds", async () => {
    expect(await run(`${queues}<callback-data>\na = 1, b=2 %41\nc =\n</callback-data>\n`)).toMatchObject({
      "callback-data": { a: "1, b=2 %41", c: "" },
    });
    expect(await run(`${queues}callback-data = a=1%2c%20b%3d2%20%2541 c=\n`)).toMatchObject({
      "callback-data": { a: "1, b=2 %41", c: "" },
    });
  });

  test("that are lists may be blocks and lines in turn", async () => {
    expect(
      await run(`${queues}subscribe = a=1\n<subscribe>\na = 2\n</subscribe>\nsubscribe a=3\n`),
    ).toMatchObject({
      subscribe: [{ a: "1" }, { a: "2" }, { a: "3" }],
    });
    expect(await run(`${queues}<unsubscribe>\n</unsubscribe>\n`)).toMatchObject({ unsubscribe: [{}] });
  });

  test("count as often as they say", async () => {
    expect(await run(`${queues}debug = 3\n`)).toMatchObject({ debug: 3 });
    expect(await run(`${queues}debug = 3\n`, "-d")).toMatchObject({ debug: 1 });
  });

  test("yield to the command line, a list as a whole", async () => {
    const text = `${queues}subscribe = a=1\nsubscribe = a=2\ncount = 3\nloop = true\n`;
    expect(await run(text, "--subscribe", "a=9", "--count=4", "--no-loop")).toMatchObject({
      subscribe: [{ a: "9" }],
      count: 4,
      loop: false,
    });
  });

  test("may have variables, if Config::General is to have them", async () => {
    const text = `<callback-data>\nhome = /srv\nspool = $home/spool\n</callback-data>\n${queues}`;
    expect(await run(text)).toMatchObject({ "callback-data": { spool: "$home/spool" } });
    expect(await run(text, "--config-general", "InterPolateVars=1", "IncludeRelative=1")).toMatchObject({
      "callback-data": { spool: "/srv/spool" },
    });
    expect(await run(text, "--config-general", "AutoTrue=1")).toEqual([
      "Expected --config-general to have CComments, LowerCaseNames, UseApacheInclude, IncludeAgain or InterPolateVars, got AutoTrue=1 (see stompclt --help)",
    ]);
  });

  test("that were read once are not read again, with a warning", async () => {
    file("count = 3\n", "more.conf");
    expect(await run(`${queues}<<include more.conf>>\n<<include more.conf>>\n`)).toMatchObject({ count: 3 });
    expect(stderr).toBe(
      `stompclt: warning: ${top}/x.conf:4: ${top}/more.conf is included already, and is not read again\n`,
    );
  });
});

describe("all that is wrong is told, each with its line", () => {
  test("whatever it is", async () => {
    const text = `<outgoing-brokr>
uri = stomp://h:1
</outgoing-brokr>
outgoing-broker-url = stomp://h:1
Reliable = true
xyz = 1
incoming-queue = path
loop = maybe
<outgoing-queue>
path = /b
path = /c
<more>
</more>
</outgoing-queue>
count = -1
count = 2
<count>
</count>
outgoing-broker = s3cret
<outgoing-broker>
<auth>
name = s3cret
</auth>
auth = plain name=s3cret
auth = plian s3cret
</outgoing-broker>
config = x
quit = true
stompclt = 1
`;
    const expected = [
      "x.conf:1: Unknown block outgoing-brokr (did you mean outgoing-broker?)",
      "x.conf:4: Unknown option outgoing-broker-url (did you mean outgoing-broker-uri?)",
      "x.conf:5: Unknown option Reliable (did you mean reliable?)",
      "x.conf:6: Unknown option xyz",
      "x.conf:7: Expected incoming-queue to be made of KEY=VALUE, got one without KEY=",
      'x.conf:8: Expected loop to be true or false, got "maybe"',
      "x.conf:11: Expected path once in outgoing-queue, got it again",
      "x.conf:12: Expected more in outgoing-queue to be a value, got a block",
      'x.conf:15: Expected count to be an integer >= 0, got "-1"',
      "x.conf:16: Expected count once, got it again after line 15",
      "x.conf:17: Expected count once, got it again after line 15",
      "x.conf:19: Expected outgoing-broker to be a block, got a value",
      "x.conf:21: Expected the block outgoing-broker-auth to have a scheme",
      "x.conf:24: Expected a plain credential to have name= and pass=",
      "x.conf:25: Expected a credential as `none`, `plain name=N pass=P`, `x509 cert=F key=F ca=F` or `file=PATH`",
      "x.conf:27: Unknown option config",
      "x.conf:28: Unknown option quit",
      "x.conf:29: Expected stompclt to be a block, got a value",
    ];
    expect(await run(text, "--check")).toEqual(expected);
    stderr = "";
    expect(await run(text)).toEqual(expected);
    expect(stderr + stdout).not.toContain("s3cret");
  });

  test("relations too; what is missing may be misspelt", async () => {
    const text =
      "incoming-queue = path=/a\nincoming-broker-uri = a\nloop = true\ndaemon = true\nstatistics = true\n";
    expect(await run(text)).toEqual([
      "x.conf:2: Expected one of incoming-broker-uri and incoming-queue, got incoming-broker-uri and incoming-queue",
      "x.conf:4: daemon does not go with statistics",
      "Expected one of --outgoing-broker-uri and --outgoing-queue, got none (see stompclt --help)",
    ]);
    stderr = "";
    expect(await run(text.replace("incoming-queue", "outgoing-quee").replace("daemon", "no"))).toEqual([
      "x.conf:1: Unknown option outgoing-quee (did you mean outgoing-queue?)",
      "x.conf:4: Unknown option no",
    ]);
    stderr = "";
    expect(await run("outgoing-queue = path=/a\nincoming-broker-uri = b\nloop = 1\n", "--count=x")).toEqual([
      "x.conf:3: loop needs incoming-queue",
      'Expected --count to be an integer >= 0, got "x" (see stompclt --help)',
    ]);
  });

  test("what only the program knows has the line of its option", async () => {
    const check = (): void =>
      about("count", () => {
        throw new ConfigError("Expected an even --count, got 3");
      });
    const argv = ["--config", file(`${queues}\ncount = 3\n`)];
    const runs = [
      () => runProgram({ ...spec, check }, [...argv, "--check"], async () => 0),
      () => runProgram(spec, argv, async () => (check(), 0)),
    ];
    for (const each of runs) {
      stderr = "";
      expect(await each()).toBe(64);
      expect(stderr).toBe(`stompclt: ${top}/x.conf:4: Expected an even --count, got 3\n`);
    }
  });
});

describe("the program", () => {
  test("--check ends with 0 when all is right, and runs nothing", async () => {
    expect(await run(queues, "--check")).toBe("stompclt: the configuration is valid\n");
  });

  test("a file that is not there is no input", async () => {
    const status = await runProgram(spec, ["--config", join(top, "none.conf")], async () => 0);
    expect(status).toBe(66);
    expect(stderr).toContain("none.conf");
  });

  const full = `
<incoming-broker>
  uri = stomp://user:s3cret@h:1
  auth = plain name=n%20m pass=s3cret
  <connect>
    host = a b, c=d
    passcode = s3cret
  </connect>
</incoming-broker>
<subscribe>
  destination = "/queue/\\#1"
</subscribe>
outgoing-queue = path=/b
callback-code = <<E
  /* a */ hdr.x = "\\\\d"
  # b
E
reliable = on
`;

  test("--print-config shows what is in effect and where it is from, without secrets", async () => {
    const printed = await run(full, "--print-config", "--count", "3", "--subscribe", "destination=x");
    expect(String(printed).replaceAll(top, "")).toBe(`incoming-broker-uri = stomp://user:***@h:1  # /x.conf:3
incoming-broker-auth = plain name=n%20m pass=***  # /x.conf:4
incoming-broker-connect = host=a%20b%2C%20c=d passcode=***  # /x.conf:5
outgoing-queue = path=/b  # /x.conf:13
subscribe = destination=x  # command line
# /x.conf:14
callback-code = <<EOT
/* a */ hdr.x = \\"\\\\d\\"
  \\# b
EOT
timeout-linger = 60  # default
count = 3  # command line
reliable = true  # /x.conf:18
`);
    expect(printed).not.toContain("s3cret");
  });

  test.each([
    ["stomp://u:s3:cret@h:1", "stomp://u:***@h:1"],
    ["stomp://u:s3@cret@h:1", "stomp://u:***@h:1"],
    ["stomp://u:s3/c,r et@h:1", "stomp://u:***@h:1"],
    ["stomp://u@v:s3cret@h:1", "stomp://u@v:***@h:1"],
    ["failover:(stomp://h:1,stomp://u:s3@c@h:1)", "failover:(stomp://h:1,stomp://u:***@h:1)"],
    ["failover:(stomp://u:s3@c@h:1,stomp://h:1)", "failover:(stomp://u:***@h:1,stomp://h:1)"],
  ])("--print-config hides all of the password in %s", async (uri, shown) => {
    const printed = await run(
      `${queues.replace("incoming-queue = path=/a", `incoming-broker-uri = ${uri}`)}subscribe = id=1\n`,
      "--print-config",
    );
    expect(printed).toContain(`incoming-broker-uri = ${shown}  # `);
  });

  test("--print-config leaves out a default that would need another option", async () => {
    const asked = {
      ...spec,
      options: [{ name: "size", type: "integer", default: 7, help: "" }, ...spec.options],
      relations: [requires("size", "incoming-broker-uri")],
    } as const;
    const print = async (text: string) => {
      stdout = "";
      expect(await runProgram(asked, ["--config", file(text), "--print-config"], async () => 0)).toBe(0);
      return stdout;
    };
    expect(await print(queues)).not.toContain("size");
    expect(await print("incoming-broker-uri = stomp://h:1\n")).toContain("size = 7  # default\n");
  });

  test("what --print-config shows gives the same values, but for the secrets", async () => {
    const text = full.replaceAll("s3cret", "***").replaceAll("%20", "");
    const values = await run(text);
    const printed = await run(text, "--print-config");
    expect(await run(String(printed))).toEqual(values);
  });
});
