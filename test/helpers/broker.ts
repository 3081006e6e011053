// What every private broker of the tests has, and what they share: ports, child processes, temporary directories.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** The account that every private broker knows. */
export const user = "spool";
/** Its password. */
export const password = "wire-pass";

/** A broker that belongs to one test file: `await using broker = await startRabbitMq()`. */
export interface TestBroker {
  readonly name: "rabbitmq" | "activemq" | "embedded";
  /** The program that moves messages from and to `uri`. */
  readonly agent: "stompclt" | "amqpclt";
  /** The STOMP address, `stomp://127.0.0.1:PORT`; for amqpclt that of AMQP. */
  readonly uri: string;
  /** The port of `uri`. */
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** The account as the agents' credential string: `plain name=… pass=…`. */
  readonly auth: string;
  /** Everything of this instance; removed by stop(). */
  readonly directory: string;
  /** Start again on the same ports and data: after a graceful stop, or to come back after kill(). */
  restart(): Promise<void>;
  /** SIGKILL: nothing is flushed, the data stays. */
  kill(): Promise<void>;
  /** Stop gracefully and remove the directory. May be called twice. */
  stop(): Promise<void>;
  /** The same as stop(). */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a broker adds to the common part; see privateBroker. */
export interface BrokerParts {
  readonly name: TestBroker["name"];
  readonly port: number;
  /** From temporaryDirectory(). */
  readonly directory: string;
  /** Start the server process; called again by restart(). */
  launch(): Promise<Child>;
  /** End what else belongs to the instance. May be called twice. */
  release?(): Promise<void>;
}

/** Launch a broker and give it the life cycle of a TestBroker. A failed launch leaves nothing behind. */
export async function privateBroker(parts: BrokerParts): Promise<TestBroker> {
  const { name, port, directory } = parts;
  let child: Child | undefined;
  const stop = async () => {
    await child?.stop();
    await parts.release?.();
    removeDirectory(directory);
  };
  try {
    child = await parts.launch();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    name,
    agent: "stompclt",
    uri: `stomp://127.0.0.1:${port}`,
    port,
    user,
    password,
    auth: `plain name=${user} pass=${password}`,
    directory,
    restart: async () => {
      await child?.stop();
      child = await parts.launch();
    },
    kill: async () => child?.kill(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A server process that writes its output to a log file. */
export interface Child {
  readonly pid: number;
  /** SIGKILL, and wait until it is gone. */
  kill(): Promise<void>;
  /** SIGTERM, SIGKILL where that was not enough, and wait until it is gone. May be called twice. */
  stop(): Promise<void>;
}

/** How to start a Child. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** See environment(). */
  readonly env?: Readonly<Record<string, string>>;
  /** The working directory, where the log `NAME.log` goes too. */
  readonly directory: string;
  readonly name: string;
  /** The server is ready when this is in what it has logged since this start. */
  readonly ready: RegExp;
  /** Seconds to become ready (default 90: RabbitMQ takes 4 s on an idle machine of 2 cores, 20 s on a busy one). */
  readonly seconds?: number;
}

/**
 * Start a server process and wait until its log says that it is ready.
 * If it exits before or is too late, nothing of it is left, and the error quotes the end of its log.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { command, args, directory, name, ready, seconds = 90 } = options;
  const log = join(directory, `${name}.log`);
  const output = openSync(log, "a");
  const start = fstatSync(output).size; // an earlier start has left its own "ready" before this
  const env = environment(options.env);
  const child = spawn(command, args, { cwd: directory, env, stdio: ["ignore", output, output] });
  closeSync(output);
  child.unref();
  endWithUs(child);

  let end: string | undefined; // how it ended
  const gone = new Promise<void>((resolve) => {
    const ended = (how: string) => {
      end ??= how;
      resolve();
    };
    child.once("error", (error) => ended(`did not start: ${error.message}`));
    child.once("exit", (status, signal) => ended(`ended by ${signal ?? `itself with status ${status}`}`));
  });

  const signal = async (name: "SIGTERM" | "SIGKILL", seconds: number) => {
    if (end === undefined) child.kill(name);
    // The child alone does not keep this process running: the timer does, until one of them is over.
    const timer = new AbortController();
    await Promise.race([gone, sleep(seconds * 1000, undefined, { signal: timer.signal }).catch(() => {})]);
    timer.abort();
  };
  const kill = async () => {
    await signal("SIGKILL", 10);
    if (end === undefined) throw new Error(`${name} (pid ${child.pid}) survived SIGKILL for 10 s`);
  };

  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const why = end ?? (Date.now() > deadline ? `was not ready after ${seconds} s` : undefined);
    const text = readFileSync(log).subarray(start).toString();
    if (why === undefined && ready.test(text)) break;
    if (why !== undefined) {
      await kill();
      const tail = text.trimEnd().split("\n").slice(-25).join("\n");
      throw new Error(`${name} ${why}; ${command} wrote last:\n${tail}`);
    }
    await sleep(50);
  }
  return {
    pid: child.pid ?? 0,
    kill,
    stop: async () => {
      await signal("SIGTERM", 20);
      await kill();
    },
  };
}

/** The whole environment of a child. What the developer has set must not steer a test broker. */
export const environment = (own: Readonly<Record<string, string>> = {}) => ({
  PATH: process.env.PATH,
  LANG: "C.UTF-8",
  ...own,
});

const children = new Set<ChildProcess>();
const daemons = new Set<number>();
const directories = new Set<string>();

/** Kill a child at the latest when this process ends. */
export function endWithUs(child: ChildProcess): void {
  children.add(child);
  child.once("exit", () => children.delete(child));
  watchForTheEnd();
}

/** Kill a process that is no child of ours at the latest when this process ends. What is returned takes that back. */
export function endPidWithUs(pid: number): () => void {
  daemons.add(pid);
  watchForTheEnd();
  return () => void daemons.delete(pid);
}

/**
 * Where there is memory for files: for tests that make many and do not care for the disk. Some disks take 1 ms to
 * make a file when many were deleted just before, and more to sync one.
 */
export const inMemory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A new directory (by default where temporary files are), removed at the latest when this process ends. */
export function temporaryDirectory(name: string, place = tmpdir()): string {
  const directory = mkdtempSync(join(place, `spoolwire-${name}-`));
  directories.add(directory);
  watchForTheEnd();
  return directory;
}

/** Remove what temporaryDirectory() made. May be called twice. */
export function removeDirectory(directory: string): void {
  // A process that has just been killed may still finish one write: then the directory is not empty, try again.
  rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  directories.delete(directory);
}

let watching = false;

/**
 * Leave nothing behind however this process ends, SIGKILL excepted: a crash, Ctrl-C, the SIGTERM that ends every
 * worker of vitest, or the end of vitest itself (the disconnect).
 */
function watchForTheEnd(): void {
  if (watching) return;
  watching = true;
  const cleanUp = () => {
    for (const child of children) child.kill("SIGKILL");
    for (const pid of daemons) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended by itself.
      }
    }
    for (const directory of directories) removeDirectory(directory);
  };
  process.once("exit", cleanUp);
  process.once("disconnect", cleanUp);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(signal, () => {
      cleanUp();
      process.kill(process.pid, signal); // now with its default effect
    });
  }
}

// Below the range from which the kernel takes the local ports of outgoing connections: a client that tries again
// and again to reach a stopped broker on a port of that range will one day connect to itself and hold the port.
const FIRST_PORT = 20_000;
const PORTS = 12_000;
// Every process begins elsewhere and never uses a port twice, so that test files that run side by side do not meet.
let nextPort = (process.pid * 97) % PORTS;

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + nextPort;
    nextPort = (nextPort + 1) % PORTS;
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
