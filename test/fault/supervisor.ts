// A supervisor and its services under fire: both are killed at random, and what the services do is of the worst.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithUs, inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { isRoot } from "../helpers/accounts.js";
import { noCounts, seeded, shuffled, type Campaign, type CampaignOptions, type Counts } from "./campaign.js";
import { Disk } from "./disk.js";
import { floods, Site } from "./supervised.js";

/** A supervisor that is busy has so much to write, bytes: its store and its log are on this disk. */
const DISK = 4 << 20;
/** How often the disk is tried to be left, every 50 ms. */
const MOST_TRIES = 200;
/** LSB and sysexits: somebody else has it. */
const TAKEN = 75;

type Round = (site: Site, random: () => number) => Promise<void>;

/** What may happen in a round. At its end all must be well, with one of each. */
const kinds: Readonly<Record<string, Round>> = {
  "services are killed": async (site, random) => {
    for (let again = 0; again < 3; again++) {
      await sleep(random() * 200);
      killSome(site, random, 0.3);
    }
  },
  "the supervisor is killed": killSupervisor,
  "a pid has another process": async (site) => {
    // It leads a group, as a service does.
    const other = spawn("tail", ["-f", "/dev/null"], { stdio: "ignore", detached: true });
    endWithUs(other);
    try {
      const record = site.recordOf("app/good/plain");
      await site.kill();
      const [pid = 0] = site.workers().get("plain") ?? [];
      const text = readFileSync(record, "utf8");
      kill(pid);
      writeFileSync(record, text.replace(`:${pid},`, `:${other.pid},`));
      await site.start();
      await site.isWell();
      await site.order({ command: "restart", path: "app/good/plain" });
      if (other.exitCode !== null || other.signalCode !== null)
        throw new Error("A process of others was ended");
    } finally {
      other.kill("SIGKILL");
    }
  },
  "a second supervisor comes": async (site) => {
    const second = site.launch();
    const [status] = (await once(second, "exit")) as [number | null];
    const said = readFileSync(site.at("log"), "utf8").includes(
      `is that of pid ${site.pid}, which is running`,
    );
    if (status !== TAKEN || !said) throw new Error(`Expected it to refuse with ${TAKEN}, got ${status}`);
  },
  "the store is cut": async (site, random) => {
    await site.kill();
    const text = readFileSync(site.at("store"), "utf8");
    writeFileSync(site.at("store"), text.slice(0, Math.floor(random() * text.length)));
    const before = readFileSync(site.at("log"), "utf8").length;
    await site.start();
    const said = readFileSync(site.at("log"), "utf8").slice(before).includes("is not one: it is kept as");
    const aside = readdirSync(site.at(".")).find((name) => name.startsWith("store.corrupt-"));
    if (!said || aside === undefined)
      throw new Error("Expected the store to be moved aside, and that to be said");
    rmSync(site.at(aside));
  },
  "100 MB are written": async (site, random) => {
    const names = Object.keys(floods);
    const name = names[Math.floor(random() * names.length)]!;
    await site.order({ command: "start", path: `app/bad/${name}` });
    killSome(site, random, 0.5);
    await site.isWell();
    await site.until(async () => (await site.phase(name)) === "finished", `${name} to have written all`);
  },
  // Root only: elsewhere nothing is full.
  "the disk is full": async (site, random) => {
    const ballast = site.at("ballast");
    if (isRoot) fill(ballast);
    killSome(site, random, 0.5);
    await site.isWell();
    rmSync(ballast, { force: true });
    // A cycle later all is on the disk that must be, and what was started meanwhile can be found again.
    const freed = Date.now();
    await site.until(() => Promise.resolve(site.storedMs() > freed), "the store to be written");
    await killSupervisor(site, () => 1);
  },
};

export const supervisor: Campaign = {
  name: "supervisor",
  summary:
    "simplevisor and its services are killed, its disk is full, its store cut, and services are of the worst kind",
  rounds: 28,
  run,
};

async function run({ seed, rounds, careless = false, progress }: CampaignOptions): Promise<Counts> {
  const random = seeded(seed);
  const counts = noCounts();
  const disk = isRoot ? new Disk("tmpfs", { size: DISK }) : undefined;
  const directory = disk?.path ?? temporaryDirectory("fault-svisor", inMemory);
  const site = new Site(directory, careless);
  try {
    await site.start();
    await site.isWell();
    let plan: string[] = [];
    for (let round = 0; round < rounds; round++) {
      progress(round);
      if (plan.length === 0)
        plan = careless ? ["the supervisor is killed"] : shuffled(Object.keys(kinds), random);
      const kind = plan.pop()!;
      try {
        await kinds[kind]!(site, random);
        await site.isWell();
      } catch (error) {
        throw new Error(`Round ${round}: ${kind}: ${String(error)}`, { cause: error });
      }
      for (const pids of site.workers().values()) {
        counts.accepted++;
        counts.duplicates += pids.length - 1;
      }
    }
    if (careless) return counts;
    await site.stop();
    // A command that was started in the moment of a kill is not noted yet, and those here hang: but no service may stay.
    const left = site.processes().filter((pid) => !/^tail -f \/dev\/null \w+$/.test(site.nameOf(pid)));
    if (left.length > 0)
      throw new Error(`Expected nobody to be left, got ${left.map((pid) => site.nameOf(pid)).join(", ")}`);
    if (counts.duplicates > 0) throw new Error(`Expected one of each, got ${counts.duplicates} more`);
  } finally {
    await site.kill();
    for (let left; (left = site.processes()).length > 0; await sleep(20)) left.forEach(kill);
    if (disk) await leave(disk);
    else removeDirectory(directory);
  }
  return counts;
}

/** A process that is not there any more may still have files open: the disk cannot go before they are closed. */
async function leave(disk: Disk): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      disk[Symbol.dispose]();
      return;
    } catch (error) {
      if (tries === MOST_TRIES) throw error;
      await sleep(50);
    }
  }
}

/** Those that run are taken over; those that were killed meanwhile are started. */
async function killSupervisor(site: Site, random: () => number): Promise<void> {
  const before = site.workers();
  await site.kill();
  const killed = killSome(site, random, 0.3);
  await site.start();
  await site.isWell();
  const after = site.workers();
  for (const [name, pids] of before) {
    if (!killed.has(name) && !pids.every((pid) => after.get(name)?.includes(pid))) {
      throw new Error(`Expected ${name} to be taken over, it was started again`);
    }
  }
}

/** Kill workers, each with that probability. @returns their names */
function killSome(site: Site, random: () => number, share: number): Set<string> {
  const killed = new Set<string>();
  for (const [name, pids] of site.workers()) {
    if (random() >= share) continue;
    for (const pid of pids) kill(pid);
    killed.add(name);
  }
  return killed;
}

/** Write until there is no room. */
function fill(path: string): void {
  const descriptor = openSync(path, "a");
  try {
    for (let size = 1 << 16; size > 0;) {
      try {
        writeSync(descriptor, Buffer.alloc(size));
      } catch {
        size >>= 1;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
