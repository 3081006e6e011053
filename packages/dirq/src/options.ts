import { inspect } from "node:util";
import type { PurgeOptions } from "./queue.js";

/**
 * What an element survives once `add` has returned. `none`: the death of every process, as in the sister
 * implementations; a power cut may leave empty files, or nothing. `file`: a power cut leaves it whole, or
 * not there. `full`: a power cut leaves it there, and whole.
 */
export const durabilities = ["none", "file", "full"] as const;
export type Durability = (typeof durabilities)[number];

/** How to open a queue. The fields that are not given have the values of `defaults`. */
export interface QueueOptions {
  /** The directory of the queue. All of it is on one file system. */
  readonly path: string;
  /** Make the directory (and those above it) if it is not there (default true). */
  readonly create?: boolean;
  /** What an element that was added survives (default "none"): see `Durability`. */
  readonly durability?: Durability;
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

export const defaults = Object.freeze({
  create: true,
  durability: "none",
  granularity: 60,
  maxlock: 600,
  maxtemp: 300,
});

const most: Record<string, number> = { granularity: 0xffffffff, rndhex: 15, umask: 0o777 };

/**
 * Check options before they are used; unknown names are refused.
 * @throws TypeError, RangeError naming the option, what was expected and what came
 */
export function checkOptions<Options extends QueueOptions>(options: Options): Options {
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    switch (name) {
      case "path":
        break;
      case "create":
        if (typeof value !== "boolean" && value !== undefined) {
          throw new TypeError(refusal(name, "true or false", value));
        }
        break;
      case "durability":
        if (!durabilities.includes(value as Durability) && value !== undefined) {
          throw new TypeError(refusal(name, `one of ${durabilities.join(", ")}`, value));
        }
        break;
      case "granularity":
      case "maxlock":
      case "maxtemp":
      case "rndhex":
      case "umask":
        checkNumber(name, value);
        break;
      default:
        throw new TypeError(
          `Unknown queue option \`${name}\`, expected one of path, create, durability, granularity, maxlock, maxtemp, rndhex, umask`,
        );
    }
  }
  const path: unknown = options.path;
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError(refusal("path", "the path of a directory", path));
  }
  return options;
}

/**
 * Check the options of a purge: a limit that is none would make every lock a stale one.
 * @throws TypeError, RangeError naming the option, what was expected and what came
 */
export function checkPurgeOptions(options: PurgeOptions): PurgeOptions {
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (name === "maxtemp" || name === "maxlock") checkNumber(name, value);
    else if (name !== "signal") {
      throw new TypeError(`Unknown purge option \`${name}\`, expected one of maxtemp, maxlock, signal`);
    }
  }
  return options;
}

function checkNumber(name: string, value: unknown): void {
  if (value === undefined) return;
  const max = most[name];
  const what = max === undefined ? "an integer >= 0" : `an integer from 0 to ${max}`;
  if (typeof value !== "number") throw new TypeError(refusal(name, what, value));
  if (!Number.isSafeInteger(value) || value < 0 || value > (max ?? value)) {
    throw new RangeError(refusal(name, what, value));
  }
}

const refusal = (name: string, expected: string, value: unknown) =>
  `Expected \`${name}\` to be ${expected}, got ${inspect(value)} (${typeof value})`;
