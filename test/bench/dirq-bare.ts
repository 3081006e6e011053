// What a simple queue cannot do without: no checks, no lost race tolerated, all names made beforehand.
import fs from "node:fs";
import { rate, type Rates } from "./bench.js";

/** Add so many elements to this directory, then take all of them, by the fewest calls. */
export async function bare(directory: string, size: number, body: Buffer): Promise<Rates> {
  const names = Array.from({ length: size }, (_, index) => `${directory}/${String(index).padStart(14, "0")}`);
  const elements = names.map((name) => ({ name, temporary: `${name}.tmp`, lock: `${name}.lck` }));
  const add = await rate(size, () => {
    for (const { name, temporary } of elements) {
      const fd = fs.openSync(temporary, "wx");
      fs.writeSync(fd, body);
      fs.closeSync(fd);
      fs.linkSync(temporary, name);
      fs.unlinkSync(temporary);
    }
  });
  const read = Buffer.alloc(body.length);
  const take = await rate(size, () => {
    const now = Date.now() / 1000;
    fs.readdirSync(directory);
    for (const { name, lock } of elements) {
      fs.linkSync(name, lock);
      fs.utimesSync(name, now, now);
      const fd = fs.openSync(lock, "r");
      fs.readSync(fd, read);
      fs.closeSync(fd);
      fs.unlinkSync(name);
      fs.unlinkSync(lock);
    }
  });
  return { add, take };
}
