import type { Readable } from "node:stream";
import { ConfigError } from "@spoolwire/program";
import { readLines } from "./input.js";

/** The queue, which most commands have as their first operand, and what follows it. */
export function queueOperand(operands: readonly string[]): { path: string; rest: readonly string[] } {
  const [path, ...rest] = operands;
  if (path === undefined || path === "") throw new ConfigError("Expected the directory of a queue, got none");
  return { path, rest };
}

/** The queue, when nothing may follow it. */
export function onlyQueue(operands: readonly string[]): string {
  const { path, rest } = queueOperand(operands);
  if (rest.length > 0) throw new ConfigError(`Unexpected argument "${rest[0]}"`);
  return path;
}

/** The queues, one or more. */
export function queueOperands(operands: readonly string[]): readonly string[] {
  const { path, rest } = queueOperand(operands);
  return [path, ...rest.map((operand) => queueOperand([operand]).path)];
}

/** The names of elements; `-` stands for those on standard input, one a line. */
export async function* elementNames(operands: readonly string[], stdin: Readable): AsyncIterable<string> {
  if (operands.length === 0) throw new ConfigError("Expected the names of elements, or -, got none");
  for (const operand of operands) {
    if (operand !== "-") {
      yield operand;
      continue;
    }
    for await (const lines of readLines(stdin)) {
      for (const line of lines) {
        const name = line.toString().trim();
        if (name !== "") yield name;
      }
    }
  }
}
