/** Where something stands in a file. */
export interface Position {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
}

/** One thing that is wrong, in words that show no secret. */
export interface Problem {
  readonly message: string;
  /** Where it stands, if that is a file. */
  readonly at?: Position;
  /** The option that it is about, if it was found when its place was no longer known. */
  readonly option?: string;
}

/** One line for a problem, as compilers have it: `FILE:LINE: MESSAGE`. */
export function describeProblem({ message, at }: Problem): string {
  return at ? `${at.file}:${at.line}: ${message}` : message;
}

/** Bad options, arguments or configuration: all that is wrong at once, a line each in the message. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: "CONFIG_BAD_OPTION" | "CONFIG_BAD_FILE";
  readonly problems: readonly Problem[];

  /** @param options code: CONFIG_BAD_FILE if a file cannot be read as what it should be */
  constructor(
    problems: string | readonly Problem[],
    options: ErrorOptions & { readonly code?: ConfigError["code"] } = {},
  ) {
    const list = typeof problems === "string" ? [{ message: problems }] : problems;
    super(list.map(describeProblem).join("\n"), options);
    this.problems = list;
    this.code = options.code ?? "CONFIG_BAD_OPTION";
  }
}

/**
 * Run something whose problems are about an option.
 * @throws ConfigError with problems that name the option
 */
export function about<Result>(option: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(
      error.problems.map((problem) => ({ option, ...problem })),
      { cause: error, code: error.code },
    );
  }
}

/**
 * Run several checks, each to its end. Returns what they return.
 * @throws ConfigError with all that is wrong; at once what else a check throws
 */
export function checkAll<Results extends unknown[]>(
  ...checks: { [Index in keyof Results]: () => Results[Index] }
): Results {
  const problems: Problem[] = [];
  const results = checks.map((check) => {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
      return undefined;
    }
  });
  if (problems.length > 0) throw new ConfigError(problems);
  return results as Results;
}

/** Run something with an open file, whose failures do not say by themselves which one it is. */
export function withPath<Result>(path: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    const { message } = error as NodeJS.ErrnoException;
    throw Object.assign(error as NodeJS.ErrnoException, { path, message: `${message} '${path}'` });
  }
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
