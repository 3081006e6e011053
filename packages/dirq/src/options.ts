/** How to open a queue. The fields that are not given have the values of `defaults`. */
export interface QueueOptions {
  /** The directory of the queue. All of it is on one file system. */
  readonly path: string;
  /** Make the directory (and those above it) if it is not there (default true). */
  readonly create?: boolean;
  /** Seconds that one intermediate directory collects elements for (default 60; 0: not rounded). */
  readonly granularity?: number;
  /** Seconds before a purge counts a lock as stale (default 600; 0: never). */
  readonly maxlock?: number;
  /** Seconds before a purge counts a temporary file as left behind (default 300; 0: never). */
  readonly maxtemp?: number;
  /** The last digit of all names, 0 to 15 (default: drawn for each queue object). */
  readonly rndhex?: number;
  /** File mode mask around each call that makes something, 0 to 0o777 (default: the process's). */
  readonly umask?: number;
}

export const defaults = Object.freeze({ create: true, granularity: 60, maxlock: 600, maxtemp: 300 });

const most: Record<string, number> = { granularity: 0xffffffff, rndhex: 15, umask: 0o777 };

/**
 * Check options before they are used; unknown names are refused.
 * @throws TypeError, RangeError naming the option, what was expected and what came
 */
export function checkOptions<Options extends QueueOptions>(options: Options): Options {
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    const expected = (what: string) =>
      `Expected \`${name}\` to be ${what}, got ${JSON.stringify(value)} (${typeof value})`;
    switch (name) {
      case "path":
        break;
      case "create":
        if (typeof value !== "boolean" && value !== undefined) throw new TypeError(expected("true or false"));
        break;
      case "granularity":
      case "maxlock":
      case "maxtemp":
      case "rndhex":
      case "umask": {
        if (value === undefined) break;
        const max = most[name] ?? Number.MAX_SAFE_INTEGER;
        const what = max === Number.MAX_SAFE_INTEGER ? "an integer >= 0" : `an integer from 0 to ${max}`;
        if (typeof value !== "number") throw new TypeError(expected(what));
        if (!Number.isInteger(value) || value < 0 || value > max) throw new RangeError(expected(what));
        break;
      }
      default:
        throw new TypeError(
          `Unknown queue option \`${name}\`, expected one of path, create, granularity, maxlock, maxtemp, rndhex, umask`,
        );
    }
  }
  const path: unknown = options.path;
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError(`Expected \`path\` to be the path of a directory, got ${JSON.stringify(path)}`);
  }
  return options;
}
