/** One hop of the flow: a program that moved messages from the box before it to the box after it. */
export interface Hop {
  readonly program: string;
  readonly count: number;
  readonly seconds: number;
}

const number = (value: number) => value.toLocaleString("en-US", { maximumFractionDigits: 0 });

/** How fast a hop was, from its own statistics. */
function rate({ count, seconds }: Hop): string {
  return count === 0 ? "-" : `${number(count / Math.max(seconds, 0.001))}/s`;
}

/** Draw boxes from top to bottom, with the hops between them. */
export function drawFlow(boxes: readonly string[], hops: readonly Hop[]): string {
  const width = Math.max(...boxes.map((box) => box.length)) + 2;
  const middle = " ".repeat(Math.floor(width / 2) + 1);
  const counts = hops.map(({ count }) => `${number(count)} message${count === 1 ? "" : "s"}`);
  const programWidth = Math.max(...hops.map((hop) => hop.program.length));
  const countWidth = Math.max(...counts.map((count) => count.length));
  const lines: string[] = [];
  for (const [index, box] of boxes.entries()) {
    const hop = hops[index - 1];
    if (hop) {
      const count = (counts[index - 1] ?? "").padStart(countWidth);
      lines.push(
        `${middle}│  ${hop.program.padEnd(programWidth)}  ${count}  ${rate(hop).padStart(9)}`,
        `${middle}▼`,
      );
    }
    lines.push(`┌${"─".repeat(width)}┐`, `│ ${box.padEnd(width - 1)}│`, `└${"─".repeat(width)}┘`);
  }
  return lines.join("\n");
}
