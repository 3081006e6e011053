import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { ConfigError, ExitStatus, runProgram } from "@spoolwire/program";
import { fileURLToPath } from "node:url";
import { main as simplevisor } from "./main.js";

const commands = {
  start: "supervise in the background; with a path, start that child",
  stop: "stop all and the supervisor; with a path, stop that child",
  restart: "stop and start",
  status: "tell whether it runs (3: it does not)",
  check: "tell whether all are as expected (1: they are not)",
};

/**
 * The program `simplevisor-control`, for init scripts: what to supervise comes from the environment, in SIMPLEVISOR_NAME,
 * _USER, _CONF, _PIDFILE and _LOCKFILE. @returns the exit status
 */
export function main(argv: readonly string[]): Promise<number> {
  const spec = {
    name: "simplevisor-control",
    version: "0.1.0",
    summary: "Run simplevisor as a service, as SIMPLEVISOR_CONF and its like in the environment say.",
    options: [],
    commands,
    operands: "start|stop|restart|status|check [PATH]",
  } as const;
  return runProgram(spec, argv, async ({ operands: [command = "", path], log }) => {
    const {
      SIMPLEVISOR_CONF: conf,
      SIMPLEVISOR_PIDFILE: pidFile,
      SIMPLEVISOR_LOCKFILE: lockFile,
    } = process.env;
    if (!Object.hasOwn(commands, command)) {
      throw new ConfigError(`Expected one of ${Object.keys(commands).join(", ")}, got "${command}"`);
    }
    if (!conf) throw new ConfigError("Expected SIMPLEVISOR_CONF in the environment, got nothing");
    const common = ["--conf", conf, ...(pidFile ? ["--pidfile", pidFile] : [])];
    const run = (word: string) => simplevisor([...common, word, ...(path === undefined ? [] : [path])]);
    const isStart = command === "start" || command === "restart";
    const obey = async (): Promise<number> => {
      if (path !== undefined || !isStart) return await run(command);
      const stopped = command === "restart" ? await run("stop") : ExitStatus.ok;
      return stopped === ExitStatus.ok ? startInBackground([...common, "start", "--daemon"]) : stopped;
    };
    const lock = (isThere: boolean) => {
      if (!lockFile || path !== undefined) return;
      try {
        if (isThere) writeFileSync(lockFile, "");
        else rmSync(lockFile, { force: true });
      } catch (error) {
        log.warn((error as Error).message);
      }
    };
    const result = changeUser(argv) ?? (await obey());
    if (result === ExitStatus.ok && (isStart || command === "stop")) lock(isStart);
    return result;
  });
}

/** Run all but the lock file, whose directory is ours, under the account that is asked for. Undefined: it is ours. */
function changeUser(argv: readonly string[]): number | undefined {
  const { SIMPLEVISOR_USER: user, ...env } = process.env;
  if (!user || process.getuid?.() !== 0) return undefined;
  delete env.SIMPLEVISOR_LOCKFILE;
  const script = process.argv[1] ?? "";
  const args = ["-u", user, "--", process.execPath, script, ...argv];
  const done = spawnSync("runuser", args, { stdio: "inherit", env });
  if (done.error) throw done.error;
  return done.status ?? 128;
}

/** By a process of its own: it starts its own command line again. */
function startInBackground(argv: readonly string[]): number {
  const program = fileURLToPath(new URL("program.js", import.meta.url));
  const done = spawnSync(process.execPath, [program, ...argv], { stdio: "inherit" });
  if (done.error) throw done.error;
  return done.status ?? 128;
}
