// Receiving into a disk that fills up: the broker keeps the rest, and all of it comes when there is room again.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DqsQueue, Message } from "@spoolwire/message";
import { describe, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { startEmbedded } from "../helpers/embedded.js";
import { Ledger } from "../helpers/ledger.js";
import { run, start } from "../helpers/programs.js";
import { requires } from "../helpers/requirements.js";

const MESSAGES = 600;

describe.runIf(requires("loop-mounts"))("an agent that receives into a full disk", () => {
  test.each([
    ["blocks", "size=1m"],
    ["inodes", "size=100m,nr_inodes=300"],
  ])("without %s loses nothing, and goes on when there is room", { timeout: 120_000 }, async (_, limits) => {
    await using broker = await startEmbedded();
    const directory = temporaryDirectory("receive-full", inMemory);
    const disk = join(directory, "disk");
    execFileSync("mkdir", [disk]);
    execFileSync("mount", ["-t", "tmpfs", "-o", limits, "tmpfs", disk]);
    try {
      const incoming = new DqsQueue({ path: join(directory, "a") });
      const ledger = new Ledger();
      for (let index = 0; index < MESSAGES; index++) {
        const body = `${index} `.padEnd(4000, "x");
        ledger.accept(`${index}`, body);
        incoming.addMessage(new Message({ header: { destination: "/queue/full" }, body }));
      }
      const { uri, auth } = broker;
      const sent = await run("stompclt", [
        ...["--incoming-queue", `path=${incoming.path}`, "--remove", "--reliable"],
        ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth],
      ]);
      expect(sent).toMatchObject({ status: 0, stderr: "" });

      const outgoing = new DqsQueue({ path: join(disk, "b") });
      const receiver = start("stompclt", [
        ...["--incoming-broker-uri", uri, "--incoming-broker-auth", auth],
        ...["--subscribe", "destination=/queue/full", "--reliable", "--prefetch", "50", "--window", "50"],
        ...["--outgoing-queue", `path=${outgoing.path}`],
      ]);
      let told = "";
      receiver.child.stderr?.on("data", (text) => (told += String(text)));
      await expect
        .poll(() => told, { timeout: 30_000 })
        .toMatch(/ENOSPC.*trying again until it can be written/);
      const taken = new Set<string>();
      // Making room is what consumers do; each time it fills up again.
      while (taken.size < MESSAGES) {
        await sleep(300);
        expect(receiver.child.exitCode).toBeNull();
        for (const name of outgoing) {
          if (!outgoing.lock(name)) continue;
          const body = String(outgoing.getMessage(name).body);
          const id = body.slice(0, body.indexOf(" "));
          ledger.deliver(id, body);
          taken.add(id);
          outgoing.remove(name);
        }
      }
      receiver.child.kill("SIGTERM");
      expect(await receiver.done).toMatchObject({ status: 0 });
      expect(ledger.report()).toMatchObject({ accepted: MESSAGES, lost: 0, unknown: 0, damaged: 0 });
      expect(told).toMatch(/can be written again/);
    } finally {
      execFileSync("umount", ["-l", disk]);
      removeDirectory(directory);
    }
  });
});
