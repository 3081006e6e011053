import { ConfigError } from "@spoolwire/program";

/** The queue, which every command has as its first operand, and what follows it. */
export function queueOperand(operands: readonly string[]): { path: string; rest: readonly string[] } {
  const [path, ...rest] = operands;
  if (path === undefined || path === "") throw new ConfigError("Expected the directory of a queue, got none");
  return { path, rest };
}
