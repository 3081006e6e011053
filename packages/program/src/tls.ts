import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { X509 } from "./credential.js";

/** What `node:tls` wants, as PEM text. */
export interface TlsFiles {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string[];
  readonly passphrase?: string;
}

/** Read the files that a credential names. @throws the file's own error */
export function readTls({ cert, key, ca, pass }: X509): TlsFiles {
  return {
    ...(cert !== undefined && { cert: readFileSync(cert, "utf8") }),
    ...(key !== undefined && { key: readFileSync(key, "utf8") }),
    ...(ca !== undefined && { ca: readAuthorities(ca) }),
    ...(pass !== undefined && { passphrase: pass }),
  };
}

/** A file, or all files of a directory as OpenSSL has them. */
function readAuthorities(path: string): string[] {
  const files = statSync(path).isDirectory()
    ? readdirSync(path)
        .filter((name) => /\.(pem|crt|\d)$/.test(name))
        .map((name) => join(path, name))
    : [path];
  return files.map((file) => readFileSync(file, "utf8"));
}
