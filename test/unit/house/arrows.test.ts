// The house: which package may import which. The table in the README is the truth that everything is held to.
import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { root } from "../../helpers/embedded.js";

/** The rows "| `name` | what it is | `import`, `import` |" of the README. */
function readArrows(): Map<string, string[]> {
  const rows = readFileSync(join(root, "README.md"), "utf8").matchAll(
    /^\| \[`([\w-]+)`\][^|]*\|[^|]*\|([^|]*)\|$/gm,
  );
  return new Map(Array.from(rows, ([, name = "", imports = ""]) => [name, names(imports)]));
}

const names = (cell: string): string[] =>
  Array.from(cell.matchAll(/`([\w-]+)`/g), ([, name = ""]) => name).sort();

const arrows = readArrows();
const packages = readdirSync(join(root, "packages")).sort();

const sources = (name: string): string[] =>
  readdirSync(join(root, "packages", name, "src"), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => readFileSync(join(root, "packages", name, "src", file), "utf8"));

/** Every module named in an import, an export from, or an import(). */
const imported = (source: string): string[] =>
  Array.from(source.matchAll(/(?:\bfrom|\bimport\s*\(?)\s*"([^"]+)"/g), ([, module = ""]) => module);

const json = (...path: string[]): unknown =>
  JSON.parse(readFileSync(join(root, "packages", ...path), "utf8"));

test("the README has a row for every package", () => {
  expect([...arrows.keys()].sort()).toEqual(packages);
});

describe.each(packages)("%s", (name) => {
  const allowed = arrows.get(name) ?? [];
  const modules = sources(name).flatMap(imported);

  test("imports only the packages that the table allows, and only what they export", () => {
    const ours = modules.filter((module) => module.startsWith("@spoolwire/"));
    expect(allowed.map((other) => `@spoolwire/${other}`)).toEqual(expect.arrayContaining([...new Set(ours)]));
  });

  test("stays inside its own src with relative imports", () => {
    expect(modules.filter((module) => module.startsWith("../"))).toEqual([]);
  });

  test("has the same arrows in its tsconfig and its package.json", () => {
    const { references } = json(name, "tsconfig.json") as { references: { path: string }[] };
    expect(references.map(({ path }) => path.replace("../", "")).sort()).toEqual(allowed);
    const { dependencies = {} } = json(name, "package.json") as { dependencies?: Record<string, string> };
    const ours = Object.keys(dependencies).filter((module) => module.startsWith("@spoolwire/"));
    expect(ours.sort()).toEqual(allowed.map((other) => `@spoolwire/${other}`));
  });

  test("declares every other package that it imports", () => {
    const { dependencies = {} } = json(name, "package.json") as { dependencies?: Record<string, string> };
    const foreign = modules.filter((module) => !/^(node:|\.\/|@spoolwire\/)/.test(module));
    expect(Object.keys(dependencies)).toEqual(expect.arrayContaining([...new Set(foreign)]));
  });

  test("exports nothing but from its other files in index.ts", () => {
    const index = readFileSync(join(root, "packages", name, "src/index.ts"), "utf8");
    expect(index.replaceAll(/^export (type )?\{[^}]*\} from "\.\/[\w-]+\.js";$/gm, "").trim()).toBe("");
  });
});

test("the arrows make no circle", () => {
  const reaches = (from: string, to: string): boolean =>
    (arrows.get(from) ?? []).some((next) => next === to || reaches(next, to));
  expect(packages.filter((name) => reaches(name, name))).toEqual([]);
});

describe("the compiler", () => {
  const place = join(root, "build/house");

  /** Compile one line as a package that may import `dirq` only. */
  async function compile(line: string): Promise<string> {
    rmSync(place, { recursive: true, force: true });
    mkdirSync(join(place, "src"), { recursive: true });
    const config = {
      extends: "../../tsconfig.base.json",
      compilerOptions: { rootDir: "src", outDir: "out" },
      include: ["src"],
      references: [{ path: "../../packages/dirq" }],
    };
    writeFileSync(join(place, "tsconfig.json"), JSON.stringify(config));
    writeFileSync(join(place, "src/index.ts"), line);
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    try {
      return (await promisify(execFile)(process.execPath, [tsc, "-b", place])).stdout;
    } catch (error) {
      return (error as { stdout: string }).stdout;
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  }

  test("accepts an import along an arrow", { timeout: 60_000 }, async () => {
    expect(await compile('export { openQueue } from "@spoolwire/dirq";\n')).toBe("");
  });

  test("refuses an import against the arrows", { timeout: 60_000 }, async () => {
    const output = await compile('export { runProgram } from "@spoolwire/program";\n');
    expect(output).toContain("packages/program/src/index.ts' is not listed within the file list of project");
  });
});
