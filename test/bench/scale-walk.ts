// Walks over a queue, or lists its directories and no more, and prints how fast, and for how much memory.
// Usage: scale-walk.js ours|bare DIRECTORY
import { readdirSync, readFileSync } from "node:fs";

interface Walker {
  first(): unknown;
  count(): number;
  walk(): void;
  purge(): unknown;
}

const [side, path = ""] = process.argv.slice(2);

async function ours(): Promise<Walker> {
  // Here, so that the other side does not have it in its memory.
  const { SimpleQueue } = await import("@spoolwire/dirq");
  const queue = new SimpleQueue({ path });
  return {
    first: () => queue.first(),
    count: () => queue.count(),
    walk: () => {
      for (const name of queue) name.charCodeAt(0);
    },
    purge: () => queue.purge(),
  };
}

/** The least that any language does: to get the names, as the library in Python has them, all in memory. */
function bare(): Walker {
  const list = () =>
    readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort();
  const count = () => list().reduce((sum, name) => sum + readdirSync(`${path}/${name}`).length, 0);
  return { first: () => readdirSync(`${path}/${list()[0]}`), count, walk: count, purge: count };
}

/** The most memory that this process had so far, MB. Not maxRSS, in which is what the parent had. */
const peak = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1024;

const walker = side === "ours" ? await ours() : bare();
const idle = peak();
const seconds: Record<string, number> = {};
let size = 0;
for (const name of ["first", "count", "walk", "purge"] as const) {
  const started = performance.now();
  const result = await walker[name]();
  seconds[name] = (performance.now() - started) / 1000;
  if (name === "count") size = result as number;
}
const speed = Object.fromEntries(Object.entries(seconds).map(([name, time]) => [name, size / time]));
// A page that was there already is none that was added: at least a tenth of a MB, to have a number.
const memory = { "memory idle": 1024 / idle, "memory added": size / Math.max(peak() - idle, 0.1) };
console.log(JSON.stringify({ ...speed, ...memory }));
