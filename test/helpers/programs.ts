// Our own programs as a user runs them: separate processes, their output and their exit status.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { endWithUs } from "./broker.js";
import { program, root } from "./embedded.js";

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Standard input (default: nothing). */
  readonly input?: string | Buffer;
  /** The account to run under, if the test runs as root. */
  readonly uid?: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A program that runs. */
export interface Running {
  readonly child: ChildProcess;
  /** Resolves when it has ended, however. */
  readonly done: Promise<Outcome>;
}

/** Start one of the programs under bin/. */
export const start = (name: string, args: readonly string[], options: RunOptions = {}): Running =>
  startCommand(process.execPath, [program(name), ...args], options);

function startCommand(file: string, args: readonly string[], options: RunOptions): Running {
  const { input, uid, cwd = root, env } = options;
  const child = spawn(file, args, {
    cwd,
    env: { ...process.env, ...env },
    ...(uid !== undefined && { uid, gid: uid }),
  });
  endWithUs(child);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A program that ends without reading all of its input is not a fault of the test.
  child.stdin.on("error", () => undefined).end(input ?? "");
  const done = (async () => {
    const [status, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    return {
      status,
      signal,
      stdout: Buffer.concat(stdout).toString("latin1"),
      stderr: Buffer.concat(stderr).toString("utf8"),
    };
  })();
  return { child, done };
}

/** Run one of the programs under bin/ to its end. */
export const run = (name: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  start(name, args, options).done;

/**
 * Run one of them in a shell that sets up its output.
 * @param pipe follows its words, as `| true`
 * @param before is done by the shell first
 */
export const runInShell = (
  name: string,
  words: string,
  pipe: string,
  { before = ":", ...options }: RunOptions & { readonly before?: string } = {},
): Promise<Outcome> =>
  startCommand(
    "bash",
    ["-c", `set -o pipefail; ${before}; "$0" "$1" ${words} ${pipe}`, process.execPath, program(name)],
    options,
  ).done;
