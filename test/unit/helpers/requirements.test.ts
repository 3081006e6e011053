import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { canInstall, command, install, missing, requirements, requires } from "../../helpers/requirements.js";

// The only directory on the PATH: nothing is installed.
let directory: string;
beforeEach(() => {
  directory = temporaryDirectory("path");
  vi.stubEnv("PATH", directory).stubEnv("CI", "");
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  removeDirectory(directory);
});

function program(name: string, ...lines: string[]): void {
  writeFileSync(join(directory, name), ["#!/bin/sh", ...lines, ""].join("\n"));
  chmodSync(join(directory, name), 0o755);
}

test("what is not on the PATH is missing, until it is there", () => {
  expect(missing().map(({ name }) => name)).toContain("strace");
  expect(requires("strace")).toBe(false);
  program("strace");
  expect(requires("strace")).toBe(true);
});

test("with CI=true a missing requirement is an error that says how to get it", () => {
  vi.stubEnv("CI", "true");
  expect(() => requires("strace")).toThrow(/^strace is missing: apt-get install .* strace$/);
});

test("an unknown requirement is the caller's mistake", () => {
  expect(() => requires("qpid")).toThrow("Expected a requirement (rabbitmq, activemq, ");
});

test("every requirement says why, and which packages bring it", () => {
  for (const { why, debian } of requirements) {
    expect(why).not.toBe("");
    expect(debian).not.toEqual([]);
  }
});

test("installs with apt-get after an update, and tells what", () => {
  const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  program("apt-get", `echo "$DEBIAN_FRONTEND $*" >> ${directory}/calls`);
  const needed = requirements.filter(({ name }) => name === "strace" || name === "rabbitmq");
  install(needed);
  const options = "noninteractive -o DPkg::Lock::Timeout=120";
  expect(readFileSync(`${directory}/calls`, "utf8").trimEnd().split("\n")).toEqual([
    `${options} update`,
    `${options} install -y --no-install-recommends rabbitmq-server strace`,
  ]);
  expect(stderr.mock.calls).toEqual([[`Installing rabbitmq, strace: ${command(needed)}\n`]]);
});

test("an apt-get that fails is an error with what it wrote", () => {
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
  program("apt-get", "echo Reading; echo no network >&2; exit 100");
  expect(() => install([...requirements])).toThrow("apt-get update failed:\nReading\nno network\n");
});

test("only root can install, and only where there is an apt-get", () => {
  const getuid = vi.spyOn(process as { getuid(): number }, "getuid").mockReturnValue(0);
  expect(canInstall()).toBe(false);
  program("apt-get");
  expect(canInstall()).toBe(true);
  getuid.mockReturnValue(1000);
  expect(canInstall()).toBe(false);
});
