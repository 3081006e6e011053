import { ConfigError } from "@spoolwire/program";

/** Refuse options that have no meaning for a protocol. @throws ConfigError naming the first that is given */
export function refuseOptions(given: Readonly<Record<string, unknown>>, protocol: string): void {
  for (const [option, isGiven] of Object.entries(given)) {
    if (isGiven) throw new ConfigError([{ message: `--${option} does not go with ${protocol}`, option }]);
  }
}
