// simplevisor as an operator runs it: a directory with a configuration, the program, and what is left of it at the end.
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { giveOrder, main, type Answer, type ChildReport, type Order } from "@spoolwire/simplevisor";
import { test as base, vi } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { call, type Answer as Outcome } from "../../helpers/in-process.js";
import { commandLine } from "../../helpers/processes.js";
import { start, type Running } from "../../helpers/programs.js";
import { service, supervisor } from "../../helpers/supervision.js";

export { commandLine, service, supervisor };

export const patience = { timeout: 30_000, interval: 20 };

/** A directory for a configuration and its scripts; whatever still runs from there at the end is killed. */
export class Site {
  readonly directory = temporaryDirectory("svisor", inMemory);
  readonly #running: Running[] = [];

  at(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, text: string): string {
    writeFileSync(this.at(name), text);
    return this.at(name);
  }

  script(name: string, text: string): string {
    this.write(name, `#!/bin/sh\n${text}`);
    chmodSync(this.at(name), 0o755);
    return this.at(name);
  }

  read(name: string): string {
    return existsSync(this.at(name)) ? readFileSync(this.at(name), "utf8") : "";
  }

  /** A configuration with these entries; the interval is so long that nothing is found by it. */
  configure(entries: string, main = "interval = 3600"): void {
    this.write(
      "site.conf",
      `<simplevisor>\nrundir = ${this.at("run")}\nstore = ${this.at("store")}\n${main}\n</simplevisor>\n${entries}\n`,
    );
  }

  /** Run `simplevisor ARG…`, in this process. */
  command(...args: string[]): Promise<Outcome> {
    return call(main, ["--conf", this.at("site.conf"), ...args]);
  }

  /** A service that stays, says that it is up, and shows what is written to its file. */
  worker(name: string, ...lines: string[]): string {
    const run = `run = sh -c echo%20up%20${name};exec%20tail%20-f%20${this.write(name, "")}`;
    return service(name, run, ...lines);
  }

  /** A script as in /etc/init.d: its state is a file, and each call is noted. @returns its path */
  initScript(name: string): string {
    return this.script(
      name,
      `cd ${this.directory}
echo "$@" >>${name}.calls
case "$1" in
start) echo running >${name}.state ;;
stop) rm -f ${name}.state ;;
restart) echo running >${name}.state ;;
status) [ -e ${name}.broken ] && exit 1; [ -e ${name}.state ] || exit 3 ;;
esac
`,
    );
  }

  /** How an init script was called so far. */
  calls(name: string): string[] {
    return this.read(`${name}.calls`).split("\n").filter(Boolean);
  }

  /** A program that notes its words, and stays. @returns its path */
  foreground(name: string): string {
    const data = this.write(`${name}.data`, "");
    return this.script(name, `echo "$@" >>${this.at(`${name}.words`)}\nexec tail -f ${data}\n`);
  }

  /** Start supervising, and wait until it can be talked to. */
  async start(...args: string[]): Promise<Running> {
    const supervisor = start("simplevisor", ["--conf", "site.conf", "--logfile", "log", ...args, "start"], {
      cwd: this.directory,
    });
    this.#running.push(supervisor);
    const before = this.read("log").length;
    await vi.waitUntil(() => this.read("log").slice(before).includes("supervises"), patience);
    return supervisor;
  }

  /** Tell the supervisor something. @returns its last answer */
  order(order: Order, take: (answer: Answer) => void = () => undefined) {
    return giveOrder(this.at("run/control"), order, take, new AbortController().signal);
  }

  /** As `simplevisor --json tree` tells it, without the start of a program. */
  async report(path?: string): Promise<ChildReport> {
    let report: unknown;
    const take = (answer: Answer) => {
      if ("report" in answer) ({ report } = answer);
    };
    const last = await this.order({ command: "tree", ...(path !== undefined && { path }) }, take);
    if (!report) throw new Error(`Expected a report of ${path}, got ${JSON.stringify(last)}`);
    return report as ChildReport;
  }

  /** Wait until a child is in a phase. */
  async until(path: string, phase: ChildReport["phase"]): Promise<ChildReport> {
    return await vi.waitUntil(async () => {
      const report = await this.report(path);
      return report.phase === phase && report;
    }, patience);
  }

  /** The processes whose command line names this directory, but for supervisors. */
  processes(): number[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        const line = commandLine(pid);
        return line.includes(this.directory) && !line.includes("bin/simplevisor\0");
      })
      .map(Number);
  }

  async end(): Promise<void> {
    for (const { child, done } of this.#running) {
      child.kill("SIGKILL");
      await done;
    }
    for (const pid of this.processes()) process.kill(pid, "SIGKILL");
    removeDirectory(this.directory);
  }
}

/** A test with a site of its own. */
export const test = base.extend<{ site: Site }>({
  site: async ({}, use) => {
    const site = new Site();
    try {
      await use(site);
    } finally {
      await site.end();
    }
  },
});

export const isThere = (pid: number): boolean => commandLine(pid) !== "";
