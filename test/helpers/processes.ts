// What Linux tells of processes.
import { readFileSync } from "node:fs";

/** A file of a process, such as `status`; empty if there is none, or no such process any more. */
export function ofProcess(pid: string | number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}

/** With a NUL after each word; empty if the process has ended, whether its parent has noticed or not. */
export const commandLine = (pid: string | number): string => ofProcess(pid, "cmdline");

/** What a process has in memory; NaN if it is gone. */
export function residentMiB(pid: number): number {
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(ofProcess(pid, "status"))?.[1]) / 1024);
}
