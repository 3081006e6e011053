/** A bad option, argument or configuration. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "CONFIG_BAD_OPTION";
}
