// The parts of the system that the tests need beside Node: where they are, why, and how to get them on Debian.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** RabbitMQ's scripts, of which those in sbin are wrappers that insist on the system's account. */
export const RABBITMQ = "/usr/lib/rabbitmq/bin";
/** ActiveMQ's home. */
export const ACTIVEMQ = "/usr/share/activemq";

/** A part of the system that some tests cannot do without. */
export interface Requirement {
  readonly name: string;
  /** What stays untested without it. */
  readonly why: string;
  /** Whether the tests can use it. */
  present(): boolean;
  /** The Debian packages that bring it. */
  readonly debian: readonly string[];
}

/** Everything that the tests need. */
export const requirements: readonly Requirement[] = [
  {
    name: "rabbitmq",
    why: "the agents against a real broker for STOMP and AMQP 1.0: acknowledgements, refusals, restarts",
    present: () => isProgram(join(RABBITMQ, "rabbitmq-server")) && onPath("epmd") !== undefined,
    debian: ["rabbitmq-server"],
  },
  {
    name: "activemq",
    why: "the STOMP agent against a second real broker, which differs from the first in a dozen ways",
    present: () => existsSync(join(ACTIVEMQ, "bin/activemq.jar")) && findJava() !== undefined,
    debian: findJava() === undefined ? ["activemq", "default-jre-headless"] : ["activemq"],
  },
  {
    name: "python3-dirq",
    why: "directory queues shared with the original library in Python",
    // Debian's own python: another one earlier on the PATH does not see Debian's modules.
    present: () => succeeds("/usr/bin/python3", "-c", "import dirq"),
    debian: ["python3", "python3-dirq"],
  },
  {
    name: "strace",
    why: "failing system calls, and kills between them (as root only, where the kernel restricts ptrace)",
    present: () => onPath("strace") !== undefined && mayTrace(),
    debian: ["strace"],
  },
  {
    name: "loop-mounts",
    why: "power cuts: file systems of the tests' own, shut down under load (as root only)",
    present: () =>
      process.getuid?.() === 0 && ["mkfs.ext4", "mkfs.xfs", "mount"].every((name) => onPath(name)),
    debian: ["e2fsprogs", "xfsprogs", "mount"],
  },
  {
    name: "openssl",
    why: "TLS with certificates of the tests' own",
    present: () => onPath("openssl") !== undefined,
    debian: ["openssl"],
  },
  {
    name: "logger-and-systemd",
    why: "the system log and systemd's notifications, at real sockets, and the unit files",
    present: () =>
      ["logger", "systemd-notify", "systemd-analyze"].every((name) => onPath(name) !== undefined) &&
      isProgram("/usr/bin/python3"),
    debian: ["bsdutils", "systemd", "python3"],
  },
  {
    name: "perl",
    why: "files as the original programs read and write them",
    // Debian's perl-base alone has the program but not the standard modules.
    present: () => succeeds("perl", "-MJSON::PP", "-e", "1"),
    debian: ["perl"],
  },
  {
    name: "config-general",
    why: "configuration files as Perl's Config::General reads them",
    present: () => succeeds("perl", "-MConfig::General", "-MJSON::PP", "-e", "1"),
    debian: ["perl", "libconfig-general-perl"],
  },
];

/** The requirements that are not there. */
export function missing(): Requirement[] {
  return requirements.filter((requirement) => !requirement.present());
}

/**
 * Whether tests can use a requirement: `describe.runIf(requires("rabbitmq"))`.
 * With CI=true an absent one throws: there, a test that silently does not run is a failure.
 */
export function requires(name: string): boolean {
  const requirement = requirements.find((requirement) => requirement.name === name);
  if (!requirement) {
    const known = requirements.map((requirement) => requirement.name).join(", ");
    throw new TypeError(`Expected a requirement (${known}), got \`${name}\``);
  }
  const present = requirement.present();
  if (!present && process.env.CI === "true") throw new Error(`${name} is missing: ${command([requirement])}`);
  return present;
}

/** The command that brings requirements. */
export function command(requirements: readonly Requirement[]): string {
  return `apt-get ${installation(requirements).join(" ")}`;
}

/** Whether install() can work here: as root, on Debian or a system like it. */
export function canInstall(): boolean {
  return process.getuid?.() === 0 && onPath("apt-get") !== undefined;
}

/**
 * Install requirements with apt-get, one line to stderr saying what.
 * @throws Error with what apt-get wrote
 */
export function install(requirements: readonly Requirement[]): void {
  process.stderr.write(
    `Installing ${requirements.map(({ name }) => name).join(", ")}: ${command(requirements)}\n`,
  );
  for (const args of [["update"], installation(requirements)]) {
    const done = spawnSync("apt-get", ["-o", "DPkg::Lock::Timeout=120", ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
      stdio: ["ignore", "pipe", "pipe"],
      encoding: "utf8",
      maxBuffer: Infinity,
    });
    if (done.error) throw done.error;
    if (done.status !== 0) throw new Error(`apt-get ${args.join(" ")} failed:\n${done.stdout}${done.stderr}`);
  }
}

const installation = (requirements: readonly Requirement[]) => [
  "install",
  "-y",
  "--no-install-recommends",
  ...requirements.flatMap(({ debian }) => debian),
];

/** The Java program to use, if there is one: JAVA_HOME's, the one on the PATH, or any of the system's. */
export function findJava(): string | undefined {
  const home = process.env.JAVA_HOME && join(process.env.JAVA_HOME, "bin/java");
  if (home && isProgram(home)) return home;
  const machines = "/usr/lib/jvm";
  const others = existsSync(machines)
    ? readdirSync(machines).map((name) => join(machines, name, "bin/java"))
    : [];
  return onPath("java") ?? others.find(isProgram);
}

/** Where the PATH has a program, if it has. */
export function onPath(program: string): string | undefined {
  const directories = (process.env.PATH ?? "").split(delimiter);
  return directories.map((directory) => join(directory, program)).find(isProgram);
}

/** Whether a process may be traced by one that has not started it. */
function mayTrace(): boolean {
  const restriction = "/proc/sys/kernel/yama/ptrace_scope";
  const isFree = !existsSync(restriction) || readFileSync(restriction, "utf8").trim() === "0";
  return isFree || process.getuid?.() === 0;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const succeeds = (program: string, ...args: string[]) =>
  spawnSync(program, args, { stdio: "ignore" }).status === 0;
