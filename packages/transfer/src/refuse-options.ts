import { ConfigError } from "@spoolwire/program";

/** Refuse options that have no meaning for a protocol. @throws ConfigError with all that are given */
export function refuseOptions(given: Readonly<Record<string, unknown>>, protocol: string): void {
  const options = Object.keys(given).filter((option) => given[option]);
  if (options.length === 0) return;
  throw new ConfigError(
    options.map((option) => ({ message: `--${option} does not go with ${protocol}`, option })),
  );
}
