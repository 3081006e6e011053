import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NormalQueue } from "@spoolwire/dirq";
import { DqsQueue } from "@spoolwire/message";
import { beforeEach, describe, expect, test } from "vitest";
import { dirq, eachInDirectory } from "./helpers.js";

const directory = eachInDirectory();
let path: string;
let queue: DqsQueue;
beforeEach(() => {
  path = join(directory(), "queue");
  queue = new DqsQueue({ path });
});

const OLD = new Date(Date.now() - 3600_000);

function old(file: string): string {
  writeFileSync(file, "x");
  utimesSync(file, OLD, OLD);
  return file;
}

/** What fsck finds, by path, and its status. */
async function fsck(...options: string[]): Promise<{ status: number; found: Record<string, string> }> {
  const { status, stdout, stderr } = await dirq(["fsck", path, "--json", ...options]);
  expect(stderr).toBe("");
  const lines = stdout.split("\n").slice(0, -1);
  const problems = lines.map((line) => JSON.parse(line) as { kind: string; path: string });
  return { status, found: Object.fromEntries(problems.map((problem) => [problem.path, problem.kind])) };
}

describe("dirq fsck", () => {
  test("finds nothing in a queue at work", async () => {
    const [locked] = [queue.add("x"), queue.add("y")];
    queue.lock(locked);
    writeFileSync(join(path, `${queue.add("z")}`.replace(/.$/, "f.tmp")), "being written");
    expect(await fsck("--maxlock", "60")).toEqual({ status: 0, found: {} });
  });

  test("finds each kind of problem, and only reads", async () => {
    const name = queue.add("");
    const place = name.slice(0, 8);
    const inPlace = (file: string) => join(path, place, file);
    old(inPlace("00000000000001.tmp"));
    old(inPlace("00000000000002"));
    linkSync(inPlace("00000000000002"), inPlace("00000000000002.lck"));
    old(inPlace("00000000000003.lck"));
    mkdirSync(inPlace("00000000000004"));
    symlinkSync("/etc/hostname", inPlace("00000000000005"));
    writeFileSync(inPlace("notes"), "");
    writeFileSync(join(path, "00000000"), "");
    symlinkSync("/etc", join(path, "00000001"));
    mkdirSync(join(path, "backup"));
    const before = readdirSync(path, { recursive: true });
    expect(await fsck()).toEqual({
      status: 65,
      found: {
        [`${place}/00000000000001.tmp`]: "stale-temporary",
        [`${place}/00000000000002.lck`]: "stale-lock",
        [`${place}/00000000000003.lck`]: "orphan-lock",
        [`${place}/00000000000004`]: "wrong-kind",
        [`${place}/00000000000005`]: "link",
        [`${place}/notes`]: "foreign",
        [name]: "empty",
        "00000000": "wrong-kind",
        "00000001": "link",
        backup: "foreign",
      },
    });
    expect(readdirSync(path, { recursive: true })).toEqual(before);
    // The limits are those of purge.
    expect((await fsck("--maxlock", "7200", "--maxtemp", "0")).found).not.toMatchObject({
      [`${place}/00000000000001.tmp`]: "stale-temporary",
    });
  });

  test("repairs what is stale or empty, leaves the rest, and says whether something is left", async () => {
    const name = queue.add("");
    old(join(path, name.slice(0, 8), "00000000000001.tmp"));
    expect(await fsck("--repair")).toMatchObject({ status: 0 });
    expect(await fsck()).toEqual({ status: 0, found: {} });
    expect([...queue.quarantined()]).toMatchObject([{ element: name }]);
    writeFileSync(join(path, "notes"), "");
    expect(await fsck("--repair")).toEqual({ status: 65, found: { notes: "foreign" } });
  });

  test("reads the messages with --messages, and moves malformed ones aside with --repair", async () => {
    const [bad] = [queue.add("bad"), queue.add("{}")];
    expect(await fsck()).toEqual({ status: 0, found: {} });
    expect(await fsck("--messages")).toEqual({ status: 65, found: { [bad]: "malformed" } });
    expect(await fsck("--messages", "--repair")).toMatchObject({ status: 0 });
    expect([queue.count(), [...queue.quarantined()].length]).toEqual([1, 1]);
  });

  test("looks at a normal queue", async () => {
    path = join(directory(), "normal");
    const normal = new NormalQueue({ path, schema: { body: "string" } });
    const [good, locked] = [normal.add({ body: "x" }), normal.add({ body: "y" })];
    normal.lock(locked);
    utimesSync(join(path, locked), OLD, OLD);
    mkdirSync(join(path, "00000000/00000000000001"));
    writeFileSync(join(path, good, "note.txt"), "");
    mkdirSync(join(path, "temporary/00000000000002"));
    utimesSync(join(path, "temporary/00000000000002"), OLD, OLD);
    expect(await fsck()).toEqual({
      status: 65,
      found: {
        "00000000/00000000000001": "empty",
        [`${good}/note.txt`]: "foreign",
        [locked]: "stale-lock",
        "temporary/00000000000002": "stale-temporary",
      },
    });
  });
});

