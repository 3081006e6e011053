import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process, beyond the number that another may get when it is gone. */
export interface ProcessId {
  readonly pid: number;
  /** When it was started, in ticks since the start of the system; empty: it had ended before we could look. */
  readonly started: string;
}

/** Who has a number now; undefined: nobody, or one that has ended and is not reaped yet. */
export function identify(pid: number): ProcessId | undefined {
  const stat = readStat(pid);
  return stat && { pid, started: stat.started };
}

/** Whether it is still there, and still the same. */
export const isThere = ({ pid, started }: ProcessId): boolean => readStat(pid)?.started === started;

/** The processes whose command line matches, without this one. */
export function findProcesses(pattern: RegExp): number[] {
  return pids().filter(
    (pid) => pid !== process.pid && pattern.test(commandLine(pid)) && readStat(pid) !== undefined,
  );
}

/** Whether anybody lives in a process group; its leader may have ended. */
export function hasGroup(group: number): boolean {
  if (!exists(-group)) return false;
  // Those who have ended and are not reaped are in it too.
  return pids().some((pid) => readStat(pid)?.group === group);
}

/** The process groups of those who write to files of a directory, by the path of the file. */
export function writersIn(directory: string): Map<string, Set<number>> {
  const groups = new Map<string, Set<number>>();
  for (const pid of pids()) {
    const path = [1, 2]
      .map((fd) => readLink(`/proc/${pid}/fd/${fd}`))
      .find((file) => file?.startsWith(directory));
    const group = path === undefined ? undefined : readStat(pid)?.group;
    if (path !== undefined && group !== undefined)
      groups.set(path, (groups.get(path) ?? new Set()).add(group));
  }
  return groups;
}

/** Of all processes that there are. */
const pids = () =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** Send a signal to a process, or with a negative number to a group. False: there is none, or it is another account's. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH" || code === "EPERM") return false;
    throw error;
  }
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replace(/\0+$/, "").replaceAll("\0", " ");
  } catch {
    return ""; // RACE: it has ended since we listed it
  }
}

function readStat(pid: number): { readonly started: string; readonly group: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name is in parentheses, and may hold anything.
    const [state = "", ...fields] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // Field 22 of proc(5); the state is field 3.
    return /^[ZX]/.test(state) ? undefined : { started: fields[18] ?? "", group: Number(fields[1]) };
  } catch {
    return undefined;
  }
}
