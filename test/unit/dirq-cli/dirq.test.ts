import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DqsQueue } from "@spoolwire/message";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { program } from "../../helpers/embedded.js";
import { run, start } from "../../helpers/programs.js";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spoolwire-dirq-cli-"));
  path = join(directory, "queue");
});
afterEach(() => rmSync(directory, { recursive: true }));

const contents = () => {
  const queue = new DqsQueue({ path });
  return [...queue].map((name) => {
    queue.lock(name);
    return queue.get(name).toString("latin1");
  });
};

describe("dirq add", () => {
  test("makes one element of standard input", async () => {
    expect(await run("dirq", ["add", path], { input: "a\nb\n" })).toMatchObject({ status: 0, stderr: "" });
    expect(contents()).toEqual(["a\nb\n"]);
  });

  test("makes an element of each line with --lines, ends and odd bytes included", async () => {
    const input = Buffer.from("one\n\ntwo\r\nna\xefve\0\nlast", "latin1");
    await run("dirq", ["add", path, "--lines", "--statistics"], { input });
    expect(contents()).toEqual(["one\n", "\n", "two\r\n", "na\xefve\0\n", "last"]);
  });

  test("makes no element of an empty input with --lines", async () => {
    expect((await run("dirq", ["add", path, "--lines", "-s"])).stderr).toMatch(/^dirq add: added 0 elements/);
  });

  test("reads files, and makes messages with --header", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "text é\n");
    const binary = join(directory, "binary");
    writeFileSync(binary, Buffer.from([0xff]));
    await run("dirq", ["add", path, "--header", "destination=/queue/x", "a=b", "--", file, binary]);
    expect(
      contents().map((content) => JSON.parse(Buffer.from(content, "latin1").toString()) as unknown),
    ).toEqual([
      { header: { destination: "/queue/x", a: "b" }, text: true, body: "text é\n" },
      { header: { destination: "/queue/x", a: "b" }, encoding: "base64", body: "/w==" },
    ]);
  });

  test("says which file it cannot read", async () => {
    const missing = join(directory, "missing");
    const { status, stderr } = await run("dirq", ["add", path, missing]);
    expect([status, stderr]).toEqual([
      66,
      `dirq add: ENOENT: no such file or directory, open '${missing}'\n`,
    ]);
  });

  test("adds what comes before a file that it cannot read", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "x");
    const missing = join(directory, "missing");
    const { status, stderr } = await run("dirq", ["add", path, file, file, missing, file]);
    expect(stderr).toBe(
      "dirq add: warning: 2 elements were added before the error\n" +
        `dirq add: ENOENT: no such file or directory, open '${missing}'\n`,
    );
    expect([status, contents()]).toEqual([66, ["x", "x"]]);
  });

  test("says which of its files is a directory", async () => {
    const { status, stderr } = await run("dirq", ["add", path, directory]);
    expect(stderr).toBe(`dirq add: EISDIR: illegal operation on a directory, read '${directory}'\n`);
    expect(status).toBe(66);
  });

  test("reads more files than can be open at once", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "x");
    const line = 'ulimit -n 200; exec "$@"';
    const words = [process.execPath, program("dirq"), "add", path, ...Array<string>(500).fill(file)];
    const shell = spawn("bash", ["-c", line, "bash", ...words], { stdio: ["ignore", "ignore", "pipe"] });
    let stderr = "";
    shell.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const [status] = (await once(shell, "close")) as [number];
    expect([status, stderr, contents().length]).toEqual([0, "", 500]);
  });

  test.runIf(process.getuid?.() === 0)("says which directory it may not write to", async () => {
    new DqsQueue({ path });
    chmodSync(path, 0o555);
    chmodSync(directory, 0o755);
    const { status, stderr } = await run("dirq", ["add", path], { input: "x", uid: 65534 });
    expect(stderr).toMatch(new RegExp(`^dirq add: EACCES: permission denied, .*'${path}/[0-9a-f]{8}'\n$`));
    expect(status).toBe(77);
  });
});

