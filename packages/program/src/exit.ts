/** Exit statuses of all programs, as in sysexits. A promise, as the error codes are. */
export const ExitStatus = Object.freeze({
  /** Done. */
  ok: 0,
  /** There was nothing to do it on (an empty queue). */
  nothing: 1,
  /** An option or argument is wrong. */
  usage: 64,
  /** A message or a file is not what it should be. */
  dataError: 65,
  /** A file or directory is not there. */
  noInput: 66,
  /** A broker cannot be reached, or went away. */
  unavailable: 69,
  /** A fault of ours. */
  software: 70,
  /** The disk fails, is full, or is read-only. */
  ioError: 74,
  /** Not finished, worth another try. */
  temporary: 75,
  /** The other side broke or refuses the protocol. */
  protocol: 76,
  /** Not allowed: by the file system or by the broker. */
  noPermission: 77,
  /** The reader of standard output went away; as a shell reports SIGPIPE. */
  brokenPipe: 141,
});

const byCode: readonly (readonly [RegExp, number])[] = [
  [/^CONFIG_/, ExitStatus.usage],
  [/^(MESSAGE|DIRQ)_/, ExitStatus.dataError],
  [/^(ENOENT|ENOTDIR|EISDIR)$/, ExitStatus.noInput],
  [
    /^(BROKER_CONNECT|BROKER_CLOSED|BROKER_TIMEOUT|BROKER_BUSY|EADDRINUSE|EADDRNOTAVAIL)$/,
    ExitStatus.unavailable,
  ],
  [/^(ENOSPC|EDQUOT|EFBIG|EIO|EROFS|EMFILE|ENFILE|EXDEV|EEXIST|ELOOP|EPIPE)$/, ExitStatus.ioError],
  [/^PIDFILE_BAD_CONTENT$/, ExitStatus.dataError],
  [/^(TRANSFER_PENDING|PIDFILE_RUNNING|PIDFILE_TAKEN)$/, ExitStatus.temporary],
  [/^(BROKER_PROTOCOL|BROKER_REJECTED)$/, ExitStatus.protocol],
  [/^(EACCES|EPERM|BROKER_AUTH)$/, ExitStatus.noPermission],
];

/** The exit status for an error, by its code. */
export function exitStatusOf(error: unknown): number {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code !== "string") return ExitStatus.software;
  return byCode.find(([pattern]) => pattern.test(code))?.[1] ?? ExitStatus.software;
}
