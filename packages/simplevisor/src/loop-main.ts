import { setTimeout as sleep } from "node:timers/promises";
import {
  ConfigError,
  runProgram,
  runService,
  serviceOptions,
  serviceRelations,
  type OptionEntry,
  timerMs,
} from "@spoolwire/program";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { signal as send } from "./proc.js";
import { TIMED_OUT } from "./run.js";

const options = [
  { name: "count", type: "integer", short: "c", value: "N", min: 1, help: "run the command so often" },
  { name: "sleep", type: "number", short: "s", value: "SECONDS", default: 0, help: "wait between two runs" },
  {
    name: "timeout",
    type: "number",
    value: "SECONDS",
    min: 0.1,
    help: "a run that takes longer is stopped, and counts as failed",
  },
  ...serviceOptions,
] as const satisfies readonly OptionEntry[];

/** A command has so long after SIGTERM before it is killed, seconds. */
const GRACE = 10;

/** The program `simplevisor-loop`. @returns the exit status: that of the command, if it fails; 124: it took too long */
export function main(argv: readonly string[]): Promise<number> {
  const spec = {
    name: "simplevisor-loop",
    version: "0.1.0",
    summary: "Run a command in a loop, until it fails.",
    options,
    relations: serviceRelations,
    operands: "COMMAND…",
    isCommandLast: true,
  } as const;
  return runProgram(spec, argv, async (invocation) => {
    const { options, operands, signal } = invocation;
    const { count = Infinity, sleep: pause, timeout = Infinity, quit, status } = options;
    if (operands.length === 0 && !quit && !status) throw new ConfigError("Expected a command, got none");
    return await runService(invocation, GRACE, async (service) => {
      service.up();
      for (let done = 0; done < count && !signal.aborted; done++) {
        if (done > 0) await sleep(timerMs(pause), undefined, { signal }).catch(() => undefined);
        if (signal.aborted) break;
        const result = await runOnce(operands, timeout, signal);
        if (result !== 0) return signal.aborted ? 0 : result;
      }
      return 0;
    });
  });
}

/** @returns its exit status; 128 of a signal, 124 after the timeout, whatever it ends with */
async function runOnce(
  [file = "", ...args]: readonly string[],
  timeout: number,
  signal: AbortSignal,
): Promise<number> {
  const child = spawn(file, args, { stdio: "inherit", detached: true });
  // A command that cannot be started rejects this.
  const exit = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const group = -(child.pid ?? 0);
  let killer: NodeJS.Timeout | undefined;
  const stop = () => {
    if (group === 0) return;
    send(group, "SIGTERM");
    killer ??= setTimeout(() => send(group, "SIGKILL"), GRACE * 1000);
  };
  let hasTimedOut = false;
  const late = () => {
    hasTimedOut = true;
    stop();
  };
  const timer = timeout === Infinity ? undefined : setTimeout(late, timerMs(timeout));
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  try {
    const [status] = await exit;
    return hasTimedOut ? TIMED_OUT : (status ?? 128);
  } finally {
    clearTimeout(timer);
    clearTimeout(killer);
    signal.removeEventListener("abort", stop);
    if (group !== 0) send(group, "SIGKILL");
  }
}
