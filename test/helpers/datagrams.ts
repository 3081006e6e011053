// A real unix datagram socket, such as those of the system log and of systemd: Node has none.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { vi } from "vitest";
import { endWithUs } from "./broker.js";
import { root } from "./embedded.js";

export interface Datagram {
  /** The pid of its sender, as the kernel says or root has it say. */
  readonly pid: number;
  readonly text: string;
}

export interface DatagramServer {
  /** What has come, in order. */
  readonly received: readonly Datagram[];
  /** Resolves when one has come that fits. */
  expect(text: RegExp): Promise<Datagram>;
  /** Takes nothing, until it is told to go on. */
  hold(): void;
  goOn(): void;
  stop(): Promise<void>;
}

/** Listen on a datagram socket at `path`, where nothing may be yet. */
export async function startDatagrams(path: string): Promise<DatagramServer> {
  const script = join(root, "test/fixtures/datagrams.py");
  const child = spawn("/usr/bin/python3", [script, path], { stdio: ["ignore", "pipe", "inherit"] });
  endWithUs(child);
  const received: Datagram[] = [];
  const lines = createInterface(child.stdout);
  await once(lines, "line");
  lines.on("line", (line) => {
    const [pid, text] = JSON.parse(line) as [number, string];
    received.push({ pid, text });
  });
  return {
    received,
    expect: (text) =>
      vi.waitUntil(() => received.find((datagram) => text.test(datagram.text)), { timeout: 20_000 }),
    hold: () => void child.kill("SIGSTOP"),
    goOn: () => void child.kill("SIGCONT"),
    stop: async () => {
      const gone = once(child, "exit");
      child.kill();
      await gone;
    },
  };
}
