// What is made from a program's table for its users: the manual page and the completion of a shell.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runProgram, type OptionEntry } from "@spoolwire/program";
import { agentOptions } from "@spoolwire/transfer";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { program } from "../../helpers/embedded.js";
import { run } from "../../helpers/programs.js";
import { takes } from "../../helpers/in-process.js";

let stdout = "";
beforeEach(() => {
  vi.spyOn(process.stdout, "write").mockImplementation(takes((text) => (stdout += text)));
});
afterEach(() => vi.restoreAllMocks());

const options = [
  { name: "mode", type: "string", choices: ["fast", "slow"], default: "fast", help: ".how, 'or' C:\\why" },
  { name: "input", type: "string", value: "FILE", aliases: ["in"], short: "i", many: true, help: "what" },
  { name: "loop", type: "boolean", help: "again" },
  { name: "once", type: "boolean", notInFiles: true, help: "not again" },
] as const satisfies readonly OptionEntry[];
const spec = { name: "prog", version: "1.2.3", summary: "Do -things.", options, operands: "QUEUE" };

async function print(argv: string[]): Promise<string> {
  stdout = "";
  expect(await runProgram({ ...spec, configuration: { root: "prog" } }, argv, async () => 1)).toBe(0);
  return stdout;
}

describe("the manual page", () => {
  test("has every option, with nothing that roff would take for its own", async () => {
    const page = await print(["--manual"]);
    expect(page).toMatch(/^\.TH "PROG" 1 "" "prog 1.2.3"\n\.SH NAME\nprog \\- do \\-things\n/);
    expect(page).toContain(".B prog\n[\\fIOPTION\\fR...] QUEUE\n");
    const option = (name: string) =>
      page.split(".TP\n").find((part) => part.includes(`\\fB\\-\\-${name}\\fR`));
    expect(option("mode")).toBe(
      "\\fB\\-\\-mode\\fR \\fIfast|slow\\fR\n\\&.how, 'or' C:\\ewhy (default fast)\n",
    );
    expect(option("in")).toBe(
      "\\fB\\-i\\fR, \\fB\\-\\-input\\fR, \\fB\\-\\-in\\fR \\fIFILE\\fR\nwhat (may be repeated)\n",
    );
    expect(option("loop")).toBe("\\fB\\-\\-loop\\fR\nagain (taken back by \\-\\-no\\-loop)\n");
    expect(option("once")).toBe("\\fB\\-\\-once\\fR\nnot again\n");
    expect(page).toMatch(/^\.SH CONFIGURATION FILE$/m);
    expect(page).toMatch(/^\.TP\n\.B 75\nnot finished/m);
  });

  test("and the others are printed for short options too", async () => {
    for (const [short = "", long = ""] of [
      ["-m", "--manual"],
      ["-l", "--list"],
      ["-h", "--help"],
      ["-?", "--help"],
    ]) {
      expect(await print([short])).toBe(await print([long]));
    }
  });

  test("of an agent has what --list has, and that is what --help has", async () => {
    const [list, manual, help] = await Promise.all(
      ["--list", "--manual", "--help"].map(async (option) => (await run("stompclt", [option])).stdout),
    );
    const names = list?.trimEnd().split("\n") ?? [];
    expect(names).toEqual(expect.arrayContaining(agentOptions.map(({ name }) => `--${name}`)));
    for (const name of names) {
      expect(manual).toContain(`\\fB${name.replaceAll("-", "\\-")}\\fR`);
      expect(help).toMatch(new RegExp(`${name}[ \n]`));
    }
  });
});

describe("bash completes", () => {
  let directory: string;
  beforeEach(() => {
    directory = temporaryDirectory("completion");
    mkdirSync(join(directory, "sub"));
    writeFileSync(join(directory, "some file"), "");
  });
  afterEach(() => removeDirectory(directory));

  /** What it offers for the last of the words. */
  function complete(script: string, ...words: string[]): string[] {
    const [command = ""] = words;
    const source = `${script}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_${command.split("/").at(-1)}
printf '%s\\n' "\${COMPREPLY[@]}"`;
    const done = spawnSync("bash", ["--norc", "-uc", source, "bash", ...words], {
      cwd: directory,
      encoding: "utf8",
    });
    expect(done.stderr).toBe("");
    return done.stdout.split("\n").filter(Boolean).sort();
  }

  test("options, their choices, and files where they are wanted", async () => {
    const script = await print(["--completion", "bash"]);
    expect(complete(script, "prog", "--lo")).toEqual(["--loop"]);
    expect(complete(script, "prog", "--no-")).toEqual(["--no-loop"]);
    expect(complete(script, "prog", "--mode", "s")).toEqual(["slow"]);
    expect(complete(script, "prog", "--mode", "slow", "s")).toEqual(["some file", "sub"]);
    expect(complete(script, "prog", "--mode", "=")).toEqual(["fast", "slow"]);
    expect(complete(script, "prog", "--mode", "=", "s")).toEqual(["slow"]);
    expect(complete(script, "prog", "--config-general", "=", "s")).toEqual([]);
    expect(complete(script, "prog", "--subscribe", "path", "=", "so")).toEqual(["some file"]);
    expect(complete(script, "prog", "-i", "so")).toEqual(["some file"]);
    expect(complete(script, "prog", "--config", "")).toEqual(["some file", "sub"]);
    expect(complete(script, "prog", "--config-general", "s")).toEqual([]);
  });

  test("the commands of dirq, and the options of each", async () => {
    const { stdout: script } = await run("dirq", ["--completion", "bash"]);
    const dirq = program("dirq");
    expect(complete(script, dirq, "c")).toEqual(["cat", "convert", "count", "cp"]);
    expect(complete(script, dirq, "add", "--li")).toEqual(["--lines", "--list"]);
    expect(complete(script, dirq, "add", "some")).toEqual(["some file"]);
  });
});
