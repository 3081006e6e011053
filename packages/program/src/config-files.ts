import { closeSync, fstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { ConfigError, withPath } from "./errors.js";
import { glob, isGlob } from "./glob.js";

/** Most bytes of a configuration, all its files together. */
export const MOST_BYTES = 4 * 1024 * 1024;

/** Where configurations are read from. A test has other files. */
export interface ConfigFiles {
  /**
   * The text of a file, without the mark of its encoding.
   * @throws ConfigError CONFIG_BAD_FILE if it is too long or not UTF-8; the file system's own error
   */
  read(path: string): string;
  /**
   * The files that an include names: the file, those of a directory, or those that match a pattern; seen from the
   * directory of the including file, else from that of the first.
   * @returns undefined if no such file is there; a pattern that matches nothing is no fault, and gives none
   */
  find(target: string, from: string, first: string): readonly string[] | undefined;
}

/** The files of this machine. */
export const diskFiles: ConfigFiles = { read: readText, find: findFiles };

/** May be a pipe, as shells make it for `<(…)`, so its size is known only when it has been read. */
function readText(path: string): string {
  const file = openSync(path, "r");
  try {
    const buffer = Buffer.alloc(Math.min(fstatSync(file).size, MOST_BYTES) + 4096);
    const chunks: Buffer[] = [];
    let total = 0;
    for (let length = 1; length > 0; total += length) {
      if (total > MOST_BYTES) throw badFile(path, `Expected at most ${MOST_BYTES} bytes, got more`);
      length = withPath(path, () => readSync(file, buffer));
      chunks.push(Buffer.from(buffer.subarray(0, length)));
    }
    return decode(Buffer.concat(chunks), path);
  } finally {
    closeSync(file);
  }
}

/** The text of a file's bytes, without the mark of its encoding. @throws ConfigError CONFIG_BAD_FILE */
export function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // The first line that does not come out as it went in.
    const text = bytes.toString("utf8");
    const same = Buffer.from(text);
    let wrong = 0;
    while (wrong < bytes.length && bytes[wrong] === same[wrong]) wrong++;
    const line = bytes.subarray(0, wrong).filter((byte) => byte === 0x0a).length + 1;
    throw badFile(path, "Expected UTF-8, got other bytes", line);
  }
}

const badFile = (file: string, message: string, line = 1) =>
  new ConfigError([{ message, at: { file, line } }], { code: "CONFIG_BAD_FILE" });

function findFiles(target: string, from: string, first: string): readonly string[] | undefined {
  const found = findBelow(dirname(from), target);
  const there = found?.length ? found : findBelow(dirname(first), target);
  return there ?? found;
}

function findBelow(base: string, target: string): readonly string[] | undefined {
  if (isGlob(target)) return glob(target, base).filter(isFile);
  const path = isAbsolute(target) ? target : join(base, target);
  // Nothing but plain files: a device or a pipe might never end.
  if (isFile(path)) return [path];
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  return readdirSync(path)
    .sort()
    .map((name) => join(path, name))
    .filter(isFile);
}

const isFile = (path: string) => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
