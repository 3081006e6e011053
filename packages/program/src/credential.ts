import { readFileSync } from "node:fs";
import { ConfigError } from "./errors.js";
import type { Logger } from "./log.js";
import { parseProperties, type Properties } from "./properties.js";

/** How to log in. */
export type Credential = None | Plain | X509;

/** The file that a credential was read from, if it was. */
interface Origin {
  readonly file?: string;
}

export interface None extends Origin {
  readonly scheme: "none";
}

export interface Plain extends Origin {
  readonly scheme: "plain";
  readonly name: string;
  readonly pass: string;
}

/** A certificate of one's own, or whom to trust, or both; all of them paths of PEM files. */
export interface X509 extends Origin {
  readonly scheme: "x509";
  readonly cert?: string;
  /** May be in the same file as the certificate. */
  readonly key?: string;
  /** A file, or a directory of files. */
  readonly ca?: string;
  /** Of the key. */
  readonly pass?: string;
}

const keys = { none: [], plain: ["name", "pass"], x509: ["cert", "key", "ca", "pass"] } as const;

/**
 * Read a credential string: `none`, `plain name=N pass=P`, `x509 cert=F key=F ca=F pass=P`, or `file=PATH` for
 * a file that holds one of these, so that no secret shows in the process list. Values may be %XX-encoded. What
 * x509 is not given comes from X509_USER_CERT, X509_USER_KEY, X509_CERT_FILE or X509_CERT_DIR.
 * Counterpart: Authen::Credential->parse().
 * @throws ConfigError, which never shows a secret; the file's own error if it cannot be read
 */
export function parseCredential(
  text: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Credential {
  if (text.startsWith("file=")) {
    const file = text.slice("file=".length);
    const inFile = readFileSync(file, "utf8").trim();
    if (inFile.startsWith("file="))
      throw new ConfigError("Expected a credential in the file, got another file=");
    return { ...parseCredential(inFile, environment), file };
  }
  const [, scheme, rest = ""] = /^([^\s,]*)[\s,]*(.*)$/s.exec(text.trim()) ?? [];
  if (scheme !== "none" && scheme !== "plain" && scheme !== "x509") {
    throw new ConfigError(
      "Expected a credential as `none`, `plain name=N pass=P`, `x509 cert=F key=F ca=F` or `file=PATH`",
    );
  }
  const properties = parseProperties(rest, `the ${scheme} credential`);
  const known: readonly string[] = keys[scheme];
  const unknown = Object.keys(properties).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new ConfigError(`Unknown key ${unknown} in the ${scheme} credential`);
  if (scheme === "none") return { scheme };
  if (scheme === "x509") return x509(properties, environment);
  const { name, pass } = properties;
  if (name === undefined || pass === undefined) {
    throw new ConfigError("Expected a plain credential to have name= and pass=");
  }
  return { scheme, name, pass };
}

/**
 * A credential as its file has it now: passwords are changed while programs run. What is not right there, or just
 * being replaced, is told of, and the one that was there at the start is it.
 */
export function renewed<Known extends Credential>(credential: Known, log: Pick<Logger, "warn">): Known {
  const { file, scheme } = credential;
  if (file === undefined) return credential;
  try {
    const now = parseCredential(`file=${file}`);
    if (now.scheme === scheme) return now as Known;
    throw new ConfigError(`Expected ${file} to hold a ${scheme} credential as before, got ${now.scheme}`);
  } catch (error) {
    log.warn(`${(error as Error).message}; going on with the credential that was there at the start`);
    return credential;
  }
}

function x509(properties: Properties, environment: Readonly<Record<string, string | undefined>>): X509 {
  const cert = properties.cert ?? environment.X509_USER_CERT;
  const key = properties.key ?? environment.X509_USER_KEY ?? cert;
  const ca = properties.ca ?? environment.X509_CERT_FILE ?? environment.X509_CERT_DIR;
  if (cert === undefined && ca === undefined) {
    throw new ConfigError("Expected an x509 credential to have cert= or ca=, or X509_USER_CERT to be set");
  }
  return {
    scheme: "x509",
    ...(cert !== undefined && { cert, key: key ?? cert }),
    ...(ca !== undefined && { ca }),
    ...(properties.pass !== undefined && { pass: properties.pass }),
  };
}
