import { setTimeout as sleep } from "node:timers/promises";
import { ExitStatus } from "./exit.js";
import { FRESH_MS, isActive, readPidFile, removePidFile, surroundings, tellToQuit } from "./pidfile.js";

/** How often we look whether a process is gone, milliseconds. */
const POLL_MS = 100;

/** How long a process has after SIGTERM before it gets SIGKILL, milliseconds. */
const TERM_MS = 5000;

/**
 * Whether a program works, by its pid file: words and exit status are those of the original agents.
 * @param freshMs a pid file that was not touched for so long tells of nobody
 */
export function describeStatus(
  pidFile: string,
  around = surroundings,
  freshMs = FRESH_MS,
): { readonly words: string; readonly status: number } {
  const state = readPidFile(pidFile);
  if (!state) return { words: "does not seem to be running (no pid file)", status: 3 };
  const { pid, touchedMs } = state;
  if (pid === undefined) return { words: "does not seem to be running yet (empty pid file)", status: 4 };
  if (!around.isAlive(pid)) return { words: `(pid ${pid}) does not seem to be running anymore`, status: 1 };
  const date = localTime(new Date(touchedMs));
  return isActive(state, around, freshMs)
    ? { words: `(pid ${pid}) was active on ${date}`, status: 0 }
    : { words: `(pid ${pid}) does not seem to be running anymore since ${date}`, status: 4 };
}

/**
 * Tell the program of a pid file to quit, and wait until it has; after `patience` seconds it is ended, as the
 * original agents do. Wherever nothing runs there is nothing to do, and a pid file left there is removed. A
 * process that has not touched its pid file of late is told, but not ended: it may be anybody's.
 * @param tell gets what happens, a line each time
 * @returns the exit status
 */
export async function quit(
  pidFile: string,
  patience: number,
  tell: (words: string) => void,
): Promise<number> {
  const state = readPidFile(pidFile);
  const before = describeStatus(pidFile);
  if (state?.pid === undefined || !surroundings.isAlive(state.pid)) {
    tell(before.words);
    if (state?.pid !== undefined) removePidFile(pidFile, state.pid);
    return ExitStatus.ok;
  }
  const { pid } = state;
  const isGone = async (ms: number) => {
    const deadline = performance.now() + ms;
    while (surroundings.isAlive(pid) && performance.now() < deadline) await sleep(POLL_MS);
    return !surroundings.isAlive(pid);
  };
  tell(`(pid ${pid}) is being told to quit...`);
  if (!tellToQuit(pidFile, pid) || (await isGone(patience * 1000))) {
    removePidFile(pidFile, pid);
    tell("does not seem to be running anymore");
    return ExitStatus.ok;
  }
  if (before.status !== 0 || readPidFile(pidFile)?.pid !== pid) {
    tell(`${before.words}, but there is a process with that pid; it is left alone`);
    return ExitStatus.temporary;
  }
  tell(`(pid ${pid}) is still running, killing it now...`);
  kill(pid, "SIGTERM");
  if (!(await isGone(TERM_MS))) {
    kill(pid, "SIGKILL");
    await isGone(TERM_MS);
  }
  removePidFile(pidFile, pid);
  tell(`(pid ${pid}) has been successfully killed`);
  return ExitStatus.ok;
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // RACE: it has ended since it was looked at.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** As Perl's localtime shows it: `Sun Nov 23 11:32:00 2025`. */
function localTime(date: Date): string {
  const [weekday, month, day = "", year] = date.toDateString().split(" ");
  const time = date.toTimeString().slice(0, 8);
  return `${weekday} ${month} ${String(Number(day)).padStart(2)} ${time} ${year}`;
}
