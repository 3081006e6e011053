// Make a fresh clone ready (install, build), then run one of our programs, compiled to build/.
// Usage: node scripts/run.mjs PROGRAM [ARGUMENT…]; it needs nothing but Node and npm.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

function step(what, command, args) {
  const started = Date.now();
  if (process.stderr.isTTY) process.stderr.write(`${what} …`);
  // Windows finds npm as npm.cmd only through a shell; everywhere else no shell is involved.
  const done = spawnSync(command, args, { cwd: root, encoding: "utf8", shell: process.platform === "win32" });
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  if (done.error ?? done.status) {
    process.stderr.write(`${done.stdout ?? ""}${done.stderr ?? ""}`);
    process.stderr.write(
      `${what} failed: ${command} ${args.join(" ")}${done.error ? `: ${done.error.message}` : ""}\n`,
    );
    process.exit(70);
  }
  const seconds = (Date.now() - started) / 1000;
  if (seconds > 1) process.stderr.write(`${what}: ${seconds.toFixed(1)} s\n`);
}

/** npm leaves a copy of the lock file in node_modules: the same versions there mean nothing to install. */
function installed() {
  const copy = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(copy)) return false;
  const have = JSON.parse(readFileSync(copy, "utf8")).packages;
  const want = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  return Object.entries(want).every(
    ([path, { version, optional }]) =>
      path === "" || optional || path.startsWith("packages/") || have[path]?.version === version,
  );
}

if (!installed()) step("Installing dependencies", "npm", ["ci", "--no-audit", "--no-fund"]);
const [program, ...args] = process.argv.slice(2);
step("Building", process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-b", dirname(program)]);

const path = join(root, "build", program);
process.argv = [process.argv[0], path, ...args];
await import(pathToFileURL(path).href);
