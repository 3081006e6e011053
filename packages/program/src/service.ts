import { describeStatus, quit } from "./control.js";
import { runInBackground } from "./daemon.js";
import { checkLog, logOptions, openLog } from "./log-options.js";
import type { Logger, LogLevel } from "./log.js";
import type { Metric } from "./metrics.js";
import { Notifier } from "./notify.js";
import { about, checkAll, PidFileError } from "./errors.js";
import { ExitStatus } from "./exit.js";
import { excludes, requires, type OptionEntry, type OptionValues, type Relation } from "./options.js";
import { PidFile, readPidFile } from "./pidfile.js";
import type { Invocation } from "./program.js";
import { askStatus, parseStatusAddress, StatusServer } from "./status-server.js";
import { write } from "./write.js";

/** The options of every program that runs for long. */
export const serviceOptions = [
  { name: "daemon", type: "boolean", help: "run in the background" },
  { name: "pidfile", type: "string", value: "FILE", help: "show here who runs, and only once at a time" },
  {
    name: "quit",
    type: "boolean",
    instead: true,
    notInFiles: true,
    help: "tell the program of the pid file to stop",
  },
  {
    name: "status",
    type: "boolean",
    instead: true,
    notInFiles: true,
    help: "tell whether the program of the pid file runs",
  },
  {
    name: "metrics",
    type: "string",
    value: "ADDRESS",
    help: "tell figures over HTTP at PORT, a loopback HOST:PORT, or unix:PATH: /metrics, /livez, /readyz, /status",
  },
  {
    name: "json",
    type: "boolean",
    notInFiles: true,
    help: "--status as JSON, with the figures if there are --metrics",
  },
  {
    name: "timeout-status",
    type: "number",
    value: "SECONDS",
    default: 60,
    help: "--status: who has not touched the pid file for so long does not run",
  },
  ...logOptions,
] as const satisfies readonly OptionEntry[];

export const serviceRelations: readonly Relation[] = [
  requires("quit", "pidfile"),
  requires("status", "pidfile"),
  excludes("status", "quit"),
  requires("json", "status"),
];

type ServiceValues = OptionValues<typeof serviceOptions>;

/** Check what can be checked of these options without doing anything. @throws ConfigError with all that is wrong */
export function checkService(options: ServiceValues): void {
  const { metrics } = options;
  checkAll(
    () => checkLog(options),
    () => metrics !== undefined && about("metrics", () => parseStatusAddress(metrics)),
  );
}

/** How often the pid file is checked and touched, milliseconds: those who watch it expect it every second. */
const CHECK_MS = 500;

/** What a program that runs for long tells of itself. */
export interface Service {
  /** To be called when its work has begun: whoever has started it is told. May be called again. */
  up(): void;
  /** How it goes, in words: for the log at SIGUSR1, and for systemd. */
  status: () => string;
  /** Whether what it is there for goes on: not while a broker is away. */
  isReady: () => boolean;
  /** Figures, for --metrics. */
  metrics: () => Metric[];
  /** What else SIGHUP asks for, beside a log that is opened anew. */
  reload: () => Promise<void>;
}

type Given = Pick<Invocation<readonly OptionEntry[]>, "log" | "signal" | "streams" | "program"> & {
  readonly options: ServiceValues;
};

/**
 * Run a program's work as its `serviceOptions` ask: in the background, with a pid file, with a log elsewhere, told
 * by signals and telling systemd; or, instead of the work, ask or stop the one that runs.
 * @param quitSeconds how long the work may take to stop
 * @returns the exit status of what was asked for
 * @throws PidFileError if another one runs, or has taken our pid file; what `work` throws
 */
export async function runService(
  given: Given,
  quitSeconds: number,
  work: (service: Service) => Promise<number>,
): Promise<number> {
  const { options, log, signal, streams, program } = given;
  const { daemon, pidfile, status } = options;
  const { name, argv, launcher } = program;
  if (pidfile !== undefined && status) {
    const answer = describeStatus(pidfile, undefined, options["timeout-status"] * 1000);
    const line = options.json
      ? await statusAsJson(name, pidfile, answer, options.metrics)
      : `${name} ${answer.words}`;
    await write(streams.stdout, `${line}\n`);
    return answer.status;
  }
  if (pidfile !== undefined && options.quit) {
    const told: Promise<void>[] = [];
    // It is done whether somebody reads of it or not.
    const tell = (line: string) => void told.push(write(streams.stdout, `${name} ${line}\n`));
    const status = await quit(pidfile, quitSeconds, tell);
    await Promise.all(told);
    return status;
  }
  if (daemon && !launcher) return await runInBackground(argv, (line) => log.error(line), signal);

  direct(given);
  const owned = pidfile === undefined ? undefined : PidFile.claim(pidfile);
  try {
    return await attend(owned, given, work);
  } finally {
    release(owned, log);
  }
}

