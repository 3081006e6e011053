import { ConfigError } from "./errors.js";
import type { Lookup } from "./config-general.js";

/** A variable without a backslash before it, or text in single quotes, in which there are none. */
const pattern = /'[^']+'|(?<!\\)\$(?:\{([a-zA-Z0-9][\w\-.:+]*)\}|([a-zA-Z0-9][\w\-.:+]*))/g;

/**
 * Replace `$name` and `${name}` as Config::General does with InterPolateVars, StrictVars.
 * @throws ConfigError if there is no such variable
 */
export function perlVariables(text: string, lookup: Lookup): string {
  return text.replace(pattern, (all, braced?: string, plain?: string) => {
    const name = braced ?? plain;
    if (name === undefined) return all;
    const value = lookup(name);
    if (value === undefined) throw new ConfigError(`Unknown variable \${${name}}`);
    return value;
  });
}
