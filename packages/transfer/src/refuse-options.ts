import { ConfigError } from "@spoolwire/program";

/**
 * Refuse two subscriptions of one id: a broker would take the second for the first.
 * @param ids undefined: one that nobody else has
 * @throws ConfigError
 */
export function refuseTwice(ids: readonly (string | undefined)[]): void {
  const twice = ids.find((id, index) => id !== undefined && ids.indexOf(id) < index);
  if (twice === undefined) return;
  const message = `Expected each --subscribe to have an id of its own, got ${JSON.stringify(twice)} twice`;
  throw new ConfigError([{ message, option: "subscribe" }]);
}

/** Refuse options that have no meaning for a protocol. @throws ConfigError with all that are given */
export function refuseOptions(given: Readonly<Record<string, unknown>>, protocol: string): void {
  const options = Object.keys(given).filter((option) => given[option]);
  if (options.length === 0) return;
  throw new ConfigError(
    options.map((option) => ({ message: `--${option} does not go with ${protocol}`, option })),
  );
}
