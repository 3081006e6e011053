// What an operator of the flow has: one configuration for all of it, and the supervisor that keeps it running.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { giveOrder, type Answer, type ChildReport } from "@spoolwire/simplevisor";
import { root } from "../test/helpers/embedded.js";

/** Seconds after which the lock of somebody who was killed counts as stale. */
const STALE = 2;

/** The configuration, as the directory's name and the broker's port make it. */
function configuration(work: string, port: number): string {
  const uri = `stomp://127.0.0.1:${port}`;
  const service = (name: string, ...lines: string[]) =>
    `        <entry>
            type = service
            name = ${name}
${lines.map((line) => `            ${line}\n`).join("")}            # killed again and again: a second of health is enough to be restarted at once
            backoff = healthy=1
        </entry>
`;
  return `<simplevisor>
    rundir = ${work}/run
    store = ${work}/store
    logfile = ${work}/supervisor.log
</simplevisor>
<entry>
    type = supervisor
    name = app
    strategy = one_for_one
    <children>
${service("broker", `run = bin/spoolwire-broker --data ${work}/broker --port ${port}`, `ready = tcp:${port}`)}
${service(
  "sender",
  `run = bin/stompclt --incoming-queue path=${work}/a%20maxlock=${STALE} --loop --remove --reliable --outgoing-broker-uri ${uri}`,
  "depends = broker",
)}
${service(
  "receiver",
  `run = bin/stompclt --incoming-broker-uri ${uri} --subscribe destination=/queue/demo --outgoing-queue path=${work}/b --reliable`,
  "depends = broker",
)}
${service(
  "consumer",
  "# an empty line ends the one in which a consumer was killed",
  "shell = true",
  `run = echo >>${work}/output; exec bin/dirq pop ${work}/b --json --count 0 --wait 3600 >>${work}/output`,
)}
${service(
  "janitor",
  "# unlocks what a killed consumer had in hand",
  `run = bin/simplevisor-loop --sleep 1 bin/dirq purge --maxlock ${STALE} ${work}/b`,
)}
    </children>
</entry>
`;
}

/** A supervisor of the whole flow. */
export class Site {
  readonly #work: string;
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;

  private constructor(work: string, child: ChildProcess) {
    this.#work = work;
    this.#child = child;
    this.#exit = once(child, "exit");
    // However we end, it ends its services, and itself.
    process.once("exit", () => child.kill("SIGTERM"));
  }

  /** @param work an absolute path @throws what the supervisor says, if it does not come up */
  static async start(work: string, port: number, signal: AbortSignal): Promise<Site> {
    const file = join(work, "site.conf");
    writeFileSync(file, configuration(work, port));
    const words = openSync(join(work, "supervisor.err"), "w");
    const child = spawn(process.execPath, ["bin/simplevisor", "--conf", file, "start"], {
      cwd: root,
      stdio: ["ignore", "ignore", words],
      env: { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}` },
    });
    closeSync(words);
    const site = new Site(work, child);
    while (child.exitCode === null && child.signalCode === null) {
      const tree = await site.tree().catch(() => undefined);
      if (tree?.phase === "running") return site;
      await sleep(20, undefined, { signal });
    }
    throw new Error(`The supervisor ended: ${readFileSync(join(work, "supervisor.err"), "utf8")}`);
  }

  /** The tree as it is now. */
  async tree(): Promise<ChildReport> {
    let report: unknown;
    const take = (answer: Answer) => {
      if ("report" in answer) ({ report } = answer);
    };
    const never = new AbortController().signal;
    const answer = await giveOrder(join(this.#work, "run/control"), { command: "tree" }, take, never);
    if (!answer) throw new Error("The supervisor does not listen");
    return report as ChildReport;
  }

  /** Stop all of it, in order. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#exit;
  }
}
