// Makes queues with many elements quickly: an element is one more hard link of a file that is there.
import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** No file system allows fewer links of one file, of those that a queue can be on. */
const MOST_LINKS = 30_000;

/** The time in the first name, seconds since the epoch; each intermediate directory is a minute later. */
const FIRST = 0x60000000;

/** A prime that no number of elements is a multiple of. */
const STEP = 1_000_003;

const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0");

/** The `n`th element of the first intermediate directory. */
export function elementName(n: number): string {
  return nameIn(hex(FIRST, 8), n);
}

const nameIn = (directory: string, n: number) => `${directory}/${directory}${hex(n, 6)}`;

/** Fill a simple queue with so many elements, so many in each directory and out of order; locked, if they shall be. */
export function fill(path: string, size: number, each: number, isLocked = false): void {
  let source = "";
  let links = MOST_LINKS;
  const make = (file: string) => {
    if (links++ < MOST_LINKS) return linkSync(source, file);
    source = file;
    links = 1;
    writeFileSync(file, "x");
  };
  for (let start = 0, number = 0; start < size; start += each, number++) {
    const directory = hex(FIRST + number * 60, 8);
    const count = Math.min(each, size - start);
    mkdirSync(join(path, directory));
    for (let n = 0; n < count; n++) {
      const element = join(path, nameIn(directory, (n * STEP) % count));
      make(element);
      if (isLocked) make(`${element}.lck`);
    }
  }
}
