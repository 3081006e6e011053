// Certificates of the tests' own: an authority, a broker on this host, and an account.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { user } from "./broker.js";

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** Paths of PEM files. */
export interface Certificates {
  /** Who has signed the others. */
  readonly ca: string;
  /** An authority that has signed nothing. */
  readonly otherCa: string;
  /** For 127.0.0.1, and not for localhost. */
  readonly server: Pair;
  /** With the tests' account as its common name. */
  readonly client: Pair;
}

/** Make them in a directory. */
export function makeCertificates(directory: string): Certificates {
  const path = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const authority = (name: string) => {
    openssl(
      ...["req", "-x509", ...newKey, "-days", "2", "-subj", `/CN=${name}`],
      ...["-keyout", path(`${name}.key`), "-out", path(`${name}.pem`)],
    );
    return path(`${name}.pem`);
  };
  const signed = (name: string, subject: string, extensions: string): Pair => {
    const [cert, key] = [path(`${name}.pem`), path(`${name}.key`)];
    const request = ["-keyout", key, "-out", path(`${name}.csr`), "-subj", `/CN=${subject}`];
    openssl("req", ...newKey, ...request);
    writeFileSync(path(`${name}.ext`), extensions);
    const ca = ["-CA", path("ca.pem"), "-CAkey", path("ca.key"), "-CAcreateserial"];
    openssl(
      ...["x509", "-req", "-in", path(`${name}.csr`), ...ca, "-days", "2"],
      ...["-extfile", path(`${name}.ext`), "-out", cert],
    );
    return { cert, key };
  };
  const ca = authority("ca");
  return {
    ca,
    otherCa: authority("other"),
    server: signed("server", "broker", "subjectAltName=IP:127.0.0.1\n"),
    client: signed("client", user, "extendedKeyUsage=clientAuth\n"),
  };
}
