// The crontab line of the README: what cron gives a command is little, and what the command says is mailed.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import { DqsQueue, Message } from "@spoolwire/message";
import { readPidFile } from "@spoolwire/program";
import { expect, test } from "vitest";
import { endPidWithUs, endWithUs, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { program, root } from "../../helpers/embedded.js";
import { start, until } from "../broker/helpers.js";

/** The example, with our paths. */
function crontab(config: string): string {
  const readme = readFileSync(join(root, "packages/stompclt/README.md"), "utf8");
  const [, line = ""] = /^\* \* \* \* \* (.*)$/m.exec(readme) ?? [];
  expect(line.match(/stompclt /g)).toHaveLength(2);
  return line.replaceAll("stompclt ", `${program("stompclt")} `).replaceAll("/etc/app/sender.conf", config);
}

test("an agent is kept running by a line that is run each minute, and says nothing when all is well", async () => {
  const directory = temporaryDirectory("cron");
  const at = (name: string) => join(directory, name);
  mkdirSync(at("home"));
  await using broker = await start();
  const queue = new DqsQueue({ path: at("outgoing") });
  const configure = (more = "") =>
    writeFileSync(
      at("sender.conf"),
      `<incoming-queue>\npath = ${queue.path}\n</incoming-queue>\nloop = true\nremove = true\nreliable = true
outgoing-broker-uri = ${broker.address}\npidfile = ${at("pid")}\nlogfile = ${at("log")}\n${more}`,
    );
  const run = async (line: string) => {
    const child = spawn("/bin/sh", ["-c", line], {
      cwd: at("home"),
      // As cron has it; crontab(5) tells how to add to PATH.
      env: {
        HOME: at("home"),
        LOGNAME: "app",
        SHELL: "/bin/sh",
        PATH: `/usr/bin:/bin:${dirname(process.execPath)}`,
      },
    });
    endWithUs(child);
    child.stdin.end();
    // Cron waits for the end of the output, and not only for that of the command.
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return stdout + stderr;
  };
  const minute = () => run(crontab(at("sender.conf")));
  const running = () => readPidFile(at("pid"))?.pid ?? 0;
  const sent = async (count: number) => {
    queue.addMessage(new Message({ header: { destination: "/queue/x" }, body: "x" }));
    await until(() => broker.status().queues.x?.messages === count && queue.count() === 0);
  };

  configure();
  expect(await minute()).toBe("");
  const first = running();
  endPidWithUs(first);
  await sent(1);
  expect(await minute()).toBe("");
  expect(running()).toBe(first);

  process.kill(first, "SIGKILL");
  expect(await minute()).toBe("");
  const second = running();
  endPidWithUs(second);
  expect(second).not.toBe(first);
  await sent(2);

  // The file is being changed: it still tells which agent it is.
  configure("colour = red\n");
  expect(await minute()).toMatch(/^stompclt: warning: \S+sender\.conf:10: Unknown option colour[^\n]*\n$/);
  expect(running()).toBe(second);
  const quit = `${program("stompclt")} --config ${at("sender.conf")} --quit`;
  expect(await run(quit)).toMatch(/is being told to quit\.\.\.\n.*not seem to be running anymore\n/);
  expect(await minute()).toMatch(/\nstompclt: \S+sender\.conf:10: Unknown option colour[^\n]*\n$/);
  removeDirectory(directory);
});
