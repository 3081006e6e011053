// How results are shown.
import { cpus } from "node:os";
import type { Place, Row } from "./bench.js";

/** What the figures depend on, on one line. */
export function describeMachine(places: readonly Place[]): string {
  const processors = cpus();
  const model = processors[0]?.model.trim().replace(/\s+/g, " ") ?? "unknown processor";
  const where = places.map(({ fileSystem, path }) => `${fileSystem} at ${path}`);
  return [model, `${processors.length} cores`, `Node ${process.version}`, ...where].join(", ");
}

const head = ["case", "ours", "baseline", "against", "ratio", "unit"];
const numbers = ["ours", "baseline", "ratio"];

/** Columns that stand under each other, numbers to the right. */
export function formatTable(rows: readonly Row[]): string {
  const lines = [head, ...rows.map(formatRow)];
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const pad = (cell: string, column: number) =>
    numbers.includes(head[column] ?? "")
      ? cell.padStart(widths[column] ?? 0)
      : cell.padEnd(widths[column] ?? 0);
  return lines.map((line) => `${line.map(pad).join("  ").trimEnd()}\n`).join("");
}

const formatRow = (row: Row): string[] => [
  row.case,
  formatNumber(row.ours),
  formatNumber(row.baseline),
  row.against,
  row.ratio.toFixed(2),
  row.unit,
];

const formatNumber = (number: number): string =>
  number.toLocaleString(
    "en-US",
    number < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 },
  );

/** A line on a terminal's stderr that is written over, and taken away by an empty text. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
