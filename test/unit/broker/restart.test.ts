// What is left when a broker ends, one way or the other, and who may come after it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { Message } from "@spoolwire/message";
import { fill, makeData, RawClient, start, store, texts, until } from "./helpers.js";

const destination = "/queue/a";
const program = fileURLToPath(new URL("../../../bin/spoolwire-broker", import.meta.url));

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** The program as a process of its own. */
async function launch(data: string, ...more: string[]) {
  const child = spawn(process.execPath, [program, "--data", data, "--port", "0", ...more]);
  children.push(child);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const exited = once(child, "exit") as Promise<[number | null, string | null]>;
  await until(() => stderr.includes("\n") || child.exitCode !== null);
  const port = Number(/^spoolwire-broker: listening on stomp:\/\/127\.0\.0\.1:(\d+)\n$/.exec(stderr)?.[1]);
  return { child, port, exited, stderr: () => stderr };
}

describe("the program", () => {
  test("keeps all that it has receipted when it is killed, whole and in order", async () => {
    using data = makeData();
    const first = await launch(data.path);
    const bodies = Array.from({ length: 300 }, (_, n) => `${n} `.repeat(1 + (n % 50)));
    const receipted = new Set<number>();
    using sender = await RawClient.connect(first);
    bodies.forEach((body, n) =>
      sender.send(
        "SEND",
        { destination, n: String(n), receipt: String(n), "content-type": "text/plain" },
        body,
      ),
    );
    await until(() => sender.frames.length >= 100);
    first.child.kill("SIGKILL");
    await first.exited;
    await until(() => sender.isClosed);
    for (const { headers } of sender.frames) receipted.add(Number(headers["receipt-id"]));

    const second = await launch(data.path);
    using receiver = await RawClient.connect(second);
    const left = store({ data: data.path }, "a").count();
    expect(left).toBeGreaterThanOrEqual(receipted.size);
    await receiver.subscribe(destination, { ack: "client", "prefetch-count": "0" });
    const messages = await receiver.take(left);
    const order = messages.map(({ headers }) => Number(headers.n));
    expect(order).toEqual(Array.from({ length: left }, (_, n) => n));
    expect(texts(messages)).toEqual(bodies.slice(0, left));
    expect(Math.max(...receipted)).toBeLessThan(left);
    await receiver.settle();
    expect(receiver.frames).toEqual([]);
  });

  test("delivers again what was not acknowledged when it was killed, and nothing else", async () => {
    using data = makeData();
    const first = await launch(data.path);
    await fill(first, destination, "0", "1", "2", "3");
    using client = await RawClient.connect(first);
    await client.subscribe(destination, { ack: "client-individual", "prefetch-count": "3" });
    const [, second] = await client.take(3);
    client.ack(second!);
    await client.settle();
    first.child.kill("SIGKILL");
    await first.exited;
    const again = await launch(data.path);
    using other = await RawClient.connect(again);
    await other.subscribe(destination);
    expect(texts(await other.take(3))).toEqual(["0", "2", "3"]);
    await other.settle();
    expect(other.frames).toEqual([]);
  });

  test.each(["SIGTERM", "SIGINT"] as const)(
    "ends with status 0 at %s, closing its clients",
    async (signal) => {
      using data = makeData();
      const { child, port, exited, stderr } = await launch(data.path);
      using client = await RawClient.connect({ port });
      await client.confirm("SEND", { destination }, "x");
      child.kill(signal);
      expect(await exited).toEqual([0, null]);
      await until(() => client.isClosed);
      expect(stderr().split("\n")).toHaveLength(2);
      expect(readdirSync(data.path)).toEqual(["queue"]);
    },
  );

  test("asks for the credential that --auth says", async () => {
    using data = makeData();
    const secret = join(data.path, "secret");
    writeFileSync(secret, "plain name=app pass=s3%20cret\n");
    const broker = await launch(join(data.path, "data"), "--auth", `file=${secret}`);
    using client = await RawClient.connect(broker, "1.2", { login: "app", passcode: "s3 cret" });
    await client.confirm("DISCONNECT");
    using other = await RawClient.open(broker);
    other.send("CONNECT", { "accept-version": "1.2", login: "app", passcode: "s3%20cret" });
    expect((await other.refused()).headers.message).toBe("Access refused");
  });

  test("does not start with a credential of another kind in a file", async () => {
    using data = makeData();
    const secret = join(data.path, "secret");
    writeFileSync(secret, "x509 cert=/c key=/k\n");
    const { exited, stderr } = await launch(join(data.path, "data"), "--auth", `file=${secret}`);
    expect(await exited).toEqual([64, null]);
    expect(stderr()).toContain("got x509");
    expect(readdirSync(data.path)).toEqual(["secret"]);
  });

  test("takes the prefetch from --prefetch", async () => {
    using data = makeData();
    const broker = await launch(data.path, "--prefetch", "2");
    await fill(broker, destination, "0", "1", "2");
    using client = await RawClient.connect(broker);
    await client.subscribe(destination, { ack: "client" });
    await client.take(2);
    await client.settle();
    expect(client.frames).toEqual([]);
  });

  test.each([
    [[], 64, "Expected one of --data"],
    [["--data", "x", "--port", "65536"], 64, "--port"],
    [["--data", "x", "--auth", "plain name=app"], 64, "pass="],
    [
      ["--data", "x", "--auth", "x509 cert=c key=k"],
      64,
      "Expected --auth to be `plain name=N pass=P` or `none`, got x509",
    ],
  ])("with %j ends with status %d", async (args, status, words) => {
    const child = spawn(process.execPath, [program, ...args]);
    children.push(child);
    let stderr = "";
    child.stderr.on("data", (bytes) => (stderr += String(bytes)));
    expect(await once(child, "close")).toEqual([status, null]);
    expect(stderr).toMatch(/^spoolwire-broker: .*\n$/);
    expect(stderr).toContain(words);
  });

  test("leaves the data directory to the broker that is there", async () => {
    await using broker = await start();
    const { exited, stderr } = await launch(broker.data);
    expect(await exited).toEqual([69, null]);
    expect(stderr()).toContain(`is served by another broker: pid ${process.pid}, ${broker.address}\n`);
  });
});

