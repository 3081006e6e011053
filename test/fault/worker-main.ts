// A queue in a process of its own, which does what it is told: one command a line, a JSON list of words.
// Answers `{"added":[…ids]}` whenever something is acknowledged, and `{"end":RESULT}` or `{"failed":…}` at the
// end of each command. `fill` adds until that fails. With the argument `careless` it acknowledges first.
import { readSync, writeSync } from "node:fs";
import { Texts, type Type } from "./texts.js";

const isCareless = process.argv.includes("careless");
const say = (answer: unknown) => writeSync(1, `${JSON.stringify(answer)}\n`);

let texts: Texts;

async function acknowledge(ids: string[], add: () => unknown): Promise<unknown> {
  if (isCareless) say({ added: ids });
  const result = await add();
  if (!isCareless) say({ added: ids });
  return result;
}

const commands: Record<string, (...words: string[]) => unknown> = {
  open: (type, path = "", durability = "") => void (texts = new Texts(type as Type, path, durability)),
  add: (id = "") => acknowledge([id], () => texts.add(id)),
  addMany: (...ids) => acknowledge(ids, () => texts.addMany(ids)),
  fill: async (id, group, first = "0") => {
    for (let number = Number(first); ; number += Number(group)) {
      const ids = Array.from({ length: Number(group) }, (_, index) => `${id}-${number + index}`);
      await acknowledge(ids, () => (group === "1" ? texts.add(ids[0] ?? "") : texts.addMany(ids)));
    }
  },
  names: () => [...texts.queue],
  count: () => texts.queue.count(),
  lock: (name = "") => texts.queue.lock(name),
  get: (name = "") => texts.get(name),
  touch: (name = "") => texts.queue.touch(name),
  unlock: (name = "") => texts.queue.unlock(name),
  remove: (name = "") => texts.queue.remove(name),
  quarantine: (name = "") => texts.queue.quarantine(name, "to see what happens"),
  purge: (maxtemp, maxlock) => texts.queue.purge({ maxtemp: Number(maxtemp), maxlock: Number(maxlock) }),
};

// strace counts the calls of a command, which must be the same every time: so it is read by one call of this thread.
const input = Buffer.alloc(65_536);
for (let rest = ""; ;) {
  const length = readSync(0, input);
  if (length === 0) break;
  const lines = (rest + input.toString("utf8", 0, length)).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) {
    const [command = "", ...words] = JSON.parse(line) as string[];
    try {
      say({ end: (await commands[command]?.(...words)) ?? null });
    } catch (error) {
      const { code = "", message } = error as NodeJS.ErrnoException;
      say({ failed: { code, message } });
    }
  }
}
