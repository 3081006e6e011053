// A supervisor and its services under fire: both are killed at random, and what the services do is of the worst.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { giveOrder, type Answer, type ChildReport } from "@spoolwire/simplevisor";
import { endWithUs, inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { program } from "../helpers/embedded.js";
import { noCounts, seeded, type Campaign, type CampaignOptions, type Counts } from "./campaign.js";

/** Workers that must run, one of each; `$MARK` is a file that their command line names. */
const workers: Readonly<Record<string, string>> = {
  plain: "exec tail -f $MARK",
  "ignores-term": 'trap "" TERM; tail -f $MARK & wait $!; exit 1',
  "closes-output": "exec tail -f $MARK >/dev/null 2>&1",
  writes: "while :; do echo line; sleep 0.01; done & exec tail -f $MARK",
};
/** Those that are trouble, and need not run. */
const trouble: Readonly<Record<string, string>> = {
  "exits-at-once": "exit 1",
  floods: "head -c 20000000 /dev/zero",
  "floods-lines": "yes line | head -c 20000000",
  "double-forks": "(exec tail -f /dev/null) & exit 0",
};

/** A tree must be well again so soon, milliseconds: patience for a busy machine. */
const PATIENCE_MS = 60_000;
/** A control command must be answered so soon, whatever happens, milliseconds. */
const ANSWER_MS = 10_000;

export const supervisor: Campaign = {
  name: "supervisor",
  summary:
    "simplevisor and its services are killed at random; others flood, hang, and ignore what they are told",
  rounds: 20,
  run,
};

async function run({ seed, rounds, progress }: CampaignOptions): Promise<Counts> {
  const random = seeded(seed);
  const counts = noCounts();
  const site = new Site();
  try {
    await site.start();
    for (let round = 0; round < rounds; round++) {
      progress(round);
      await sleep(random() * 500);
      for (const pid of site.workers().values()) if (random() < 0.3) kill(pid[0]!);
      if (random() < 0.3) site.spoilStore();
      if (random() < 0.7) {
        await site.kill();
        for (const pid of site.workers().values()) if (random() < 0.2) kill(pid[0]!);
        await site.start();
      }
      await site.isWell();
      for (const pids of site.workers().values()) {
        counts.accepted++;
        counts.duplicates += pids.length - 1;
      }
    }
    await site.stop();
    const left = [...site.workers().values()].flat();
    if (left.length > 0) throw new Error(`Expected nobody to be left, got ${left.length}`);
    if (counts.duplicates > 0) throw new Error(`Expected one of each, got ${counts.duplicates} more`);
  } finally {
    await site.end();
  }
  return counts;
}

/** A configuration with all of them. */
class Site {
  readonly #directory = temporaryDirectory("fault-svisor", inMemory);
  #supervisor: ChildProcess | undefined;

  constructor() {
    const entry = ([name, script]: [string, string]) => {
      const mark = join(this.#directory, `worker-${name}`);
      writeFileSync(mark, "");
      const text = script.replaceAll("$MARK", mark).replaceAll('"', '\\"');
      return `<entry>\ntype = service\nname = ${name}\nshell = true\nrun = ${text}\nstop-timeout = 1\nbackoff = healthy=0.1\n</entry>\n`;
    };
    // It hangs whatever it is asked.
    const hanging = `<entry>\ntype = service\nname = hangs\ntimeout = 1\ncontrol = tail -f /dev/null\n</entry>\n`;
    const tree = (name: string, entries: string) =>
      `<entry>\ntype = supervisor\nname = ${name}\nadjustments = 1000\n<children>\n${entries}</children>\n</entry>\n`;
    const good = tree("good", Object.entries(workers).map(entry).join(""));
    const bad = tree("bad", Object.entries(trouble).map(entry).join("") + hanging);
    const head = `<simplevisor>\nrundir = ${this.#directory}/run\nstore = ${this.#directory}/store\ninterval = 1\n</simplevisor>\n`;
    writeFileSync(join(this.#directory, "site.conf"), head + tree("app", good + bad));
  }

  async start(): Promise<void> {
    const file = join(this.#directory, "site.conf");
    const log = join(this.#directory, "log");
    const args = [program("simplevisor"), "--conf", file, "--logfile", log, "--loglevel", "error", "start"];
    const env = { ...process.env, FAULT_SITE: this.#directory };
    this.#supervisor = spawn(process.execPath, args, { stdio: "ignore", env });
    endWithUs(this.#supervisor);
    await this.#until(async () => (await this.#ask("tree")) !== undefined);
  }

  async kill(): Promise<void> {
    const supervisor = this.#supervisor!;
    supervisor.kill("SIGKILL");
    if (supervisor.exitCode === null && supervisor.signalCode === null) await once(supervisor, "exit");
  }

  /** All that must run does, by the supervisor's word. */
  async isWell(): Promise<void> {
    await this.#until(async () => {
      const report = await this.#ask("tree");
      const good = report?.children?.find(({ name }) => name === "good");
      const isRunning = good?.children?.every(({ phase }) => phase === "running");
      // A shell that was just started is not yet what it becomes.
      return isRunning && this.workers().size === Object.keys(workers).length;
    });
  }

  async stop(): Promise<void> {
    const supervisor = this.#supervisor!;
    const gone = once(supervisor, "exit");
    await giveOrder(join(this.#directory, "run/control"), { command: "stop" }, () => undefined, never);
    await gone;
  }

  async end(): Promise<void> {
    await this.kill();
    for (const pid of [...this.workers().values()].flat()) kill(pid);
    for (const pid of pids()) {
      // What the trouble has left, by the environment that it has from us.
      if (read(pid, "environ").includes(`FAULT_SITE=${this.#directory}`)) kill(pid);
    }
    removeDirectory(this.#directory);
  }

  spoilStore(): void {
    writeFileSync(join(this.#directory, "store"), '{"version":1,"state":{"na');
  }

  /** The processes that show a worker's file, by its name. */
  workers(): Map<string, number[]> {
    const found = new Map<string, number[]>();
    for (const pid of pids()) {
      const line = read(pid, "cmdline");
      const [, name] = /^tail\0-f\0.*\/worker-([\w-]+)\0$/.exec(line) ?? [];
      if (name === undefined || !line.includes(this.#directory)) continue;
      found.set(name, [...(found.get(name) ?? []), pid]);
    }
    return found;
  }

  async #ask(command: string): Promise<ChildReport | undefined> {
    let report: unknown;
    const take = (answer: Answer) => {
      if ("report" in answer) ({ report } = answer);
    };
    const signal = AbortSignal.timeout(ANSWER_MS);
    await giveOrder(join(this.#directory, "run/control"), { command }, take, signal).catch(() => undefined);
    if (signal.aborted) throw new Error(`Expected an answer within ${ANSWER_MS} ms`);
    return report as ChildReport | undefined;
  }

  async #until(condition: () => Promise<boolean | undefined>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!(await condition())) {
      if (performance.now() > deadline) {
        const report = JSON.stringify(await this.#ask("tree"));
        throw new Error(`Expected all to be well within ${PATIENCE_MS} ms, got ${report}`);
      }
      await sleep(20);
    }
  }
}

const never = new AbortController().signal;

const pids = (): number[] => readdirSync("/proc").map(Number).filter(Number.isInteger);

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
