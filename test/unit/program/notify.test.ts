// What systemd is told, at a real datagram socket.
import { join } from "node:path";
import { createLogger, Notifier } from "@spoolwire/program";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { startDatagrams, type DatagramServer } from "../../helpers/datagrams.js";
import { requires } from "../../helpers/requirements.js";

let directory: string;
let socket: string;
const logged: string[] = [];
const log = createLogger("test", 0, (line) => logged.push(line));
beforeEach(() => {
  directory = temporaryDirectory("notify");
  socket = join(directory, "notify");
  logged.length = 0;
});
afterEach(() => removeDirectory(directory));

test("without NOTIFY_SOCKET nobody wants to know", () => {
  expect(Notifier.find(log, {})).toBeUndefined();
});

describe.runIf(requires("logger-and-systemd"))("systemd", { timeout: 30_000 }, () => {
  let server: DatagramServer;
  beforeEach(async () => {
    server = await startDatagrams(socket);
  });
  afterEach(() => server.stop());

  const environment = (own: Record<string, string> = {}) => ({
    PATH: process.env.PATH,
    NOTIFY_SOCKET: socket,
    ...own,
  });
  const received = () => server.received.map(({ text }) => text).filter((text) => text !== "BARRIER=1");

  test("is told in order that we are up, read our configuration again, and stop", async () => {
    const notifier = Notifier.find(log, environment());
    notifier?.ready(() => "going well");
    await notifier?.reloading(() => Promise.resolve());
    notifier?.stopping();
    await notifier?.close();
    await server.expect(/STOPPING/);
    expect(received()).toEqual(["READY=1\nSTATUS=going well", "RELOADING=1", "READY=1", "STOPPING=1"]);
    expect(logged).toEqual([]);
  });

  test("whose watchdog waits gets a sign of life, until we close", async () => {
    const notifier = Notifier.find(
      log,
      environment({ WATCHDOG_USEC: "300000", WATCHDOG_PID: `${process.pid}` }),
    );
    let turn = 0;
    notifier?.ready(() => `turn ${++turn}`);
    await server.expect(/WATCHDOG=1\nSTATUS=turn 3/);
    notifier?.stopping();
    const before = turn;
    await server.expect(new RegExp(`^WATCHDOG=1\nSTATUS=turn ${before + 2}$`));
    await notifier?.close();
  });

  test("whose watchdog is for another process gets none", async () => {
    const notifier = Notifier.find(log, environment({ WATCHDOG_USEC: "1000", WATCHDOG_PID: "1" }));
    notifier?.ready(() => "up");
    await server.expect(/READY/);
    notifier?.stopping();
    await notifier?.close();
    expect(received()).toEqual(["READY=1\nSTATUS=up", "STOPPING=1"]);
  });

  test("is not told before we are up that we are", async () => {
    const notifier = Notifier.find(log, environment());
    await notifier?.reloading(() => Promise.resolve());
    notifier?.stopping();
    await notifier?.close();
    await server.expect(/STOPPING/);
    expect(received()).toEqual(["STOPPING=1"]);
  });

  test("is not told by our children", () => {
    const own = environment({ WATCHDOG_USEC: "1000", WATCHDOG_PID: "1" });
    Notifier.find(log, own);
    expect(Object.keys(own)).toEqual(["PATH"]);
  });
});

test("who cannot be told is one warning, and no failure", { timeout: 30_000 }, async () => {
  const notifier = Notifier.find(log, { PATH: directory, NOTIFY_SOCKET: socket });
  notifier?.ready(() => "up");
  notifier?.stopping();
  await notifier?.close();
  expect(logged).toEqual(["test: warning: systemd is not told how we are: spawn systemd-notify ENOENT\n"]);
});
