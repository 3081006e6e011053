import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, parseCredential, renewed } from "@spoolwire/program";
import { describe, expect, test } from "vitest";

describe("parseCredential", () => {
  test.each([
    ["none", { scheme: "none" }],
    ["plain name=app pass=s3cret", { scheme: "plain", name: "app", pass: "s3cret" }],
    ["plain,name=app,pass=a%20b%2Cc", { scheme: "plain", name: "app", pass: "a b,c" }],
    ["plain name=app pass=a,b  c", { scheme: "plain", name: "app", pass: "a,b  c" }],
    ["  plain  pass=p=q   name=app ", { scheme: "plain", name: "app", pass: "p=q" }],
  ])("reads %j", (text, expected) => {
    expect(parseCredential(text)).toEqual(expected);
  });

  test.each<[string, Record<string, string>, object]>([
    ["x509 cert=c", {}, { cert: "c", key: "c" }],
    ["x509 cert=c key=k ca=a pass=p%20q", {}, { cert: "c", key: "k", ca: "a", pass: "p q" }],
    ["x509 ca=a", {}, { ca: "a" }],
    ["x509", { X509_USER_CERT: "c", X509_CERT_DIR: "d" }, { cert: "c", key: "c", ca: "d" }],
    [
      "x509",
      { X509_USER_CERT: "c", X509_USER_KEY: "k", X509_CERT_FILE: "f" },
      { cert: "c", key: "k", ca: "f" },
    ],
    ["x509 cert=mine", { X509_USER_CERT: "c", X509_USER_KEY: "k" }, { cert: "mine", key: "k" }],
  ])("reads %j with the environment %j", (text, environment, expected) => {
    expect(parseCredential(text, environment)).toEqual({ scheme: "x509", ...expected });
  });

  test("reads it from the same file again, as it is by then", () => {
    const directory = mkdtempSync(join(tmpdir(), "spoolwire-credential-"));
    try {
      const file = join(directory, "secret");
      writeFileSync(file, "plain name=app pass=old\n");
      const before = parseCredential(`file=${file}`);
      writeFileSync(file, "plain name=app pass=new\n");
      const warnings: string[] = [];
      const log = { warn: (text: string) => void warnings.push(text) };
      expect(renewed(before, log)).toEqual({ ...before, pass: "new" });
      const plain = parseCredential("plain name=app pass=old");
      expect(renewed(plain, log)).toBe(plain);
      expect(warnings).toEqual([]);
      writeFileSync(file, "none\n");
      expect(renewed(before, log)).toBe(before);
      rmSync(file);
      expect(renewed(before, log)).toBe(before);
      expect(warnings).toEqual([
        `Expected ${file} to hold a plain credential as before, got none; going on with the credential that was there at the start`,
        expect.stringMatching(/^ENOENT: .*; going on with the credential that was there at the start$/),
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test("reads it from a file, so that no secret is in the process list", () => {
    const directory = mkdtempSync(join(tmpdir(), "spoolwire-credential-"));
    try {
      const file = join(directory, "secret");
      writeFileSync(file, "plain name=app pass=s3cret\n");
      expect(parseCredential(`file=${file}`)).toEqual({
        scheme: "plain",
        name: "app",
        pass: "s3cret",
        file,
      });
      writeFileSync(file, `file=${file}\n`);
      expect(() => parseCredential(`file=${file}`)).toThrow(ConfigError);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test.each([
    ["", "Expected a credential as `none`, `plain name=N pass=P`, `x509 cert=F key=F ca=F` or `file=PATH`"],
    [
      "basic name=app pass=s3cret",
      "Expected a credential as `none`, `plain name=N pass=P`, `x509 cert=F key=F ca=F` or `file=PATH`",
    ],
    ["plain name=app", "Expected a plain credential to have name= and pass="],
    ["plain name=app pass=s3cret key=k", "Unknown key key in the plain credential"],
    ["x509", "Expected an x509 credential to have cert= or ca=, or X509_USER_CERT to be set"],
    ["x509 cert=c name=n", "Unknown key name in the x509 credential"],
    ["none pass=s3cret", "Unknown key pass in the none credential"],
  ])("refuses %j without showing a secret", (text, message) => {
    expect(() => parseCredential(text, {})).toThrow(new ConfigError(message));
  });

  test("a file that is not there is the file's own error", () => {
    expect(() => parseCredential("file=/nonexistent/secret")).toThrow(/ENOENT.*\/nonexistent\/secret/);
  });
});
