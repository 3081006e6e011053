// stompclt with configuration files of the shape that sites have, as a real process.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { run } from "../../helpers/programs.js";
import { samples } from "../../helpers/samples.js";

let directory: string;
beforeAll(() => {
  directory = temporaryDirectory("stompclt-config");
  writeFileSync(
    join(directory, "tap-and-clean.mjs"),
    "export const check = ({ header }) => void delete header.expires;",
  );
});
afterAll(() => removeDirectory(directory));

const stompclt = (...args: string[]) => run("stompclt", args, { cwd: directory });
const write = (name: string, text: string) => writeFileSync(join(directory, name), text);

describe.each(Object.entries(samples))("%s", (name, text) => {
  test("is valid, and neither starts nor makes anything", async () => {
    write(name, text);
    expect(await stompclt("--config", name, "--check")).toEqual({
      status: 0,
      signal: null,
      stdout: "stompclt: the configuration is valid\n",
      stderr: "",
    });
    const overridden = ["--no-daemon", "--statistics", "--timeout-inactivity", "10"];
    expect(await stompclt("--config", name, "--check", ...overridden)).toMatchObject({ status: 0 });
    const { stdout } = await stompclt("--config", name, "--print-config");
    expect(stdout).not.toContain("s3cret");
    // What is shown is a configuration itself.
    write("again.conf", stdout);
    const again = await stompclt("--conf", "again.conf", "--print-config");
    const bare = (printed: string) => printed.replaceAll(/(^| +)# .*/gm, "");
    expect(bare(again.stdout)).toBe(bare(stdout));
  });
});

test("every fault of the options and of both sides is told, each where it is", async () => {
  write(
    "bad.conf",
    `<incoming-broker>
uri = http://mq.example.org:61613
auth = file=missing
</incoming-broker>
subscribe = destination=/queue/a
<<include more.conf>>
`,
  );
  write("more.conf", "outgoing-queue = path=to colour=red\n");
  const first = await stompclt("--cfg", "bad.conf", "--check");
  expect(first).toMatchObject({ status: 64, stdout: "" });
  expect(first.stderr).toBe(
    "stompclt: bad.conf:3: incoming-broker-auth: ENOENT: no such file or directory, open 'missing'\n",
  );
  write("missing", "plain name=n pass=p\n");
  const { status, stderr } = await stompclt("--cfg", "bad.conf", "--check");
  expect(status).toBe(64);
  const [source, sink, ...others] = stderr.trimEnd().split("\n");
  expect(source).toMatch(
    /^stompclt: bad\.conf:2: Expected --incoming-broker-uri to start with stomp:\/\/.*, got "http"$/,
  );
  expect(sink).toMatch(/^stompclt: more\.conf:1: --outgoing-queue: .*colour/);
  expect(others).toEqual([]);
  write("more.conf", "outgoing-queue = path=to\n");
  write("bad.conf", "incoming-broker-uri = stomp://a:1\nsubscribe = ack=auto\n<<include more.conf>>\n");
  expect((await stompclt("--cfg", "bad.conf", "--check")).stderr).toBe(
    "stompclt: bad.conf:2: Expected --subscribe to have destination=NAME\n",
  );
});

test("an agent does what its file says, and what the command line says instead", async () => {
  const queue = new DqsQueue({ path: join(directory, "from") });
  for (const body of ["1", "2", "3"]) queue.addMessage(new Message({ body }));
  write("copy.yaml", "incoming-queue: {path: from}\noutgoing: {queue: path=to}\nremove: on\ncount: 1\n");
  expect(await stompclt("--config", "copy.yaml")).toMatchObject({ status: 0, stderr: "" });
  expect(queue.count()).toBe(2);
  expect(await stompclt("--config", "copy.yaml", "--count", "2", "--no-remove")).toMatchObject({ status: 0 });
  expect(queue.count()).toBe(2);
  expect(new DqsQueue({ path: join(directory, "to") }).count()).toBe(3);
});

test("a callback and a directory are checked too, each where it is", async () => {
  const text = (code: string, settle: string) => `callback-code = ${code}
<incoming-queue>
    type = dir
    path = files
    settle = ${settle}
</incoming-queue>
outgoing-queue = path=to
`;
  write("files.conf", text('$hdr->{destination} = "/queue/a";', "soon"));
  const bad = await stompclt("--config", "files.conf", "--check");
  expect(bad.status).toBe(64);
  expect(bad.stderr.split("\n")).toEqual([
    expect.stringMatching(/^stompclt: files\.conf:1: --callback-code is Perl, expected JavaScript: /),
    expect.stringMatching(
      /^stompclt: files\.conf:\d: Expected `settle` in --incoming-queue to be seconds, got "soon"$/,
    ),
    "",
  ]);
  write("files.conf", text("x", "5").replace("callback-code = x", "callback-path = none.mjs"));
  const missing = await stompclt("--config", "files.conf", "--check");
  expect(missing.stderr).toMatch(/^stompclt: files\.conf:1: --callback-path none\.mjs: ENOENT: [^\n]*\n$/);
  expect(missing.status).toBe(64);
  const service = ["--metrics", "0.0.0.0:80", "--logsize", "9"];
  write("files.conf", text('hdr.destination = "/queue/a"', "5"));
  const ofService = await stompclt("--config", "files.conf", "--check", ...service);
  expect(ofService.stderr).toBe(`stompclt: Expected --logsize with --logfile FILE (see stompclt --help)
stompclt: Expected --metrics to be PORT, a loopback HOST:PORT or unix:PATH, got "0.0.0.0:80" (see stompclt --help)
`);
  expect(ofService.status).toBe(64);
  expect(await stompclt("--config", "files.conf", "--check")).toMatchObject({ status: 0, stderr: "" });
});
