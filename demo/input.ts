import { accessSync, constants, copyFileSync, createWriteStream, statSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { join } from "node:path";

/** Logs that one system or another keeps: real lines, different on every machine. */
const LOGS = [
  "/var/log/dpkg.log",
  "/var/log/apt/history.log",
  "/var/log/pacman.log",
  "/var/log/dnf.log",
  "/var/log/dnf5.log",
  "/var/log/zypper.log",
  "/var/log/apk.log",
  "/var/log/install.log",
  "/var/log/system.log",
];

/**
 * Copy the input to where the demo works, so that a log which still grows is compared with what was sent.
 * `-` is standard input; without a path it is the first log that can be read, or else our own lock file.
 * @returns what the input was
 */
export async function takeInput(path: string | undefined, root: string, copy: string): Promise<string> {
  if (path === "-") {
    await pipeline(process.stdin, createWriteStream(copy));
    return "standard input";
  }
  const chosen = path ?? LOGS.find(isReadable) ?? join(root, "package-lock.json");
  copyFileSync(chosen, copy);
  return chosen;
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile() && statSync(path).size > 0;
  } catch {
    return false;
  }
}
