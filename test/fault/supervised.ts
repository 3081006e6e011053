// What the campaign `supervisor` strikes at: a supervisor, its services of all kinds, and what is left of them on disk.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { giveOrder, type Answer, type ChildReport, type Order } from "@spoolwire/simplevisor";
import { endWithUs } from "../helpers/broker.js";
import { program } from "../helpers/embedded.js";
import { commandLine, ofProcess } from "../helpers/processes.js";
import { service, supervisor } from "../helpers/supervision.js";

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
  "double-forks": "(exec tail -f /dev/null) & exit 0",
};
/** Those that write 100 MB when they are told to start. */
export const floods: Readonly<Record<string, string>> = {
  "floods-lines": "yes $(printf %099d 0) | head -c 100000000",
  "floods-zeros": "head -c 100000000 /dev/zero",
};

/** A tree must be well again so soon, milliseconds: patience for a busy machine. */
const PATIENCE_MS = 60_000;
/** A control command must be answered so soon, whatever happens, milliseconds. */
const ANSWER_MS = 10_000;

const patient = "adjustments = 1000";

export class Site {
  readonly #directory: string;
  readonly #careless: boolean;
  #supervisor: ChildProcess | undefined;
  #starts = 0;

  /** @param careless each supervisor has a place of its own, and does not find what the one before it has started */
  constructor(directory: string, careless: boolean) {
    this.#directory = directory;
    this.#careless = careless;
    const run = (name: string, script: string, ...more: string[]) => {
      const text = script.replaceAll("$MARK", this.at(`worker-${name}`)).replaceAll('"', '\\"');
      return service(
        name,
        "shell = true",
        `run = ${text.replaceAll("$(", "\\$(")}`,
        "stop-timeout = 1",
        ...more,
      );
    };
    const all = (scripts: Readonly<Record<string, string>>, ...more: string[]) =>
      Object.entries(scripts).map(([name, script]) => run(name, script, ...more));
    for (const name of Object.keys(workers)) writeFileSync(this.at(`worker-${name}`), "");
    const app = supervisor(
      "app",
      [
        supervisor("good", all(workers, "backoff = healthy=0.1"), patient),
        supervisor(
          "bad",
          [
            ...all(trouble, "backoff = healthy=0.1"),
            ...all(floods, "restart = temporary", "expected = stopped"),
            // It hangs whatever it is asked.
            service("hangs", "timeout = 0.5", "control = tail -f /dev/null"),
          ],
          patient,
        ),
      ],
      patient,
    );
    const head = [
      "interval = 0.5",
      `store = ${this.at("store")}`,
      `logfile = ${this.at("log")}`,
      "loglevel = warning",
    ];
    writeFileSync(this.at("site.conf"), `<simplevisor>\n${head.join("\n")}\n</simplevisor>\n${app}`);
  }

  at(name: string): string {
    return join(this.#directory, name);
  }

  get rundir(): string {
    return this.at(this.#careless ? `run-${this.#starts}` : "run");
  }

  get pid(): number {
    return this.#supervisor!.pid!;
  }

  /** A supervisor that nobody waits for. */
  launch(): ChildProcess {
    const args = [program("simplevisor"), "--conf", this.at("site.conf"), "--rundir", this.rundir, "start"];
    const child = spawn(process.execPath, args, {
      stdio: ["ignore", "ignore", "ignore"],
      env: { ...process.env, FAULT_SITE: this.#directory },
    });
    endWithUs(child);
    return child;
  }

  async start(): Promise<void> {
    this.#starts++;
    this.#supervisor = this.launch();
    await this.until(async () => (await this.tree()) !== undefined, "the supervisor to answer");
  }

  async kill(): Promise<void> {
    const supervisor = this.#supervisor;
    if (supervisor?.exitCode !== null || supervisor.signalCode !== null) return;
    const gone = once(supervisor, "exit");
    supervisor.kill("SIGKILL");
    await gone;
  }

  /** All that must run does, by the supervisor's word. */
  async isWell(): Promise<void> {
    await this.until(async () => {
      const good = find(await this.tree(), "good");
      const isRunning = good?.children?.every(({ phase }) => phase === "running");
      // A shell that was just started is not yet what it becomes.
      return isRunning && this.workers().size === Object.keys(workers).length;
    }, "all to be well");
  }

  async phase(name: string): Promise<ChildReport["phase"] | undefined> {
    return find(await this.tree(), name)?.phase;
  }

  async stop(): Promise<void> {
    const gone = once(this.#supervisor!, "exit");
    await this.order({ command: "stop" }, 4 * PATIENCE_MS);
    await gone;
  }

  /** The processes that show a worker's file, by its name. */
  workers(): Map<string, number[]> {
    const found = new Map<string, number[]>();
    for (const pid of pids()) {
      const line = commandLine(pid);
      const [, name] = /^tail\0-f\0.*\/worker-([\w-]+)\0$/.exec(line) ?? [];
      if (name === undefined || !line.includes(this.#directory)) continue;
      found.set(name, [...(found.get(name) ?? []), pid]);
    }
    return found;
  }

  /** Whatever has come from our supervisors and is still there. */
  processes(): number[] {
    return pids().filter((pid) => ofProcess(pid, "environ").includes(`FAULT_SITE=${this.#directory}\0`));
  }

  /** The command line of a process. */
  nameOf(pid: number): string {
    return commandLine(pid).replaceAll("\0", " ").trim();
  }

  async tree(): Promise<ChildReport | undefined> {
    let report: unknown;
    await this.order({ command: "tree" }, ANSWER_MS, (answer) => "report" in answer && ({ report } = answer));
    return report as ChildReport | undefined;
  }

  /** Give an order, if somebody is there to take it. @throws if it is not answered in time */
  async order(order: Order, ms = ANSWER_MS, take: (answer: Answer) => unknown = () => undefined) {
    const signal = AbortSignal.timeout(ms);
    const answer = await giveOrder(join(this.rundir, "control"), order, take, signal).catch(() => undefined);
    if (signal.aborted) throw new Error(`Expected an answer to ${order.command} within ${ms} ms`);
    return answer;
  }

  async until(condition: () => Promise<unknown>, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!(await condition())) {
      if (performance.now() > deadline) {
        const report = JSON.stringify(await this.tree());
        throw new Error(`Expected ${what} within ${PATIENCE_MS} ms, got ${report}`);
      }
      await sleep(20);
    }
  }

  /** The file in which a service's process is recorded. */
  recordOf(path: string): string {
    const files = readdirSync(join(this.rundir, "processes")).map((file) =>
      join(this.rundir, "processes", file),
    );
    const file = files.find(
      (one) => (JSON.parse(readFileSync(one, "utf8")) as { service: string }).service === path,
    );
    if (file === undefined) throw new Error(`Expected a record of ${path}`);
    return file;
  }

  storedMs(): number {
    return existsSync(this.at("store")) ? statSync(this.at("store")).mtimeMs : 0;
  }
}

function find(report: ChildReport | undefined, name: string): ChildReport | undefined {
  if (!report || report.name === name) return report;
  for (const child of report.children ?? []) {
    const found = find(child, name);
    if (found) return found;
  }
  return undefined;
}

const pids = (): number[] => readdirSync("/proc").map(Number).filter(Number.isInteger);
