/** Rows in columns of equal width, a heading above them; what looks like a number is set to the right. */
export function renderTable(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const isRight = heading.map((_, column) => rows.every((row) => /^[\d.,-]/.test(row[column] ?? "-")));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        isRight[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join("  ")
      .trimEnd();
  return [line(heading), ...rows.map(line)];
}

/** A duration in the two units that say most: 7s, 3m20s, 2h05m, 4d06h; `-`: there is none. */
export function showSeconds(seconds: number | undefined): string {
  if (seconds === undefined) return "-";
  const whole = Math.max(0, Math.round(seconds));
  const two = (number: number) => String(Math.floor(number)).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)}h${two((whole % 3600) / 60)}m`;
  return `${Math.floor(whole / 86_400)}d${two((whole % 86_400) / 3600)}h`;
}

/** Bytes with a unit, as in 1.5M: of 1024, as in ls -h. */
export function showBytes(bytes: number | undefined): string {
  if (bytes === undefined) return "-";
  let value = bytes;
  for (const unit of ["", "K", "M", "G", "T"]) {
    if (value < 1024)
      return unit === "" || value >= 10 ? `${Math.round(value)}${unit}` : `${value.toFixed(1)}${unit}`;
    value /= 1024;
  }
  return `${Math.round(value)}P`;
}
