import { constants } from "node:buffer";
import { show } from "./errors.js";

/**
 * What a message from anywhere may cost. All else is bounded by its own length: it is never nested, and
 * nothing but compression makes it longer. Writing knows no limits.
 */
export interface MessageLimits {
  /** Most bytes that a compressed body may become (default 128 MiB). */
  readonly maxDecompressed?: number;
  /** Most header fields (default 10,000). */
  readonly maxHeaderCount?: number;
}

export const defaultLimits: Required<MessageLimits> = Object.freeze({
  maxDecompressed: 128 * 1024 * 1024,
  maxHeaderCount: 10_000,
});

/** What `checkLimits` has answered: a queue checks its limits once, and reads many messages. */
const checked = new WeakSet<MessageLimits>([defaultLimits]);

/**
 * Check limits and fill them up with the defaults.
 * @throws TypeError, RangeError naming the limit, what was expected and what came
 */
export function checkLimits(limits: MessageLimits): Required<MessageLimits> {
  if (checked.has(limits)) return limits as Required<MessageLimits>;
  const most: Record<string, number> = {
    maxDecompressed: constants.MAX_LENGTH,
    maxHeaderCount: Number.MAX_SAFE_INTEGER,
  };
  const full = { ...defaultLimits } as Record<string, number>;
  for (const [name, value] of Object.entries(limits) as [string, unknown][]) {
    const max = most[name];
    if (max === undefined) {
      throw new TypeError(`Unknown limit \`${name}\`, expected one of ${Object.keys(most).join(", ")}`);
    }
    if (value === undefined) continue;
    const refusal = `Expected \`${name}\` to be an integer from 1 to ${max}, got ${show(value)} (${typeof value})`;
    if (typeof value !== "number") throw new TypeError(refusal);
    if (!Number.isInteger(value) || value < 1 || value > max) throw new RangeError(refusal);
    full[name] = value;
  }
  checked.add(full);
  return Object.freeze(full) as unknown as Required<MessageLimits>;
}
