import { refusal } from "./errors.js";
import type { PurgeOptions } from "./queue.js";
import { parseSchema } from "./schema.js";

/**
 * What an element survives once `add` has returned. `none`: the death of every process, as in the sister
 * implementations; a power cut may leave empty files, or nothing. `file`: a power cut leaves it whole, or
 * not there. `full`: a power cut leaves it there, and whole.
 */
export const durabilities = ["none", "file", "full"] as const;
export type Durability = (typeof durabilities)[number];

/** How to open any queue on disk. The fields that are not given have the values of `defaults`. */
export interface DiskQueueOptions {
  /** The directory of the queue. All of it is on one file system. */
  readonly path: string;
  /** Make the directory (and those above it) if it is not there (default true). */
  readonly create?: boolean;
  /** What an element that was added survives (default "none"): see `Durability`. */
  readonly durability?: Durability;
  /** Seconds before a purge counts a lock as stale (default 600; 0: never). */
  readonly maxlock?: number;
  /** Seconds before a purge counts a temporary file as left behind (default 300; 0: never). */
  readonly maxtemp?: number;
  /** The last digit of all names, 0 to 15 (default: drawn for each queue object). */
  readonly rndhex?: number;
  /** File mode mask around each call that makes something, 0 to 0o777 (default: the process's). */
  readonly umask?: number;
}

/** How to open a simple queue. */
export interface QueueOptions extends DiskQueueOptions {
  /** Seconds that one intermediate directory collects elements for (default 60; 0: not rounded). */
  readonly granularity?: number;
}

/** How to open a normal queue. */
export interface NormalQueueOptions extends DiskQueueOptions {
  /** An intermediate directory with so many elements is full (default 16000). */
  readonly maxelts?: number;
  /** Count elements by the links of their directory, where the file system has them (default false). */
  readonly nlink?: boolean;
  /**
   * The fields of an element and their types: `binary`, `string` or `table`, with a `?` if the field may be
   * missing; without a schema there is no `add` and no `get`.
   */
  readonly schema?: Readonly<Record<string, string>>;
}

/** How to open a null queue. */
export interface NullQueueOptions {
  /** What the queue calls itself; nothing is there (default: nothing). */
  readonly path?: string;
}

export const defaults = Object.freeze({
  ...{
    create: true,
    durability: "none",
    granularity: 60,
    maxelts: 16_000,
    maxlock: 600,
    maxtemp: 300,
    nlink: false,
  },
});

const most: Record<string, number> = { granularity: 0xffffffff, rndhex: 15, umask: 0o777 };
const least: Record<string, number> = { maxelts: 1 };

const onDisk = ["path", "create", "durability", "maxlock", "maxtemp", "rndhex", "umask"];

const known = {
  simple: [...onDisk, "granularity"],
  normal: [...onDisk, "maxelts", "nlink", "schema"],
  null: ["path"],
};

/** The types of queues. */
export type QueueType = keyof typeof known;
export const queueTypes = Object.keys(known) as QueueType[];

/**
 * Check options before they are used; those that this type of queue does not have are refused.
 * @throws TypeError, RangeError naming the option, what was expected and what came
 */
export function checkOptions<Options extends object>(options: Options, type: QueueType): Options {
  if (type !== "null") checkPath((options as DiskQueueOptions).path);
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (!known[type].includes(name)) {
      throw new TypeError(
        `Unknown option \`${name}\` of a ${type} queue, expected one of ${known[type].join(", ")}`,
      );
    }
    switch (name) {
      case "path":
        if (value !== undefined) checkPath(value);
        break;
      case "create":
      case "nlink":
        if (typeof value !== "boolean" && value !== undefined) {
          throw new TypeError(refusal(name, "true or false", value));
        }
        break;
      case "durability":
        if (!durabilities.includes(value as Durability) && value !== undefined) {
          throw new TypeError(refusal(name, `one of ${durabilities.join(", ")}`, value));
        }
        break;
      case "schema":
        if (value !== undefined) parseSchema(value);
        break;
      default:
        checkNumber(name, value);
    }
  }
  return options;
}

function checkPath(path: unknown): void {
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError(refusal("path", "the path of a directory", path));
  }
}

/**
 * Check the options of a purge: a limit that is none would make every lock a stale one.
 * @throws TypeError, RangeError naming the option, what was expected and what came
 */
export function checkPurgeOptions(options: PurgeOptions): PurgeOptions {
  for (const [name, value] of Object.entries(options) as [string, unknown][]) {
    if (name === "maxtemp" || name === "maxlock") checkNumber(name, value);
    else if (name !== "signal" && name !== "progress") {
      throw new TypeError(
        `Unknown purge option \`${name}\`, expected one of maxtemp, maxlock, progress, signal`,
      );
    }
  }
  return options;
}

function checkNumber(name: string, value: unknown): void {
  if (value === undefined) return;
  const [min, max] = [least[name] ?? 0, most[name]];
  const what = max === undefined ? `an integer >= ${min}` : `an integer from ${min} to ${max}`;
  if (typeof value !== "number") throw new TypeError(refusal(name, what, value));
  if (!Number.isSafeInteger(value) || value < min || value > (max ?? value)) {
    throw new RangeError(refusal(name, what, value));
  }
}
