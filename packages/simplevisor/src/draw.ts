import { isThere, type ChildReport } from "./child.js";

/** A tree as it is drawn: a line each, with state, how long, restarts and pid. */
export function drawTree(root: ChildReport): string {
  return lines(root, "", "", "").join("");
}

function* below(children: readonly ChildReport[], indent: string): Iterable<string> {
  for (const [index, child] of children.entries()) {
    const isLast = index === children.length - 1;
    yield* lines(child, indent, isLast ? "└─ " : "├─ ", isLast ? "   " : "│  ");
  }
}

function lines(report: ChildReport, indent: string, branch: string, rest: string): string[] {
  const { name, phase, wanted, seconds, restarts, pid, failure, strategy, children = [] } = report;
  const notes = [
    strategy,
    `${phase} ${duration(seconds)}`,
    pid === undefined ? undefined : `pid ${pid}`,
    restarts > 0 ? `${restarts} ${restarts === 1 ? "restart" : "restarts"}` : undefined,
    wanted ? undefined : "not wanted",
    phase === "waiting" && failure !== undefined ? failure : undefined,
  ].filter((note) => note !== undefined);
  return [`${indent}${branch}${name}  ${notes.join(", ")}\n`, ...below(children, indent + rest)];
}

/** `5 s`, `3 min`, `2 h`, `4 d`: as exact as anybody reads it. */
function duration(seconds: number): string {
  for (const [size, unit] of [
    [86_400, "d"],
    [3600, "h"],
    [60, "min"],
  ] as const) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${Math.floor(seconds)} s`;
}

/** What `check` says: whether all below is as it is expected to be, a line each as the original has them. */
export function checkTree(
  report: ChildReport,
  indent = "",
): { readonly isOk: boolean; readonly text: string } {
  const below = (report.children ?? []).map((child) => checkTree(child, `${indent}  `));
  const isOk = report.kind === "service" ? isExpected(report) : below.every((child) => child.isOk);
  const how = report.kind === "service" ? `${howItIs(report, isOk)}, ` : "";
  const words = isOk ? `OK, ${how}as expected` : `WARNING, ${how}not expected`;
  return { isOk, text: `${indent}${report.name}: ${words}\n${below.map(({ text }) => text).join("")}` };
}

/** In the words of the original, where it has any. */
function howItIs({ phase }: ChildReport, isOk: boolean): string {
  if (phase === "stopped" || phase === "waiting") return "not running";
  return phase === "running" && !isOk ? "found running" : phase;
}

const isExpected = (report: ChildReport): boolean =>
  report.wanted ? isThere(report) : report.phase === "stopped" || report.phase === "finished";
