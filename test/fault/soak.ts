// The programs that add and take are killed at random, again and again, while a purge runs beside them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { endWithUs, inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { program } from "../helpers/embedded.js";
import { Book } from "./book.js";
import { noCounts, seeded, type Campaign } from "./campaign.js";
import { contentOf, takeAll } from "./texts.js";
import { Worker } from "./worker.js";

/** What all lives of programs have in common. */
interface Site {
  readonly path: string;
  readonly durability: string;
  readonly book: Book;
  readonly careless: boolean;
  /** How many elements those that were killed had in hand: so many may come twice. */
  inHand: number;
}

/** One life of a program, from its start to its death; one round. */
type Life = (site: Site, random: () => number) => Promise<void>;

/** Milliseconds without a line after which a consumer is killed too; it needs longer to start. */
const BORED_MS = { atFirst: 2000, later: 200 };

export const soak: Campaign = {
  name: "soak",
  summary: "dirq add, dirq pop and its --exec are killed at random, a purge running beside them",
  rounds: 200,
  run: async ({ seed, rounds, durability, careless = false, progress }) => {
    const counts = noCounts();
    const top = temporaryDirectory("soak", inMemory);
    const book = new Book();
    const site: Site = { path: join(top, "queue"), durability, book, careless, inHand: 0 };
    const purging = new AbortController();
    let round = 0;
    const post = async (life: Life, random: () => number) => {
      for (; round < rounds; round++) {
        progress(round);
        await life(site, random);
      }
    };
    try {
      const posts = [producer("a"), producer("b"), consumer(200), consumer(20, "--exec", "cat")];
      const lives = posts.map((life, index) => post(life, seeded(seed * posts.length + index)));
      const over = Promise.all(lives).finally(() => purging.abort());
      await Promise.all([over, purgeUntil(purging.signal, site.path)]);
      book.find(await takeAll("simple", site.path));
    } finally {
      removeDirectory(top);
    }
    book.addTo(counts);
    if (counts.duplicates > site.inHand) {
      throw new Error(`Expected at most ${site.inHand} duplicates, got ${counts.duplicates}`);
    }
    return counts;
  },
};

/** A producer: it is fed lines, and killed or let come to its end. What it has not acknowledged, the next one is fed. */
function producer(name: string): Life {
  const again: string[] = [];
  let number = 0;
  return async (site, random) => {
    const { child, ended } = start("add", "--lines", "--names", "--durability", site.durability, site.path);
    const names = listen(child.stdout);
    const fed: string[] = [];
    // The kernel holds about 80 of these lines: with more, it is at work.
    for (const lines = 50 + random() * 250; fed.length < lines;) {
      const id = again.pop() ?? `${name}-${number++}`;
      fed.push(id);
      if (!child.stdin.write(contentOf(id))) await Promise.race([once(child.stdin, "drain"), ended]);
    }
    if (random() < 0.7) child.kill("SIGKILL");
    else child.stdin.end();
    const status = await ended;
    // A name is said when its element is safe, in the order of the lines.
    const acknowledged = fed.splice(0, names().length);
    site.book.accept(acknowledged);
    if (status === null) {
      again.push(...fed);
      site.inHand += fed.length;
    } else if (status !== 0 || fed.length > 0) {
      throw new Error(`A producer ended with status ${status} and ${fed.length} lines not acknowledged`);
    }
  };
}

/** A consumer: it is killed when it has said at most so many lines, or has nothing to say. */
function consumer(most: number, ...options: string[]): Life {
  return async (site, random) => {
    const { child, ended } = start("pop", "--count", "0", "--wait", "60", ...options, site.path);
    const said = listen(child.stdout);
    const lines = 1 + random() * (most - 1);
    await new Promise<void>((resolve) => {
      let bored = setTimeout(resolve, BORED_MS.atFirst);
      child.stdout.on("data", () => {
        clearTimeout(bored);
        if (said().length > lines) resolve();
        else bored = setTimeout(resolve, BORED_MS.later);
      });
    });
    child.kill("SIGKILL");
    await ended;
    site.inHand++;
    if (!site.careless) site.book.find(said().map((line) => `${line}\n`));
  };
}

/** What is said, in lines; half a line, the last words of one that was killed, has not been said. */
function listen(output: Readable): () => string[] {
  let said = "";
  output.setEncoding("latin1").on("data", (chunk: string) => (said += chunk));
  return () => said.split("\n").slice(0, -1);
}

function start(...args: string[]) {
  const child = spawn(process.execPath, [program("dirq"), ...args], { stdio: ["pipe", "pipe", "inherit"] });
  endWithUs(child);
  // One that was killed does not read what it is fed.
  child.stdin.on("error", () => undefined);
  const ended = once(child, "close").then(([status]) => status as number | null);
  return { child, ended };
}

/** Nobody is so slow that these limits take what is still in use. */
const PURGE = ["purge", "60", "60"] as const;

async function purgeUntil(signal: AbortSignal, path: string): Promise<void> {
  await using worker = new Worker();
  await worker.demand("open", "simple", path, "none");
  while (!signal.aborted) {
    await worker.demand(...PURGE);
    await sleep(20);
  }
}
