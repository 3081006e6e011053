// A supervisor of many workers, against what does no more than it must: a shell that starts a worker in a loop, and a
// Node process that starts as many and keeps them.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { giveOrder, type Answer, type ChildReport } from "@spoolwire/simplevisor";
import { endWithUs, removeDirectory } from "../helpers/broker.js";
import { program } from "../helpers/embedded.js";
import { type Bench, type Contest, type Rates } from "./bench.js";
import { fastest, makeDirectory } from "./place.js";

/** Kills a round: enough for a 99th percentile; a run that is made smaller has fewer. */
const KILLS = 200;
/** How long a tree is left alone to see what it costs, milliseconds. */
const IDLE_MS = 3000;
/** Clock ticks a second, as all Linux systems have them in /proc. */
const TICKS = 100;

const worker = "echo $$; exec sleep 100000";

export const supervisor: Bench = {
  name: "supervisor",
  summary:
    "a worker killed with -9 and running again; many workers: start, stop, memory and CPU when all is quiet",
  size: 500,
  rounds: 1,
  places: [fastest],
  *contests(size) {
    const count = Math.min(size, KILLS);
    yield {
      name: "killed and running again,",
      unit: "1/s",
      ours: () =>
        kills(
          count,
          supervise(1, (site) => site.follow("app/w1")),
        ),
      baselines: { "a loop of the shell": () => kills(count, loop()) },
    };
    const workers = (unit: string, kinds: readonly string[]): Contest => ({
      name: `${size} workers,`,
      unit,
      ours: () =>
        pick(
          many(size, () => superviseAll(size)),
          kinds,
        ),
      baselines: {
        "bare Node": () =>
          pick(
            many(size, () => bare(size)),
            kinds,
          ),
      },
    });
    yield workers("workers/s", ["start", "stop"]);
    yield workers("workers/MB", ["memory"]);
    yield workers("s/CPU s", ["quiet"]);
  },
};

/** Something that keeps one worker running, whose pid comes as a line each time it starts. */
interface Keeper {
  readonly lines: AsyncIterator<string>;
  end(): Promise<void>;
}

/** How often a second a worker could be killed and be running again: by the median, and by the slowest hundredth. */
async function kills(count: number, starting: Promise<Keeper>): Promise<Rates> {
  const keeper = await starting;
  try {
    const times: number[] = [];
    const next = async () => Number((await keeper.lines.next()).value);
    let pid = await next();
    for (let kill = 0; kill < count; kill++) {
      const began = performance.now();
      process.kill(pid, "SIGKILL");
      pid = await next();
      times.push(performance.now() - began);
    }
    times.sort((a, b) => a - b);
    const at = (part: number) => 1000 / (times[Math.ceil(times.length * part) - 1] ?? NaN);
    return { median: at(0.5), p99: at(0.99) };
  } finally {
    await keeper.end();
  }
}

async function loop(): Promise<Keeper> {
  const script = `while :; do sh -c '${worker}'; done`;
  const child = spawn("sh", ["-c", script], { stdio: ["ignore", "pipe", "ignore"], detached: true });
  endWithUs(child);
  return {
    lines: createInterface({ input: child.stdout })[Symbol.asyncIterator](),
    end: async () => {
      process.kill(-child.pid!, "SIGKILL");
      await once(child, "exit");
    },
  };
}

/** simplevisor with so many workers, in a directory of its own. */
interface Site {
  readonly child: ChildProcess;
  ask(command: string, path?: string): Promise<ChildReport>;
  follow(path: string): AsyncIterator<string>;
  end(): Promise<void>;
}