/** What the work has thrown, or a signal wants, counts more than a file that cannot be removed. */
function release(pidFile: PidFile | undefined, log: Logger): void {
  try {
    pidFile?.release();
  } catch (error) {
    log.warn(`the pid file stays: ${(error as Error).message}`);
  }
}

/** All that can be known from outside; the words of the original agents are in `words`. */
async function statusAsJson(
  program: string,
  pidfile: string,
  { words, status }: { readonly words: string; readonly status: number },
  metrics: string | undefined,
): Promise<string> {
  const state = readPidFile(pidfile);
  const report = metrics === undefined ? undefined : await askStatus(parseStatusAddress(metrics));
  const touched = state && new Date(state.touchedMs).toISOString();
  return JSON.stringify({ program, active: status === 0, words, pid: state?.pid, touched, report });
}

/** Send the log where it belongs. Until we are up the launcher gets it too: somebody is waiting there. */
function direct({ options, log, streams, program: { name, launcher } }: Given): void {
  log.level = options.loglevel as LogLevel;
  if (log.level === "debug") log.debugLevel ||= 1;
  const target = openLog(options, name, streams, launcher !== undefined);
  if (!launcher || target.isStderr) {
    log.target = target;
    return;
  }
  log.target = {
    reopen: () => target.reopen?.(),
    close: async () => target.close?.(),
    write: (level, line) => {
      target.write(level, line);
      launcher.write(level, line);
    },
  };
}

/** Do the work, and attend to what comes meanwhile. */
async function attend(
  pidFile: PidFile | undefined,
  { log, options: { metrics }, program: { signals, launcher } }: Given,
  work: (service: Service) => Promise<number>,
): Promise<number> {
  const began = performance.now();
  const notifier = Notifier.find(log);
  const service: Service = {
    up: () => {
      launcher?.release();
      notifier?.ready(() => service.status());
      service.up = () => undefined;
    },
    status: () => "at work",
    isReady: () => true,
    metrics: () => [],
    reload: () => Promise.resolve(),
  };
  let taken: PidFileError | undefined;
  let hasWarned = false;
  const check = () => {
    try {
      if (pidFile?.check() === "quit") signals.stop();
    } catch (error) {
      if (error instanceof PidFileError) {
        // Another one has our place: we end as if told to quit, and say why.
        taken ??= error;
        signals.stop();
      } else if (!hasWarned) {
        // A disk that is full or read-only now may be well again later.
        hasWarned = true;
        log.warn(`the pid file cannot be touched: ${(error as Error).message}`);
      }
    }
  };
  // It also keeps the process there while the work waits for something that does not.
  const timer = setInterval(check, CHECK_MS);
  let server: StatusServer | undefined;
  /** What must not stay behind when the process ends at once. */
  const vanish = () => {
    clearInterval(timer);
    void server?.close();
    release(pidFile, log);
  };
  const crashed = (error: unknown) => {
    log.error(`crashed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  };
  const end = () => {
    vanish();
    void (log.target.close?.() ?? Promise.resolve()).finally(() => process.exit(ExitStatus.software));
  };
  process.on("uncaughtExceptionMonitor", crashed);
  // Whoever runs us within a process of his own, and sees to its errors, goes on doing so.
  if (process.listenerCount("uncaughtException") === 0) process.on("uncaughtException", end);
  signals.stopping.addEventListener("abort", () => notifier?.stopping());
  signals.onSecond(vanish);
  signals.onUser(() => {
    const seconds = (performance.now() - began) / 1000;
    log.info(`up for ${seconds.toFixed(1)} s: ${service.status()}`);
  });
  signals.onHangUp(() => {
    log.target.reopen?.();
    const reload = () => service.reload().catch((error: unknown) => log.error((error as Error).message));
    void (notifier ? notifier.reloading(reload) : reload());
  });
  try {
    if (metrics !== undefined) {
      server = await StatusServer.listen(parseStatusAddress(metrics), () => ({
        words: service.status(),
        isReady: service.isReady(),
        metrics: service.metrics(),
      }));
    }
    const status = await work(service);
    if (taken) throw taken;
    return status;
  } finally {
    await server?.close();
    clearInterval(timer);
    process.off("uncaughtExceptionMonitor", crashed).off("uncaughtException", end);
    await notifier?.close();
  }
}
