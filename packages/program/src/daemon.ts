import { spawn } from "node:child_process";
import { once } from "node:events";
import { fstatSync } from "node:fs";
import { ExitStatus } from "./exit.js";
import type { LogTarget } from "./log.js";

/** In the environment of a process that was started in the background, until it has seen it. */
const MARK = "SPOOLWIRE_BACKGROUND";

/** What the process in the background tells the one that started it: its lines, then that it is up. */
type Report = { readonly line: string } | { readonly isUp: true };

/**
 * Run this program once more, in the background: in a session of its own, without a terminal. Node has no
 * fork, so it is the same command line again: nothing shows in the process list that did not before.
 * Standard output and error stay if they are plain files (`prog --daemon >log 2>&1`), as in the original
 * agents. The working directory stays too, unlike there: a relative path in an option means the same with
 * `--daemon` and without.
 *
 * Resolves when it is up, or has ended before; what it tells until then is told here.
 * @param signal when aborted while we wait, the other is told to stop
 * @returns the exit status: 0 if it is up, its own if it has ended
 */
export async function runInBackground(
  argv: readonly string[],
  tell: (line: string) => void,
  signal: AbortSignal,
): Promise<number> {
  const script = process.argv[1] ?? "";
  const child = spawn(process.execPath, [...process.execArgv, script, ...argv], {
    detached: true,
    env: { ...process.env, [MARK]: "1" },
    stdio: ["ignore", isPlainFile(1) ? 1 : "ignore", isPlainFile(2) ? 2 : "ignore", "ipc"],
  });
  const stop = () => void child.kill("SIGTERM");
  signal.addEventListener("abort", stop);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("message", (report: Report) => {
        if ("line" in report) tell(report.line);
        else resolve(ExitStatus.ok);
      });
      // After the last message: `exit` alone could come before it.
      void Promise.all([once(child, "exit"), once(child, "disconnect")]).then(([[status, name]]) => {
        if (status === null) tell(`ended by ${String(name)} before it was up`);
        resolve((status as number | null) ?? ExitStatus.software);
      }, reject);
    });
  } finally {
    signal.removeEventListener("abort", stop);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** The process that has started this one in the background and waits until it is up. */
export interface Launcher extends LogTarget {
  /** We are up: it need not wait any longer. May be called twice. */
  release(): void;
}

/** Our launcher, if this process was started in the background. Asked once: the answer is not left to children. */
export function findLauncher(): Launcher | undefined {
  const isMarked = process.env[MARK] !== undefined;
  delete process.env[MARK];
  if (!isMarked || !process.send) return undefined;
  // It may be gone, killed while it waits: that is no reason for us to stop.
  const report = (what: Report, done: () => void = () => undefined) => {
    if (process.connected) process.send?.(what, undefined, undefined, done);
  };
  let isReleased = false;
  return {
    // What comes after we are up is not for it, though it may still be there.
    write: (_, line) => {
      if (!isReleased) report({ line });
    },
    release: () => {
      isReleased = true;
      report({ isUp: true }, () => process.connected && process.disconnect());
    },
  };
}

/** Whether a standard stream is a file: that can be kept in the background, all else goes away. */
export function isPlainFile(descriptor: 1 | 2): boolean {
  try {
    return fstatSync(descriptor).isFile();
  } catch {
    return false;
  }
}
