import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError } from "./errors.js";
import type { LogLevel, LogTarget } from "./log.js";

/** Where the system log listens. */
const SOCKET = "/dev/log";

/** The priorities of syslog(3): the facility is daemon. */
const priorities: Readonly<Record<LogLevel, number>> = { error: 27, warning: 28, info: 30, debug: 31 };

/** A logger that cannot stay up is not started more often than this, milliseconds. */
const RESTART_MS = 1000;

/** So much may wait for a system log that is held up, characters; what comes then is lost. */
const MOST_WAITING = 1024 * 1024;

/** The last lines may take so long, milliseconds. */
const CLOSE_MS = 2000;

/**
 * Lines in the system log. Node has no datagram sockets of the unix kind, so one `logger` (util-linux) is kept
 * open and fed; it ends when we do, however that is, and finds a system log again that was restarted. What is
 * written while there is none is lost, as with syslog(3).
 */
export class SyslogTarget implements LogTarget {
  readonly #options: readonly string[];
  #child: ChildProcess | undefined;
  #startedAt = -Infinity;

  /** @throws ConfigError if there is no system log here, or no `logger` to reach it */
  constructor(program: string, socket = SOCKET) {
    this.#options = ["--socket", socket, "--tag", program, `--id=${process.pid}`, "--size", "8192"];
    // Said now, or never: later there may be nobody to tell.
    const trial = spawnSync("logger", [...this.#options, "--socket-errors=on", "--skip-empty"], {
      input: "",
      encoding: "utf8",
    });
    if (trial.status === 0) return;
    const why = trial.error?.message ?? trial.stderr.trim().split("\n", 1)[0] ?? "";
    throw new ConfigError(`Expected a system log on ${socket} and \`logger\` of util-linux, got: ${why}`);
  }

  write(level: LogLevel, line: string): void {
    const stdin = (this.#child ?? this.#start())?.stdin;
    if (stdin && stdin.writableLength < MOST_WAITING) stdin.write(`<${priorities[level]}>${line}\n`);
  }

  async close(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child?.pid) return;
    child.ref();
    const ended = once(child, "exit").catch(() => undefined);
    child.stdin?.end();
    const patience = new AbortController();
    await Promise.race([
      ended,
      sleep(CLOSE_MS, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
    child.kill();
  }

  #start(): ChildProcess | undefined {
    if (performance.now() - this.#startedAt < RESTART_MS) return undefined;
    this.#startedAt = performance.now();
    // In a session of its own: a Ctrl-C that is meant for us must not take away our last lines.
    const child = spawn("logger", [...this.#options, "--socket-errors=off", "--prio-prefix"], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    const gone = () => {
      if (this.#child === child) this.#child = undefined;
    };
    child.on("error", gone).on("exit", gone);
    child.stdin.on("error", gone);
    child.unref();
    (child.stdin as typeof child.stdin & { unref(): void }).unref();
    return (this.#child = child);
  }
}
