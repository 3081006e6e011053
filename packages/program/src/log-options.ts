import { isPlainFile } from "./daemon.js";
import { ConfigError } from "./errors.js";
import { FileTarget } from "./log-file.js";
import { logLevels, nullTarget, streamTarget, type LogTarget } from "./log.js";
import type { OptionEntry, OptionValues } from "./options.js";
import type { Streams } from "./program.js";
import { SyslogTarget } from "./syslog.js";
import { write } from "./write.js";

const kinds = ["stdout", "stderr", "syslog", "file", "null"] as const;

/** The options that say where a program tells what happens. */
export const logOptions = [
  {
    name: "log",
    type: "string",
    choices: kinds,
    help: "where to log (default stderr, or syslog with --daemon)",
  },
  { name: "logfile", type: "string", value: "FILE", help: "log to this file, unless --log says otherwise" },
  {
    name: "logsize",
    type: "integer",
    value: "BYTES",
    min: 1,
    help: "begin a new log file when it is so large (default: never)",
  },
  {
    name: "logkeep",
    type: "integer",
    value: "N",
    default: 5,
    help: "--logsize: keep so many old ones, FILE.1 to FILE.N",
  },
  {
    name: "loglevel",
    type: "string",
    choices: logLevels,
    default: "info",
    help: "how much to log",
  },
] as const satisfies readonly OptionEntry[];

type LogValues = OptionValues<typeof logOptions>;

/**
 * A file that another --log leaves unused is no fault: the command line could not take back what is in a
 * configuration.
 * @throws ConfigError if the options of the log do not go together
 */
export function checkLog({ log, logfile, logsize }: LogValues): void {
  if (log === "file" && logfile === undefined) {
    throw new ConfigError([{ message: "Expected --log file with --logfile FILE", option: "log" }]);
  }
  if (logsize !== undefined && logfile === undefined) {
    throw new ConfigError([{ message: "Expected --logsize with --logfile FILE", option: "logsize" }]);
  }
}

/**
 * Where the options want the log.
 * @param inBackground there is no terminal: standard output or error serve only if they are plain files
 * @throws ConfigError if the options make no sense, or nothing is there to take the log; the log file's own error
 */
export function openLog(
  options: LogValues,
  program: string,
  streams: Streams,
  inBackground: boolean,
): LogTarget {
  checkLog(options);
  const { log, logfile, logsize, logkeep } = options;
  const standard = inBackground && !isPlainFile(2) ? "syslog" : "stderr";
  const kind = (log as (typeof kinds)[number] | undefined) ?? (logfile === undefined ? standard : "file");
  if (kind === "null") return nullTarget;
  if (kind === "file") {
    return new FileTarget(logfile ?? "", program, Date.now, { size: logsize ?? Infinity, keep: logkeep });
  }
  if (kind === "syslog") return openSyslog(program, log === undefined);
  if (inBackground && !isPlainFile(kind === "stdout" ? 1 : 2)) {
    throw new ConfigError(`Expected --log to be syslog, file or null with --daemon, got ${kind}`);
  }
  const target = streamTarget(program, (line) => void write(streams[kind], line));
  return kind === "stderr" ? { ...target, isStderr: true } : target;
}

function openSyslog(program: string, isDefault: boolean): LogTarget {
  try {
    return new SyslogTarget(program);
  } catch (error) {
    if (!isDefault || !(error instanceof ConfigError)) throw error;
    throw new ConfigError(`--daemon logs to syslog unless --log says otherwise: ${error.message}`, {
      cause: error,
    });
  }
}
