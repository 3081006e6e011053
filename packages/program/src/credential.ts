import { readFileSync } from "node:fs";
import { ConfigError } from "./errors.js";
import { parseProperties } from "./properties.js";

/** How to log in. */
export type Credential =
  { readonly scheme: "none" } | { readonly scheme: "plain"; readonly name: string; readonly pass: string };

/**
 * Read a credential string: `none`, `plain name=N pass=P`, or `file=PATH` for a file that holds one of
 * these, so that no secret shows in the process list. Values may be %XX-encoded.
 * Counterpart: Authen::Credential->parse().
 * @throws ConfigError, which never shows a secret; the file's own error if it cannot be read
 */
export function parseCredential(text: string): Credential {
  if (text.startsWith("file=")) {
    const inFile = readFileSync(text.slice("file=".length), "utf8").trim();
    if (inFile.startsWith("file="))
      throw new ConfigError("Expected a credential in the file, got another file=");
    return parseCredential(inFile);
  }
  const [scheme = "", ...rest] = text.trim().split(/[\s,]+/);
  if (scheme !== "none" && scheme !== "plain") {
    throw new ConfigError("Expected a credential as `none`, `plain name=N pass=P` or `file=PATH`");
  }
  const properties = parseProperties(rest.join(" "), `the ${scheme} credential`);
  const known = scheme === "plain" ? ["name", "pass"] : [];
  const unknown = Object.keys(properties).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new ConfigError(`Unknown key ${unknown} in the ${scheme} credential`);
  if (scheme === "none") return { scheme };
  const { name, pass } = properties;
  if (name === undefined || pass === undefined) {
    throw new ConfigError("Expected a plain credential to have name= and pass=");
  }
  return { scheme, name, pass };
}
