import assert from "node:assert/strict";
import fs from "node:fs";
import { DirqError, SimpleQueue, type FileCalls } from "@spoolwire/dirq";
import { mutate } from "../helpers/bytes.js";
import type { Fuzz } from "./fuzz.js";

const originals = ["5f9c1a40/5f9c1a6d0b2c4e", "00000000/00000000000000", "ffffffff/ffffffffffffff"].map(
  (name) => Buffer.from(name),
);

const words = [
  ...[
    "/",
    "//",
    ".",
    "..",
    "../",
    "/../",
    "\0",
    "\n",
    "\r",
    " ",
    ".lck",
    ".tmp",
    "0",
    "f",
    "F",
    "g",
    "A",
    "x",
  ],
  ...[
    "%2e%2e%2f",
    "\\",
    "~",
    "*",
    "é",
    "０",
    "५",
    "\u2024",
    "\u2215",
    "\ufeff",
    "5f9c1a6d0b2c4e",
    "/etc/passwd",
  ],
];

const TOP = "/top of the queue";

/** The paths that reached the file system, where nothing ever is. */
let touched: string[] = [];

const calls = new Proxy(fs, {
  get(_, name: string) {
    return (path: string) => {
      touched.push(path);
      // The directory of the queue is there; of anything else lstat is asked to be silent.
      if (name === "lstatSync") return path === `${TOP}/.` ? { dev: 0n, ino: 0n } : undefined;
      throw Object.assign(new Error("nothing is there"), { code: "ENOENT" });
    };
  },
}) as FileCalls;

const queue = new SimpleQueue({ path: TOP, create: false }, { calls });

const operations: ((name: string) => unknown)[] = [
  (name) => queue.lock(name),
  (name) => queue.unlock(name),
  (name) => queue.touch(name),
  (name) => queue.get(name),
  (name) => queue.remove(name),
];

/** Eight digits, a slash, fourteen digits, all hexadecimal and lower case. */
function isName(name: string): boolean {
  return (
    name.length === 23 &&
    [...name].every((character, index) =>
      index === 8 ? character === "/" : "0123456789abcdef".includes(character),
    )
  );
}

export const names: Fuzz = {
  name: "names",
  summary: "damaged element names: refused with a DirqError before they reach the file system",
  attempt(random) {
    const original = originals[random(originals.length)] ?? Buffer.alloc(0);
    const name = mutate(original, random, words).toString(random(2) === 0 ? "utf8" : "latin1");
    const operation = operations[random(operations.length)];
    touched = [];
    let thrown: unknown;
    try {
      operation?.(name);
    } catch (error) {
      thrown = error;
    }
    const where = `on ${JSON.stringify(name)}`;
    if (isName(name)) {
      const isExpected =
        thrown === undefined || (thrown instanceof DirqError && thrown.code === "DIRQ_NOT_LOCKED");
      assert(isExpected, `${where}: ${String(thrown)}`);
      assert(touched.length > 0 && touched.every((path) => path.startsWith(`${TOP}/${name}`)), where);
      return "name";
    }
    assert(thrown instanceof DirqError && thrown.code === "DIRQ_BAD_NAME", `${where}: ${String(thrown)}`);
    assert.deepEqual(touched, [], where);
    return thrown.code;
  },
};
