import { fileURLToPath } from "node:url";
import { describeStatus, quit } from "@spoolwire/program";
import type { Form } from "./entry.js";
import { LSB, type Ways } from "./commanded.js";
import { findProcesses, signal } from "./proc.js";

/** Run words to their end, within the limits of their service. */
export type Run = (words: readonly string[]) => Promise<number>;

/** The program simplevisor-loop. */
const loop = [process.execPath, fileURLToPath(new URL("loop-program.js", import.meta.url))];

/** What a pid file that cannot be read, or that is none, ends with. */
const BROKEN = 1;

/**
 * The ways to a service that has only commands; none of them throws.
 * @param timeout seconds, of each
 * @param line told what is wrong
 */
export function waysOf(
  form: Exclude<Form, { kind: "run" }>,
  run: Run,
  timeout: number,
  line: (line: string) => void,
): Ways {
  if (form.kind === "daemon") {
    const { pidFile, start } = form;
    // It is the service that is broken, as with a command that fails; the others have no part in it.
    const byPidFile = async (work: () => number | Promise<number>): Promise<number> => {
      try {
        return await work();
      } catch (error) {
        line((error as Error).message);
        return BROKEN;
      }
    };
    return {
      start: () => run([...loop, "-c", "1", "--pidfile", pidFile, "--daemon", "--log", "null", ...start]),
      stop: () => byPidFile(() => quit(pidFile, timeout, () => undefined)),
      // As the loop's own --status, without a process. A pid file whose owner has crashed is no reason not to start, nor
      // one whose number somebody else has by now: the loop takes it over.
      status: () => byPidFile(() => (describeStatus(pidFile).status === 0 ? LSB.running : LSB.stopped)),
      kill: undefined,
    };
  }
  const { start, stop, status, pattern } = form;
  const signalAll = (name: NodeJS.Signals) => {
    for (const pid of findProcesses(pattern)) signal(pid, name);
  };
  return {
    start: () => run(start),
    stop: () => (stop ? run(stop) : Promise.resolve((signalAll("SIGTERM"), 0))),
    status: () =>
      status ? run(status) : Promise.resolve(findProcesses(pattern).length > 0 ? LSB.running : LSB.stopped),
    kill: stop ? undefined : async () => signalAll("SIGKILL"),
  };
}
