// System calls of a running process that fail, or kill it, by strace.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { endWithUs, inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";

/** A system call of a process: the n-th of its name, from now on, in the main thread or in that of the pool. */
export interface SystemCall {
  readonly name: string;
  readonly nth: number;
  readonly isMain: boolean;
}

/**
 * The calls that a queue makes, by the names that they have on any machine; except close: strace would leave the
 * file open, which no disk does.
 */
const FILE_CALLS =
  "/^(openat|p?(read|write)(64)?|statx|getdents64|link(at)?|unlink(at)?|rename(at2?)?|mkdir(at)?|rmdir|fsync|fdatasync|utimensat|ftruncate)$";

/** Watch a process while something is done. Returns the calls that it made on files below a directory. */
export async function fileCallsOf(
  pid: number,
  directory: string,
  work: () => Promise<unknown>,
): Promise<SystemCall[]> {
  const log = await strace(["-f", "-p", `${pid}`, "-e", `trace=${FILE_CALLS}`], work);
  const counts = new Map<string, number>();
  const calls: SystemCall[] = [];
  for (const line of log) {
    const [, thread, name] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (thread === undefined || name === undefined) continue; // the end of a thread
    const nth = (counts.get(`${thread} ${name}`) ?? 0) + 1;
    counts.set(`${thread} ${name}`, nth);
    if (line.includes(directory)) calls.push({ name, nth, isMain: thread === `${pid}` });
  }
  return calls;
}

/**
 * Do something while one system call of a process fails (`error=EIO`) or kills it (`signal=SIGKILL`). Undefined: it
 * struck a call on something else than a file below the directory, such as a write with which Node wakes itself.
 * @throws Error if it struck nothing
 */
export async function inject<Result>(
  pid: number,
  directory: string,
  { name, nth, isMain }: SystemCall,
  what: string,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  // Each thread is counted by itself.
  const which = isMain ? ["-p", `${pid}`] : ["-f", "-p", `${pid}`];
  let result: Result | undefined;
  const log = await strace(
    [...which, "-e", `trace=${name}`, "-e", `inject=${name}:${what}:when=${nth}`],
    async () => (result = await work()),
  );
  const struck = log.filter((line) => /\(INJECTED\)$| = \?$/.test(line));
  if (struck.length === 0) throw new Error(`No ${name} number ${nth} was made, only:\n${log.join("\n")}`);
  return struck.every((line) => line.includes(directory)) ? result : undefined;
}

/** Run strace while something is done. Returns its lines. */
async function strace(args: string[], work: () => Promise<unknown>): Promise<string[]> {
  const directory = temporaryDirectory("strace", inMemory);
  const log = join(directory, "log");
  try {
    const child = spawn("strace", ["-y", "-o", log, ...args], { stdio: ["ignore", "ignore", "pipe"] });
    endWithUs(child);
    const closed = once(child, "close");
    let said = "";
    await Promise.race([
      closed,
      new Promise<void>((resolve) =>
        child.stderr.on("data", (chunk: Buffer) => {
          said += chunk.toString();
          if (said.includes(" attached")) resolve();
        }),
      ),
    ]);
    if (!said.includes(" attached")) throw new Error(`strace cannot watch: ${said}`);
    try {
      await work();
    } finally {
      child.kill("SIGTERM");
      await closed;
    }
    return whole(readFileSync(log, "utf8").split("\n"));
  } finally {
    removeDirectory(directory);
  }
}

/** A call that others come between is on two lines, the first with its files and the second with its end: as one. */
function whole(lines: readonly string[]): string[] {
  const calls: string[] = [];
  const begun = new Map<string, number>();
  for (const line of lines) {
    const [, thread = "", end = ""] = /^(\d+) +<\.\.\. \w+ resumed>(.*)$/.exec(line) ?? [];
    const index = begun.get(thread);
    if (index !== undefined) {
      calls[index] = `${calls[index]}${end}`;
      begun.delete(thread);
      continue;
    }
    const [, start, by = ""] = /^((\d+) .*) <unfinished \.\.\.>$/.exec(line) ?? [];
    if (start !== undefined) begun.set(by, calls.length);
    calls.push(start ?? line);
  }
  return calls;
}
