// A consumer in a process of its own, for the bench: tells of each element how long ago it was added (milliseconds),
// and on SIGUSR2 what it has used so far: CPU seconds, megabytes. `node consumer.js ours|bare QUEUE`
import fs from "node:fs";

const [kind, path = ""] = process.argv.slice(2);
const tell = (content: string) =>
  process.stdout.write(`${Number(process.hrtime.bigint()) / 1e6 - Number(content)}\n`);

/** What nobody can do without: watches, one list of each directory, and the calls of an element. */
function bare(): void {
  const watched = new Set<string>();
  const take = (element: string) => {
    if (!fs.existsSync(element)) return;
    fs.linkSync(element, `${element}.lck`);
    tell(fs.readFileSync(`${element}.lck`, "utf8"));
    fs.unlinkSync(element);
    fs.unlinkSync(`${element}.lck`);
  };
  const watch = (name: string) => {
    const directory = `${path}/${name}`;
    if (watched.has(name) || !fs.existsSync(directory)) return;
    watched.add(name);
    fs.watch(directory, (_event, element) => {
      if (element?.length === 14) take(`${directory}/${element}`);
    });
    const names = new Set(fs.readdirSync(directory));
    for (const element of names) {
      if (element.length === 14 && !names.has(`${element}.lck`)) take(`${directory}/${element}`);
    }
  };
  fs.watch(path, (_event, name) => {
    if (name?.length === 8) watch(name);
  });
  for (const name of fs.readdirSync(path)) watch(name);
}

async function ours(): Promise<void> {
  // Here, so that the other side does not have it in its memory.
  const { SimpleQueue } = await import("@spoolwire/dirq");
  for await (const element of new SimpleQueue({ path }).consume()) {
    tell(element.content.toString());
    element.done();
  }
}

process.on("SIGUSR2", () => {
  const { user, system } = process.cpuUsage();
  process.stdout.write(`${(user + system) / 1e6} ${process.memoryUsage.rss() / 2 ** 20}\n`);
});
process.stdin.on("end", () => process.exit()).resume();
if (kind === "ours") await ours();
else bare();