describe("dirq pop", () => {
  const add = (...elements: string[]) => {
    const queue = new DqsQueue({ path });
    for (const element of elements) queue.add(element);
    return queue;
  };

  test("writes the first element and removes it", async () => {
    const queue = add("1", "2");
    expect(await run("dirq", ["pop", path])).toMatchObject({ status: 0, stdout: "1", stderr: "" });
    expect(queue.count()).toBe(1);
  });

  test("takes so many, or all, in order; too few is status 1", async () => {
    add("1", "2", "3", "4");
    expect(await run("dirq", ["pop", path, "-c", "2"])).toMatchObject({ status: 0, stdout: "12" });
    expect(await run("dirq", ["pop", path, "-c", "3"])).toMatchObject({ status: 1, stdout: "34" });
    expect(await run("dirq", ["pop", path, "-c", "0"])).toMatchObject({ status: 1, stdout: "", stderr: "" });
  });

  test("waits for elements with --wait", async () => {
    const { done } = start("dirq", ["pop", path, "--wait", "20", "-c", "2"]);
    const queue = new DqsQueue({ path });
    queue.add("1");
    queue.add("2");
    expect(await done).toMatchObject({ status: 0, stdout: "12" });
  });

  test("writes bodies with --body; a malformed element is moved aside, and the others go on", async () => {
    const queue = add('{"body":"1"}', "no message", '{"body":"/w==","encoding":"base64"}');
    const { status, stdout, stderr } = await run("dirq", ["pop", path, "--body", "-c", "0"]);
    expect(stdout).toBe("1\xff");
    expect(stderr).toMatch(
      /^dirq pop: [0-9a-f]{8}\/[0-9a-f]{14} is in the quarantine as [0-9a-f]{14}: .* is no message: Expected a JSON object/,
    );
    expect(status).toBe(65);
    expect(queue.count()).toBe(0);
    expect([...queue.quarantined()]).toHaveLength(1);
  });

  test("removes nothing that its reader has not taken", async () => {
    const elements = Array.from({ length: 500 }, (_, index) => String(index).padEnd(1000, "."));
    const queue = add(...elements);
    const reader = spawn("head", ["-c", "1000"], { stdio: ["pipe", "pipe", "ignore"] });
    const pop = spawn(process.execPath, [program("dirq"), "pop", path, "-c", "0"], {
      stdio: ["ignore", reader.stdin, "pipe"],
    });
    const ends = Promise.all([once(pop, "close"), once(reader, "close")]);
    reader.stdin.destroy();
    let stderr = "";
    pop.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const [[status]] = (await ends) as [[number], unknown];
    expect([status, stderr]).toEqual([141, ""]);
    // What went into the pipe counts as taken; the pipe holds at most 64 kB.
    expect(queue.count()).toBeGreaterThan(400);
    for (const name of queue) expect(queue.lock(name)).toBe(true);
  });

  test("stops when the disk it writes to is full, and removes nothing more", async () => {
    const queue = add("1", "2");
    const full = openSync("/dev/full", "w");
    const pop = spawn(process.execPath, [program("dirq"), "pop", path, "-c", "0"], {
      stdio: ["ignore", full, "pipe"],
    });
    closeSync(full);
    let stderr = "";
    pop.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const [status] = (await once(pop, "close")) as [number];
    expect(stderr).toMatch(/^dirq pop: ENOSPC: no space left on device, write\n$/);
    expect(status).toBe(74);
    expect(queue.count()).toBe(2);
    for (const name of queue) expect(queue.lock(name)).toBe(true);
  });

  test("says which directory is not there, and does not make it", async () => {
    const { status, stderr } = await run("dirq", ["pop", path]);
    expect([status, stderr]).toEqual([
      66,
      `dirq pop: ENOENT: no such file or directory, lstat '${path}/.'\n`,
    ]);
  });
});

test("dirq ls ends without a word when its reader has enough", async () => {
  const queue = new DqsQueue({ path });
  // Some more than a pipe holds.
  for (let n = 0; n < 4000; n++) queue.add("");
  const line = '"$0" "$1" ls "$2" | head -n 1 > /dev/null; echo ${PIPESTATUS[0]}';
  const shell = spawn("bash", ["-c", line, process.execPath, program("dirq"), path]);
  let output = "";
  for (const stream of [shell.stdout, shell.stderr])
    stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  await once(shell, "close");
  expect(output).toBe("141\n");
});

test("dirq names its commands, and refuses others with status 64", async () => {
  expect(await run("dirq", ["--help"])).toMatchObject({
    status: 0,
    stdout: expect.stringContaining("add") as string,
  });
  expect(await run("dirq", ["ad"])).toMatchObject({
    status: 64,
    stderr: 'dirq: Expected a command, got "ad" (see dirq --help)\n',
  });
  expect(await run("dirq", ["pop"])).toMatchObject({
    status: 64,
    stderr: "dirq pop: Expected the directory of a queue, got none (see dirq pop --help)\n",
  });
});

test("what goes in line by line comes out byte for byte", async () => {
  const input = Buffer.concat([
    readFileSync(process.execPath).subarray(0, 200_000),
    Buffer.alloc(1_000_000, "x"),
  ]);
  await run("dirq", ["add", path, "--lines", "--header", "destination=/queue/x"], { input });
  const { stdout } = await run("dirq", ["pop", path, "--body", "-c", "0"]);
  expect(Buffer.from(stdout, "latin1").equals(input)).toBe(true);
});