describe("the data directory", () => {
  test("is refused to a second broker, with the name of the first", async () => {
    await using broker = await start();
    await expect(start({ data: broker.data })).rejects.toMatchObject({
      code: "BROKER_BUSY",
      message: `The data directory ${broker.data} is served by another broker: pid ${process.pid}, ${broker.address}`,
    });
    // The first is not harmed by it.
    await fill(broker, destination, "x");
    await expect(start({ data: broker.data })).rejects.toMatchObject({ code: "BROKER_BUSY" });
  });

  test.runIf(process.platform === "linux")("may have a path longer than that of a socket", async () => {
    using data = makeData();
    const long = join(data.path, "long".repeat(50));
    await using broker = await start({ data: long });
    await expect(start({ data: long })).rejects.toMatchObject({ code: "BROKER_BUSY" });
    await fill(broker, destination, "x");
  });

  test("goes to at most one of many that start at once", async () => {
    using data = makeData();
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => start({ data: data.path })));
    const started = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    expect(started.length).toBeLessThanOrEqual(1);
    await Promise.all(started.map((broker) => broker.stop()));
    await using next = await start({ data: data.path });
    expect(next.port).toBeGreaterThan(0);
  });

  test("is free again when the broker has stopped", async () => {
    await using broker = await start();
    await broker.stop();
    expect(readdirSync(broker.data)).toEqual(["queue"]);
    await using again = await start({ data: broker.data });
    expect(again.port).toBeGreaterThan(0);
  });

  test("is free again when the broker cannot listen", async () => {
    await using broker = await start();
    using data = makeData();
    await expect(start({ data: data.path, port: broker.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
    await using again = await start({ data: data.path });
    expect(again.port).toBeGreaterThan(0);
  });

  test("may hold things that are no queues, which are told and left alone", async () => {
    using data = makeData();
    mkdirSync(join(data.path, "queue", "a b"), { recursive: true });
    writeFileSync(join(data.path, "queue", "file"), "");
    await using broker = await start({ data: data.path });
    const told = ["a b", "file"].map((name) => `not a queue: ${join(data.path, "queue", name)}`);
    expect(broker.log.sort()).toEqual(told);
    expect(broker.status().queues).toEqual({});
    expect(readdirSync(join(data.path, "queue")).sort()).toEqual(["a b", "file"]);
  });

  test("may hold locks and unfinished files of another life, which hold up nothing", async () => {
    using data = makeData();
    mkdirSync(join(data.path, "queue", "a"), { recursive: true });
    const queue = store({ data: data.path }, "a");
    const names = ["one", "two"].map((body) => queue.addMessage(new Message({ body })));
    for (const name of names) queue.lock(name);
    writeFileSync(join(queue.path, `${names[0]}.tmp`.replace(/.\.tmp$/, "f.tmp")), "half of a me");
    await using broker = await start({ data: data.path });
    expect(broker.status().queues.a?.messages).toBe(2);
    using client = await RawClient.connect(broker);
    await client.subscribe(destination);
    expect(texts(await client.take(2))).toEqual(["one", "two"]);
    await client.settle();
    expect(client.frames).toEqual([]);
    expect(queue.count()).toBe(0);
  });
});

describe("stop", () => {
  test("closes all connections and may be called twice", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker);
    using silent = await RawClient.open(broker);
    await Promise.all([broker.stop(), broker.stop()]);
    await until(() => client.isClosed && silent.isClosed);
    await broker.stop();
    await expect(RawClient.open(broker)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  test("does not wait for a client that does not read", async () => {
    await using broker = await start();
    using client = await RawClient.connect(broker);
    await client.subscribe(destination);
    client.socket.pause();
    await fill(broker, destination, ...Array<string>(400).fill("x".repeat(64 * 1024)));
    await broker.stop();
    expect(broker.status().connections).toBe(0);
  });

  test("leaves what was not acknowledged to the next broker", async () => {
    await using broker = await start();
    await fill(broker, destination, "0", "1");
    using client = await RawClient.connect(broker);
    await client.subscribe(destination, { ack: "client" });
    client.ack(await client.next());
    await client.settle();
    await broker.stop();
    await using again = await start({ data: broker.data });
    using other = await RawClient.connect(again);
    await other.subscribe(destination);
    expect((await other.next()).text).toBe("1");
  });
});
