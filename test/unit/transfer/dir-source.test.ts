import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DqsQueue, MessageError } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import { DirSource, QueueSink, Transfer, type Arrival, type DirSourceOptions } from "@spoolwire/transfer";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { run } from "../../helpers/programs.js";

let top: string;
let path: string;
let logged: string[];
const log = createLogger("test", 0, (line) => logged.push(line));
beforeEach(() => {
  logged = [];
  top = temporaryDirectory("dir-source", inMemory);
  path = join(top, "in");
  mkdirSync(path);
});
afterEach(() => removeDirectory(top));

const never = new AbortController().signal;
const write = (name: string, content = name) => writeFileSync(join(path, name), content);

/** A source for which everything has settled, unless the test says something else. */
function open(options: Partial<DirSourceOptions> = {}, later = 10_000) {
  return new DirSource({ path, ...options }, log, () => Date.now() + later);
}

/** All that a source has, until it ends. */
async function all(source: DirSource): Promise<Extract<Arrival, { kind: "message" }>[]> {
  await source.start();
  const found: Extract<Arrival, { kind: "message" }>[] = [];
  for (;;) {
    const arrival = await source.next(0);
    if (arrival.kind === "end") return found;
    if (arrival.kind === "message") found.push(arrival);
  }
}
const names = async (source: DirSource) =>
  (await all(source)).map(({ message }) => message.header["file-name"]);

