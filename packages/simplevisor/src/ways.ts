import { fileURLToPath } from "node:url";
import { describeStatus, quit } from "@spoolwire/program";
import type { Form } from "./entry.js";
import { LSB, type Ways } from "./commanded.js";
import { findProcesses, signal } from "./proc.js";

/** Run words to their end, within the limits of their service. */
export type Run = (words: readonly string[]) => Promise<number>;

/** The program simplevisor-loop. */
const loop = [process.execPath, fileURLToPath(new URL("loop-program.js", import.meta.url))];

/** The ways to a service that has only commands. @param timeout seconds, of each */
export function waysOf(form: Exclude<Form, { kind: "run" }>, run: Run, timeout: number): Ways {
  if (form.kind === "daemon") {
    const { pidFile, start } = form;
    return {
      start: () => run([...loop, "-c", "1", "--pidfile", pidFile, "--daemon", "--log", "null", ...start]),
      stop: () => quit(pidFile, timeout, () => undefined),
      // As the loop's own --status, without a process.
      status: () => Promise.resolve(describeStatus(pidFile).status),
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
