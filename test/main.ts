// What `npm test` runs: make sure that everything the tests need is there, run them, count them.
// Usage: node scripts/run.mjs test/main.js [--checks] [FILTER…], the filters being vitest's.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { canInstall, command, install, missing } from "./helpers/requirements.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const report = join(root, "build", "vitest.json");
const strict = process.env.CI === "true";

/** The part of vitest's JSON report that is used here. */
interface Report {
  testResults: { name: string; status: string; assertionResults: { fullName: string; status: string }[] }[];
}

const [checks, filters] = [
  process.argv.includes("--checks"),
  process.argv.slice(2).filter((arg) => arg !== "--checks"),
];
process.exitCode = (await main()) ? 0 : 1;

/** Returns whether all is well. */
async function main(): Promise<boolean> {
  if (!provide()) return false;
  if (checks) {
    const lint = run(join(root, "node_modules/.bin/eslint"), ["."]);
    const format = run(join(root, "node_modules/.bin/prettier"), ["--check", "."]);
    if ((await lint) !== 0 || (await format) !== 0) return false;
  }
  rmSync(report, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const vitest = join(root, "node_modules/vitest/vitest.mjs");
  const status = await run(process.execPath, [vitest, "run", "--root", root, ...reporters, ...filters]);
  return tell(status);
}

/** Install what is missing, or say what cannot be tested. Returns whether the tests may start. */
function provide(): boolean {
  let absent = missing();
  if (absent.length > 0 && canInstall()) {
    try {
      install(absent);
    } catch (error) {
      process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    }
    absent = missing();
  }
  if (absent.length === 0) return true;
  for (const { name, why } of absent) process.stderr.write(`MISSING ${name}, so untested: ${why}\n`);
  process.stderr.write(`To get what is missing, as root: ${command(absent)}\n`);
  return !strict;
}

/** Run a program in the root directory. Returns its status. */
async function run(program: string, args: string[]): Promise<number> {
  const child = spawn(program, args, { cwd: root, stdio: "inherit" });
  // The terminal sends its own SIGINT to the child too, which then cleans up: wait for that.
  const ignore = () => {};
  const forward = () => child.kill("SIGTERM");
  process.on("SIGINT", ignore).on("SIGTERM", forward);
  const [status] = (await once(child, "exit")) as [number | null];
  process.off("SIGINT", ignore).off("SIGTERM", forward);
  return status ?? 1;
}

/** Name the skipped tests and print the counts as the last line. Returns whether that is a success. */
function tell(status: number): boolean {
  const files = read();
  const tests = files.flatMap((file) =>
    file.assertionResults.map((test) => ({
      ...test,
      name: `${relative(root, file.name)}: ${test.fullName.trim()}`,
    })),
  );
  const passed = tests.filter((test) => test.status === "passed").length;
  let failed = tests.filter((test) => test.status === "failed").length;
  const skipped = tests.filter((test) => test.status !== "passed" && test.status !== "failed");
  // A file that failed and none of its tests did: it could not be loaded, or a hook of it failed.
  failed += files.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  ).length;
  if (failed === 0 && (status !== 0 || passed === 0)) {
    const why = status !== 0 ? `vitest ended with status ${status}` : "no test was run";
    process.stderr.write(`No test failed, but ${why}: a failure\n`);
    failed = 1;
  }
  for (const test of skipped) console.log(`skipped: ${test.name}`);
  console.log(`${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`);
  return failed === 0 && !(strict && skipped.length > 0);
}

function read(): Report["testResults"] {
  try {
    return (JSON.parse(readFileSync(report, "utf8")) as Report).testResults;
  } catch {
    return [];
  }
}