async function openSite(count: number): Promise<Site> {
  const directory = makeDirectory(fastest);
  const entries = Array.from(
    { length: count },
    (_, n) =>
      `<entry>\ntype = service\nname = w${n + 1}\nshell = true\nrun = ${worker.replace("$$", "\\$\\$")}\nbackoff = healthy=0\n</entry>\n`,
  );
  const head = `<simplevisor>\nrundir = ${directory}\nlog = null\ninterval = 3600\n</simplevisor>\n`;
  const file = join(directory, "site.conf");
  writeFileSync(
    file,
    `${head}<entry>\ntype = supervisor\nname = app\n<children>\n${entries.join("")}</children>\n</entry>\n`,
  );
  const child = spawn(process.execPath, [program("simplevisor"), "--conf", file, "start"], {
    stdio: "ignore",
  });
  endWithUs(child);
  const over = new AbortController();
  const order = async (command: string, tell: (answer: Answer) => void, path?: string) =>
    giveOrder(
      join(directory, "control"),
      { command, ...(path !== undefined && { path, follow: true }) },
      tell,
      over.signal,
    );
  while (!(await order("status", () => undefined))) await sleep(5);
  return {
    child,
    ask: async (command, path) => {
      let report: unknown;
      await order(command, (answer) => "report" in answer && ({ report } = answer), path);
      return report as ChildReport;
    },
    follow: (path) => {
      const lines: string[] = [];
      let wake = () => undefined as void;
      void order(
        "logs",
        (answer) => {
          if ("line" in answer) lines.push(answer.line);
          wake();
        },
        path,
      );
      return {
        next: async () => {
          while (lines.length === 0) await new Promise<void>((resolve) => (wake = resolve));
          return { value: lines.shift()!, done: false };
        },
      };
    },
    end: async () => {
      over.abort();
      if (child.exitCode === null) {
        child.kill("SIGTERM");
        await once(child, "exit");
      }
      removeDirectory(directory);
    },
  };
}

async function supervise(count: number, follow: (site: Site) => AsyncIterator<string>): Promise<Keeper> {
  const site = await openSite(count);
  return { lines: follow(site), end: () => site.end() };
}

/** Many workers that run. */
interface Crowd {
  readonly pid: number;
  /** Stop all, and wait until they are gone. */
  stop(): Promise<void>;
  end(): Promise<void>;
}

async function superviseAll(count: number): Promise<Crowd> {
  const site = await openSite(count);
  // A report of all of them is long: to ask for it all the time would be what is measured.
  while ((await site.ask("tree")).phase !== "running") await sleep(100);
  return {
    pid: site.child.pid!,
    stop: async () => void (await site.ask("stop_children")),
    end: () => site.end(),
  };
}

/** The same workers, and nothing else. */
const bareProgram = (count: number) => `
const { spawn } = require("node:child_process");
let left = ${count};
for (let n = 0; n < ${count}; n++) {
  const child = spawn("sh", ["-c", ${JSON.stringify(worker)}], { stdio: "ignore", detached: true });
  child.on("spawn", () => --left || console.log("up"));
  process.on("SIGUSR2", () => child.kill());
  child.on("exit", () => ++left === ${count} && console.log("down"));
}
process.setMaxListeners(0);
`;

async function bare(count: number): Promise<Crowd> {
  const child = spawn(process.execPath, ["-e", bareProgram(count)], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  endWithUs(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  return {
    pid: child.pid!,
    stop: async () => {
      child.kill("SIGUSR2");
      await lines.next();
    },
    end: async () => {
      if (child.exitCode === null && child.kill("SIGKILL")) await once(child, "exit");
    },
  };
}

async function many(count: number, open: () => Promise<Crowd>): Promise<Rates> {
  const began = performance.now();
  const crowd = await open();
  const started = performance.now();
  try {
    const before = cpuSeconds(crowd.pid);
    await sleep(IDLE_MS);
    const used = Math.max(cpuSeconds(crowd.pid) - before, 1 / TICKS);
    const megabytes = residentBytes(crowd.pid) / 1e6;
    const stopping = performance.now();
    await crowd.stop();
    const stopped = performance.now();
    return {
      start: (count * 1000) / (started - began),
      stop: (count * 1000) / (stopped - stopping),
      memory: count / megabytes,
      quiet: IDLE_MS / 1000 / used,
    };
  } finally {
    await crowd.end();
  }
}

async function pick(rates: Promise<Rates>, kinds: readonly string[]): Promise<Rates> {
  const all = await rates;
  return Object.fromEntries(kinds.map((kind) => [kind, all[kind] ?? NaN]));
}

/** CPU time of a process so far, its own and the system's for it. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
