// Adds elements until it is killed or the disk fails, and tells each name once it is acknowledged.
// Arguments: the queue's directory, the durability, an id, how many to add at once.
import { writeSync } from "node:fs";
import { SimpleQueue, type Durability } from "@spoolwire/dirq";
import { contentOf } from "./content.js";

const [path = "", durability = "full", id = "", atOnce = "1"] = process.argv.slice(2);
const group = Number(atOnce);
try {
  const queue = new SimpleQueue({ path, durability: durability as Durability });
  for (let number = 0; ; number += group) {
    const ids = Array.from({ length: group }, (_, index) => `${id}-${number + index}`);
    const names =
      group === 1 ? [queue.add(contentOf(ids[0] ?? ""))] : await queue.addMany(ids.map(contentOf));
    writeSync(1, names.map((name, index) => `${name} ${ids[index]}\n`).join(""));
  }
} catch (error) {
  writeSync(2, `${String(error)}\n`);
}
