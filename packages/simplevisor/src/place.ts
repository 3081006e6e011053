import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { ConfigError, LONGEST_SOCKET, PidFile } from "@spoolwire/program";
import { identify, isThere, signal, type ProcessId } from "./proc.js";

/** How often our place is shown to be taken, milliseconds. */
const SHOW_MS = 500;

/**
 * The directory of a configuration, where its supervisor can be reached, and where it leaves what its successor must
 * know. It is the same for all who use the configuration, and nobody else's.
 * @param directory instead of the one that the name of the configuration gives
 */
export function placeOf(configuration: string, directory: string | undefined): string {
  if (directory !== undefined) return directory;
  const real = realpathSync(configuration);
  const hash = createHash("sha256").update(real).digest("hex").slice(0, 12);
  const uid = process.getuid?.() ?? 0;
  const base =
    uid === 0 ? "/run/simplevisor" : (process.env.XDG_RUNTIME_DIR ?? join(tmpdir(), `simplevisor-${uid}`));
  return join(base, `simplevisor-${basename(real).replace(/\W/g, "_").slice(0, 20)}-${hash}`);
}

/** The socket of a place. @throws ConfigError if its path is too long for a socket */
export const socketOf = (place: string): string => short(join(place, "control"));

function short(path: string): string {
  if (Buffer.byteLength(path) > LONGEST_SOCKET) {
    throw new ConfigError(`Expected rundir to be shorter: ${path} is longer than ${LONGEST_SOCKET} bytes`);
  }
  return path;
}

/** A place, from `take` to `release`: nobody else has it meanwhile. */
export class Place {
  readonly path: string;
  readonly #pidFile: PidFile;
  readonly #timer: NodeJS.Timeout;

  private constructor(path: string, pidFile: PidFile) {
    this.path = path;
    this.#pidFile = pidFile;
    this.#timer = setInterval(() => {
      try {
        pidFile.check();
      } catch {
        // A full disk; or another has it, which its own checks will tell whoever looks.
      }
    }, SHOW_MS).unref();
  }

  /**
   * @throws PidFileError PIDFILE_RUNNING naming who has it; EPERM if the directory is another account's; the file
   * system's own error
   */
  static take(path: string): Place {
    for (const directory of ["", "output", "processes", "notify", "commands"])
      mkdirSync(join(path, directory), { recursive: true, mode: 0o700 });
    const { uid } = lstatSync(path);
    if (uid !== process.getuid?.()) {
      throw Object.assign(new Error(`Expected ${path} to be ours, got a directory of uid ${uid}`), {
        code: "EPERM",
      });
    }
    chmodSync(path, 0o700);
    const place = new Place(path, PidFile.claim(join(path, "pid")));
    place.#endCommands();
    return place;
  }

  release(): void {
    clearInterval(this.#timer);
    this.#endCommands();
    this.#pidFile.release();
  }

  /** The named pipes of services, made where they are not there yet, all by one process. */
  outputs(services: readonly string[]): void {
    const missing = services.map((service) => this.outputOf(service)).filter((pipe) => !isPipe(pipe));
    for (const pipe of missing) rmSync(pipe, { force: true });
    if (missing.length === 0) return;
    const made = spawnSync("mkfifo", ["-m", "600", ...missing], { encoding: "utf8" });
    if (made.status !== 0) throw made.error ?? new Error(made.stderr.trim());
  }

  outputOf(service: string): string {
    return join(this.pipes, idOf(service));
  }

  /** The directory of the named pipes, as the system shows it in /proc. */
  get pipes(): string {
    return realpathSync(join(this.path, "output"));
  }

  /**
   * A command of ours runs. What runs when we end is ended, as nobody waits for it any more: by us, or if we are killed
   * by whoever has this place next. @returns what is to be called when it has ended
   */
  noteCommand(pid: number): () => void {
    const file = join(this.path, "commands", `${pid}`);
    try {
      writeFileSync(file, identify(pid)?.started ?? "");
    } catch {
      // A full disk: it is for our successor alone.
    }
    return () => rmSync(file, { force: true });
  }

  #endCommands(): void {
    const directory = join(this.path, "commands");
    for (const name of readdirSync(directory)) {
      const [pid, started] = [Number(name), readFileSync(join(directory, name), "utf8")];
      if (started !== "" && isThere({ pid, started })) signal(-pid, "SIGKILL");
      rmSync(join(directory, name), { force: true });
    }
  }

  /** The socket at which a service says that it is ready. @throws ConfigError if its path is too long for a socket */
  notifyOf(service: string): string {
    return short(join(this.path, "notify", idOf(service)));
  }

  /** The services of which there is a record. */
  recorded(): string[] {
    const directory = join(this.path, "processes");
    return readdirSync(directory).flatMap((name) => {
      try {
        const { service } = JSON.parse(readFileSync(join(directory, name), "utf8")) as { service?: unknown };
        return typeof service === "string" ? [service] : [];
      } catch {
        return []; // It was cut by a crash.
      }
    });
  }

  /** What a successor must know of a service's process. */
  recordOf(service: string): {
    write(process: ProcessId): void;
    remove(): void;
    read(): ProcessId | undefined;
  } {
    const file = join(this.path, "processes", idOf(service));
    return {
      write: (process) => writeFileSync(file, JSON.stringify({ service, ...process })),
      remove: () => rmSync(file, { force: true }),
      read: () => {
        try {
          const { pid, started } = JSON.parse(readFileSync(file, "utf8")) as Partial<ProcessId>;
          const isWhole = Number.isInteger(pid) && Number(pid) > 1 && typeof started === "string";
          return isWhole ? ({ pid, started } as ProcessId) : undefined;
        } catch {
          return undefined; // There is none, or it was cut by a crash.
        }
      },
    };
  }
}

/** A file name for a path of the tree. */
const idOf = (service: string) => createHash("sha256").update(service).digest("hex").slice(0, 16);

function isPipe(path: string): boolean {
  try {
    return lstatSync(path).isFIFO();
  } catch {
    return false;
  }
}
