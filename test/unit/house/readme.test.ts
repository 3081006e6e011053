// Every example in a README is run: what a newcomer copies must work.
// ```js is a module and ```sh a script with bin/ on its PATH, each in an empty directory of its own; a ```text
// that follows is what it prints.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, expect, test } from "vitest";
import { root } from "../../helpers/embedded.js";

interface Example {
  readonly language: "js" | "sh";
  readonly code: string;
  readonly prints: string | undefined;
}

function examples(file: string): Example[] {
  const blocks = readFileSync(file, "utf8").matchAll(
    /^```(js|sh)\n(.*?)^```\n(?:\s*```text\n(.*?)^```$)?/gms,
  );
  return Array.from(blocks, ([, language, code = "", prints]) => ({
    language: language as Example["language"],
    code,
    prints,
  }));
}

const packages = readdirSync(join(root, "packages")).sort();
const readmes = [
  join(root, "README.md"),
  ...packages.map((name) => join(root, "packages", name, "README.md")),
];

describe.each(readmes.map((path) => ({ path, name: path.slice(root.length) })))("$name", ({ path }) => {
  const found = examples(path);

  test("has an example that can be run", () => {
    expect(found.length).toBeGreaterThan(0);
  });

  for (const [index, { language, code, prints }] of found.entries()) {
    test(`example ${index + 1} (${language}) works as it stands`, { timeout: 60_000 }, () => {
      // Below the root, so that the packages are found as in an installation.
      mkdirSync(join(root, "build/readme"), { recursive: true });
      const directory = mkdtempSync(join(root, "build/readme/"));
      try {
        const file = join(directory, `example.${language === "js" ? "mjs" : "sh"}`);
        writeFileSync(file, code);
        const cwd = join(directory, "empty");
        mkdirSync(cwd);
        const env = { ...process.env, PATH: `${join(root, "bin")}${delimiter}${process.env.PATH}` };
        const [command, args] =
          language === "js" ? [process.execPath, [file]] : ["bash", ["-eu", "-o", "pipefail", file]];
        const done = spawnSync(command, args, { cwd, env, encoding: "utf8", timeout: 50_000 });
        expect(done.stderr + (done.error?.message ?? "")).toBe("");
        expect(done.status).toBe(0);
        if (prints !== undefined) expect(done.stdout).toBe(prints);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    });
  }
});
