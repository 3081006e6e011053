import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, expect, test } from "vitest";
import { freePort, removeDirectory, startChild, temporaryDirectory } from "../../helpers/broker.js";

const directory = temporaryDirectory("child");
afterAll(() => removeDirectory(directory));

/** Start a node that runs a script. */
const start = (script: string, seconds?: number) =>
  startChild({
    command: process.execPath,
    args: ["-e", script],
    directory,
    name: "child",
    ready: /^ready$/m,
    ...(seconds === undefined ? {} : { seconds }),
  });

const exists = (pid: number) => existsSync(`/proc/${pid}/exe`);

test("a child is ready when its log says so, and an earlier start does not count", async () => {
  const first = await start("console.log('ready'); setInterval(() => {}, 1000)");
  await first.stop();
  await expect(start("setInterval(() => {}, 1000)", 0.5)).rejects.toThrow("child was not ready after 0.5 s");
});

test("a child that ends too early is an error that quotes the end of its log", async () => {
  const early = start("for (let i = 1; i < 40; i++) console.error(`line ${i}`); process.exit(3)");
  const error = await early.then(String, (error: Error) => error.message);
  expect(error).toMatch("child ended by itself with status 3");
  expect(error).toMatch(/line 15\n(.*\n)*line 39$/);
  expect(error).not.toMatch("line 14\n");
});

test("a program that is not there is an error too", async () => {
  const child = startChild({ command: "/no/such/program", args: [], directory, name: "none", ready: /./ });
  await expect(child).rejects.toThrow("none did not start: spawn /no/such/program ENOENT");
});

test("a child gets SIGTERM and may be stopped twice", async () => {
  const script = "process.on('SIGTERM', () => { console.log('bye'); process.exit() })";
  const child = await start(`${script}; console.log('ready'); setInterval(() => {}, 1000)`);
  await child.stop();
  await child.stop();
  await child.kill();
  expect(exists(child.pid)).toBe(false);
  expect(readFileSync(`${directory}/child.log`, "utf8")).toMatch(/bye\n$/);
});

test("free ports are different ones that can be listened on", async () => {
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  expect(new Set(ports).size).toBe(3);
  for (const port of ports) {
    await using server = createServer();
    await new Promise<void>((resolve, reject) =>
      server.once("error", reject).listen(port, "127.0.0.1", resolve),
    );
  }
});
