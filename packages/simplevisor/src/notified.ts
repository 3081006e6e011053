import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/**
 * Node has no datagram sockets of the unix kind. systemd brings a program that opens one for another program, and
 * starts that with the first message; setpriv (util-linux) ends both with us, however we end.
 */
const helpers = ["setpriv", "systemd-socket-activate"] as const;

/** Reads datagrams from the descriptor that it inherits, and writes each as a line of JSON. */
const reader = fileURLToPath(new URL("notified-program.js", import.meta.url));

/** The socket must be there so soon, milliseconds. */
const PATIENCE_MS = 5000;

/** The first of the programs that `ready = notify` needs and that is not there. */
export const missingHelper = (): string | undefined =>
  helpers.find(
    (name) => !(process.env.PATH ?? "").split(delimiter).some((place) => existsSync(join(place, name))),
  );

/** Hears what a service says with sd_notify, at the socket that it finds in NOTIFY_SOCKET. */
export class Notified {
  readonly path: string;
  #child: ChildProcess | undefined;
  #isReady = false;

  /** @param path of the socket, in a directory that is ours alone */
  constructor(path: string) {
    this.path = path;
  }

  /** It has said READY=1, since `listen`. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Listen, before the service is started. What was said before counts no more. @throws if it cannot be */
  async listen(): Promise<void> {
    this.#isReady = false;
    if (this.#child) return;
    rmSync(this.path, { force: true });
    const [setpriv, activate] = helpers;
    const words = ["--pdeathsig", "KILL", activate, "--datagram", "-l", this.path, process.execPath, reader];
    const child = spawn(setpriv, words, { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    let error: Error | undefined;
    child.on("error", (cause) => (error = cause));
    child.on("close", () => {
      error ??= new Error(`${activate} has ended`);
      if (this.#child === child) this.#child = undefined;
    });
    createInterface(child.stdout).on("line", (line) => {
      if ((JSON.parse(line) as string).split("\n").includes("READY=1")) this.#isReady = true;
    });
    // What it says does not keep us here.
    child.unref();
    (child.stdout as Socket).unref();
    const deadline = performance.now() + PATIENCE_MS;
    while (!existsSync(this.path)) {
      if (error) throw error;
      if (performance.now() > deadline) throw new Error(`${activate} does not listen at ${this.path}`);
      await sleep(2);
    }
  }

  close(): void {
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
    rmSync(this.path, { force: true });
  }
}