test("dirq fsck reads the messages of a DQN queue", async () => {
  path = join(directory(), "dqn");
  await dirq(["add", path, "--type", "DQN"], "x");
  const normal = new NormalQueue({ path, schema: { text: "string" } });
  const bad = normal.add({ text: "no header" });
  expect(await fsck("--messages")).toEqual({ status: 65, found: { [bad]: "malformed" } });
});

test("dirq purge tells what it removed", async () => {
  old(join(path, queue.add("x").slice(0, 8), "00000000000001.tmp"));
  expect(JSON.parse((await dirq(["purge", path, "--json"])).stdout)).toEqual({
    ...{ temporary: 1, locks: 0, directories: 0 },
  });
  expect(await dirq(["purge", path])).toEqual({
    status: 0,
    stdout: "0 locks, 0 temporary, 0 empty directories removed\n",
    stderr: "",
  });
});

describe("dirq quarantine", () => {
  function moveAside(content: string, reason: string): { element: string; name: string } {
    const element = queue.add(content);
    queue.lock(element);
    return { element, name: queue.quarantine(element, reason)! };
  }

  test("ls tells what, when, and why, in one line each", async () => {
    const { element, name } = moveAside("x", "two\nlines \x1b[31m");
    const { stdout } = await dirq(["quarantine", "ls", path]);
    expect(stdout).toMatch(new RegExp(`^${name} \\d{4}-[-:.0-9TZ]+ ${element} two lines  \\[31m\n$`));
    expect(JSON.parse((await dirq(["quarantine", "ls", path, "--json"])).stdout)).toMatchObject({
      ...{ name, element, reason: "two\nlines \x1b[31m" },
    });
  });

  test("show writes the content, requeue puts it back under a new name", async () => {
    const { name } = moveAside("content", "why");
    expect(await dirq(["quarantine", "show", path, name])).toMatchObject({ status: 0, stdout: "content" });
    const { status, stdout } = await dirq(["quarantine", "requeue", path, "-"], `${name}\n`);
    expect([status, stdout]).toEqual([0, `${queue.first()}\n`]);
    expect(await dirq(["get", path, stdout.trim()])).toMatchObject({ status: 0, stdout: "content" });
  });

  test("show follows no link that somebody has put there, and waits for no pipe", async () => {
    const { name } = moveAside("content", "why");
    const file = join(path, "quarantine", name, "element");
    rmSync(file);
    execFileSync("mkfifo", [file]);
    expect(await dirq(["quarantine", "show", path, name])).toMatchObject({ status: 0, stdout: "" });
    rmSync(file);
    symlinkSync("/etc/hostname", file);
    expect(await dirq(["quarantine", "show", path, name])).toMatchObject({
      ...{ status: 74, stdout: "" },
      stderr: expect.stringContaining("ELOOP") as string,
    });
  });

  test("tells of a name that is not there, and of a command that is none", async () => {
    expect(await dirq(["quarantine", "requeue", path, "00000000000000"])).toEqual({
      ...{ status: 1, stdout: "" },
      stderr: "dirq quarantine requeue: 00000000000000 is not in the quarantine\n",
    });
    expect(await dirq(["quarantine"])).toEqual({
      ...{ status: 64, stdout: "" },
      stderr: "dirq quarantine: Expected a command, got none (see dirq quarantine --help)\n",
    });
  });
});
