import { inspect } from "node:util";

/** What can be wrong with a queue, apart from a plain file failure. A promise: codes do not change. */
export type DirqErrorCode =
  /** The element is not (or no longer) locked. */
  | "DIRQ_NOT_LOCKED"
  /** Not the name of an element. */
  | "DIRQ_BAD_NAME"
  /** Something that no element can be: a symbolic link, a directory, a foreign file, one larger than the memory. */
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

/** Whether this is an error with one of these codes, of ours or of the system. */
export const hasCode = (error: unknown, ...codes: string[]): error is Error & { code: string } =>
  error instanceof Error && "code" in error && codes.includes(error.code as string);

/** The words for an option or a value that is none. */
export const refusal = (name: string, expected: string, value: unknown) =>
  `Expected \`${name}\` to be ${expected}, got ${inspect(value)} (${typeof value})`;

export function notLocked(file: string): DirqError {
  return new DirqError("DIRQ_NOT_LOCKED", `Expected ${file} to be locked`);
}

export function notRegular(path: string): DirqError {
  return new DirqError("DIRQ_BAD_DATA", `Expected ${path} to be a regular file`);
}

export function notDirectory(path: string): DirqError {
  return new DirqError("DIRQ_BAD_DATA", `Expected ${path} to be a directory, and not a link to one`);
}

/** An operation gives up after so many lost races, which no honest rival can cause. */
export const MOST_RACES = 1000;

export function tooManyRaces(directory: string): DirqError {
  return new DirqError(
    "DIRQ_BAD_DATA",
    `Cannot add to ${directory}: ${MOST_RACES} names in a row were taken`,
  );
}
