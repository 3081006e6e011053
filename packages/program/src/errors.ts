/** A bad option, argument or configuration. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code = "CONFIG_BAD_OPTION";
}

/** What a PidFileError is about. A promise: codes do not change. */
export type PidFileErrorCode = "PIDFILE_RUNNING" | "PIDFILE_TAKEN" | "PIDFILE_BAD_CONTENT";

/** A pid file that is somebody else's, or no pid file at all. */
export class PidFileError extends Error {
  override readonly name = "PidFileError";
  readonly code: PidFileErrorCode;

  constructor(code: PidFileErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
