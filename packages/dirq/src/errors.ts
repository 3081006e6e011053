/** What can be wrong with a queue, apart from a plain file failure. A promise: codes do not change. */
export type DirqErrorCode =
  /** The element is not (or no longer) locked. */
  | "DIRQ_NOT_LOCKED"
  /** Not the name of an element. */
  | "DIRQ_BAD_NAME"
  /** Something that no element can be: a symbolic link, a directory, a foreign file. */
  | "DIRQ_BAD_DATA";

/** Misuse of a queue, or disk content that no queue has written. File failures stay Node's own errors. */
export class DirqError extends Error {
  override readonly name = "DirqError";
  readonly code: DirqErrorCode;
  constructor(code: DirqErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
