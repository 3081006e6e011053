import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Logger } from "./log.js";

const run = promisify(execFile);

/** A message that systemd does not take in so long is given up, milliseconds. */
const PATIENCE_MS = 10_000;

/** How often the status is told if no watchdog asks for more, milliseconds. */
const STATUS_MS = 60_000;

/**
 * Tells systemd how we are, if it has started us and wants to know (NOTIFY_SOCKET).
 *
 * Node has no datagram sockets of the unix kind, so the program `systemd-notify` tells it, once for each message.
 * It waits until systemd has taken the message (since systemd 246), so that it is still there when systemd looks
 * whose process it was; if we are not root the unit needs `NotifyAccess=all`.
 */
export class Notifier {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #watchdogMs: number | undefined;
  readonly #log: Logger;
  #last: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #hasFailed = false;

  private constructor(environment: NodeJS.ProcessEnv, watchdogMs: number | undefined, log: Logger) {
    this.#environment = environment;
    this.#watchdogMs = watchdogMs;
    this.#log = log;
  }

  /** Undefined: nobody wants to know. What says so is taken out of the environment: it is not for our children. */
  static find(log: Logger, environment: NodeJS.ProcessEnv = process.env): Notifier | undefined {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment;
    for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"])
      Reflect.deleteProperty(environment, name);
    if (!NOTIFY_SOCKET) return undefined;
    const isForUs = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid;
    const watchdogMs = isForUs && Number(WATCHDOG_USEC) > 0 ? Number(WATCHDOG_USEC) / 1000 : undefined;
    return new Notifier({ ...environment, NOTIFY_SOCKET }, watchdogMs, log);
  }

  /** We are up. From now on systemd is told that the event loop turns, and how it goes. */
  ready(status: () => string): void {
    void this.#send("READY=1", `STATUS=${status()}`);
    // A third: one message may be late, and the next is still in time.
    const everyMs = this.#watchdogMs ? this.#watchdogMs / 3 : STATUS_MS;
    let isWaiting = false;
    this.#timer ??= setInterval(() => {
      if (isWaiting) return;
      isWaiting = true;
      const ping = this.#watchdogMs ? ["WATCHDOG=1"] : [];
      void this.#send(...ping, `STATUS=${status()}`).then(() => (isWaiting = false));
    }, everyMs).unref();
  }

  /** We read our configuration again: `ready` is said when that is done. */
  async reloading(work: () => Promise<void>): Promise<void> {
    if (!this.#timer) return await work(); // not up yet: READY=1 would say that we are
    void this.#send("RELOADING=1");
    await work();
    await this.#send("READY=1");
  }

  /** We are about to stop. The watchdog is served until `close`: there may be much to finish. */
  stopping(): void {
    void this.#send("STOPPING=1");
  }

  /** Nothing more is told; resolves when systemd knows all. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#last;
  }

  /** One after the other: systemd must see them in order. */
  #send(...assignments: string[]): Promise<void> {
    this.#last = this.#last.then(async () => {
      try {
        await run("systemd-notify", assignments, { env: this.#environment, timeout: PATIENCE_MS });
      } catch (error) {
        if (!this.#hasFailed) this.#log.warn(`systemd is not told how we are: ${(error as Error).message}`);
        this.#hasFailed = true;
      }
    });
    return this.#last;
  }
}