describe("a plain directory as a source", () => {
  test("has a message for each file, in the order of their names, with its bytes", async () => {
    write("b", "");
    writeFileSync(join(path, "a"), Buffer.of(0, 255, 10));
    write("café");
    const found = await all(open());
    expect(found.map(({ message }) => message.header["file-name"])).toEqual(["a", "b", "café"]);
    expect(found.map(({ message }) => message.body)).toEqual([
      Buffer.of(0, 255, 10),
      Buffer.of(),
      Buffer.from("café"),
    ]);
  });

  test("passes over what is no file, or by its name not finished", async () => {
    for (const name of [".hidden", "a.tmp", "b.part", "c~", "d.TMP", "e.filepart", "good.txt"]) write(name);
    mkdirSync(join(path, "directory"));
    symlinkSync("/etc/passwd", join(path, "link"));
    expect(await names(open())).toEqual(["good.txt"]);
  });

  test("waits until nothing has happened to a file for a while", async () => {
    write("a");
    const changed = lstatSync(join(path, "a")).ctimeMs;
    let now = changed + 4999;
    const source = new DirSource({ path, settle: 5 }, log, () => now);
    expect(await names(source)).toEqual([]);
    now = changed + 5000;
    expect(await names(source)).toEqual(["a"]);
    expect(await names(source)).toEqual([]);
  });

  test("leaves a file where it is without `remove` and `done`, and takes it again only when it has changed", async () => {
    write("a", "1");
    const source = open();
    for (const { ticket } of await all(source)) source.ack(ticket);
    expect(await names(source)).toEqual([]);
    expect(readFileSync(join(path, "a"), "utf8")).toBe("1");
    appendFileSync(join(path, "a"), "2");
    expect(await names(source)).toEqual(["a"]);
  });

  test("removes a file when it is acknowledged, and not before", async () => {
    write("a");
    write("b");
    const source = open({ remove: true });
    const [a, b] = await all(source);
    expect(readdirSync(path)).toEqual(["a", "b"]);
    source.ack(b!.ticket);
    expect(readdirSync(path)).toEqual(["a"]);
    source.release(a!.ticket);
    expect(await names(source)).toEqual(["a"]);
  });

  test("moves a file away when it is acknowledged, never over another", async () => {
    const done = join(top, "done");
    const source = open({ done });
    for (const content of ["1", "2", "3"]) {
      write("a", content);
      for (const { ticket } of await all(source)) source.ack(ticket);
    }
    expect(readdirSync(path)).toEqual([]);
    expect(readdirSync(done).map((name) => [name, readFileSync(join(done, name), "utf8")])).toEqual([
      ["a", "1"],
      ["a.1", "2"],
      ["a.2", "3"],
    ]);
  });

  test("keeps a file that was written to after it was read, and takes it again", async () => {
    write("a", "1");
    const source = open({ remove: true });
    const [first] = await all(source);
    appendFileSync(join(path, "a"), "2");
    source.ack(first!.ticket);
    expect((await all(source)).map(({ message }) => String(message.body))).toEqual(["12"]);
  });

  test("puts aside what is rejected, if it may move anything", async () => {
    write("a");
    const source = open({ remove: true });
    const [a] = await all(source);
    const rejected = join(path, ".rejected", "a");
    expect(source.reject(a!.ticket, "no good")).toBe(`${path}/a: no good; it is now ${rejected}`);
    expect(readFileSync(rejected, "utf8")).toBe("a");
    write("b");
    const careful = open();
    const [b] = await all(careful);
    expect(careful.reject(b!.ticket, "no good")).toBe(`${path}/b: no good; it stays where it is`);
    expect(existsSync(join(path, "b"))).toBe(true);
  });

  test("with loop meets what comes later, and can be stopped", async () => {
    write("a");
    const queue = new DqsQueue({ path: join(top, "queue") });
    const controller = new AbortController();
    const sink = new QueueSink(queue, log);
    const moving = new Transfer(open({ loop: true, remove: true }), sink, log).run(controller.signal);
    await expect.poll(() => queue.count(), { timeout: 10_000 }).toBe(1);
    write("b");
    await expect.poll(() => queue.count(), { timeout: 10_000 }).toBe(2);
    controller.abort();
    expect(await moving).toMatchObject({ confirmed: 2 });
    expect(readdirSync(path)).toEqual([]);
  });

  test("a sink that fails leaves every file where it was", async () => {
    write("a");
    const queue = new DqsQueue({ path: join(top, "queue") });
    queue.addMessages = () => Promise.reject(new MessageError("MESSAGE_NOT_SENDABLE", "no"));
    const source = open({ remove: true });
    expect(await new Transfer(source, new QueueSink(queue, log), log).run(never)).toMatchObject({
      rejected: 1,
    });
    write("b");
    queue.addMessages = () => Promise.reject(new Error("broken"));
    const run = new Transfer(open({ remove: true }), new QueueSink(queue, log), log).run(never);
    await expect(run).rejects.toThrow("broken");
    expect(readdirSync(path)).toEqual([".rejected", "b"]);
  });

  test("refuses at once a place for what is done that files cannot be moved to", async () => {
    write("a");
    await expect(open({ done: "/proc" }).start()).rejects.toThrow(
      `Expected \`done\` to be on the file system of ${path}, got /proc`,
    );
  });

  test("leaves what was rejected and has changed or gone since", async () => {
    write("a");
    write("b");
    const source = open({ remove: true });
    const [a, b] = await all(source);
    appendFileSync(join(path, "a"), "2");
    rmSync(join(path, "b"));
    for (const [name, arrival] of [["a", a] as const, ["b", b] as const]) {
      expect(source.reject(arrival!.ticket, "no good")).toBe(
        `${path}/${name}: no good; somebody has changed or removed it since`,
      );
    }
    expect((await all(source)).map(({ message }) => String(message.body))).toEqual(["a2"]);
  });

  test("tells once of a file whose name is not UTF-8, and leaves it", async () => {
    writeFileSync(Buffer.concat([Buffer.from(`${path}/caf`), Buffer.of(0xe9)]), "x");
    write("a\ufffd");
    const source = open({ remove: true, loop: true });
    await source.start();
    const kinds: string[] = [];
    const told: string[] = [];
    for (let asked = 0; asked < 5; asked++) {
      const arrival = await source.next(1100);
      kinds.push(arrival.kind);
      if (arrival.kind === "rejected") told.push(arrival.told);
    }
    expect(kinds).toEqual(["message", "rejected", "none", "none", "none"]);
    expect(told).toEqual([`${path}/caf\ufffd: Expected its name to be UTF-8; it stays where it is`]);
    expect(readdirSync(path)).toHaveLength(2);
  });

  test("with loop puts away later what it cannot now, and does not take it again", async () => {
    write("a");
    write("b");
    const done = join(top, "done");
    const source = open({ done, loop: true });
    await source.start();
    const taken = [await source.next(0), await source.next(0)];
    rmSync(done, { recursive: true });
    for (const arrival of taken) if (arrival.kind === "message") source.ack(arrival.ticket);
    expect((await source.next(1100)).kind).toBe("none");
    expect((await source.next(0)).kind).toBe("none");
    expect(readdirSync(path)).toEqual(["a", "b"]);
    mkdirSync(done);
    await expect
      .poll(async () => (await source.next(100)).kind === "none" && readdirSync(path), { timeout: 10_000 })
      .toEqual([]);
    expect(readdirSync(done)).toEqual(["a", "b"]);
    expect(logged).toEqual([
      expect.stringMatching(/warning: directory .*ENOENT.*; trying again until it can be worked on\n$/),
      expect.stringMatching(/can be worked on again\n$/),
    ]);
  });

  test("without loop it ends with what it cannot put away, and with loop at the end", async () => {
    write("a");
    const done = join(top, "done");
    for (const loop of [false, true]) {
      const source = open({ done, loop });
      await source.start();
      const arrival = await source.next(0);
      if (arrival.kind !== "message") throw new Error(arrival.kind);
      rmSync(done, { recursive: true });
      if (!loop) expect(() => source.ack(arrival.ticket)).toThrow("ENOENT");
      else {
        source.ack(arrival.ticket);
        await expect(source.stop()).rejects.toThrow("ENOENT");
      }
    }
    expect(readdirSync(path)).toEqual(["a"]);
  });

  test("is looked through in slices, however much of it is not to be taken", async () => {
    for (let index = 0; index < 2000; index++) write(`${index}`, "");
    const source = open({}, 0);
    await source.start();
    const answer = source.next(0);
    expect(answer).toBeInstanceOf(Promise);
    expect(await answer).toEqual({ kind: "end" });
  });
});

test("stompclt takes the settled files of a directory", { timeout: 60_000 }, async () => {
  write("a", "hello");
  write("b.tmp");
  chmodSync(join(path, "a"), 0o644);
  const done = join(top, "done");
  const argv = [
    ...["--incoming-queue", `type=dir path=${path} settle=0 done=${done}`],
    ...["--callback-code", 'hdr.destination = "/queue/files"; msg.body = bdy.toString()'],
    ...["--outgoing-queue", `path=${top}/queue`],
  ];
  expect((await run("stompclt", [...argv, "--dry-run"])).stdout).toBe(
    '{"file-name":"a","destination":"/queue/files"} 5 bytes of text\n',
  );
  expect(readdirSync(path)).toEqual(["a", "b.tmp"]);
  expect(await run("stompclt", argv)).toMatchObject({ status: 0, stdout: "", stderr: "" });
  expect([readdirSync(path), readdirSync(done)]).toEqual([["b.tmp"], ["a"]]);
  const queue = new DqsQueue({ path: join(top, "queue") });
  const [name = ""] = [...queue];
  queue.lock(name);
  expect(queue.getMessage(name)).toMatchObject({ body: "hello" });
});
