import { setTimeout as sleep } from "node:timers/promises";
import { command } from "./command.js";
import { Gauge, sparkline, type Reading } from "./gauge.js";
import { queueOperands } from "./operands.js";
import { jsonOption } from "./options.js";
import { Output } from "./output.js";
import { Screen } from "./screen.js";
import { renderTable, showSeconds } from "./table.js";

/** Looking takes at most so much of the time, however large the queues are. */
const SHARE = 0.25;

export const top = command(
  {
    name: "top",
    summary:
      "Show how queues stand, again and again: on a terminal as a live view (q leaves), else frame by frame.",
    operands: "QUEUE…",
    options: [
      {
        name: "interval",
        type: "number",
        short: "i",
        value: "SECONDS",
        default: 1,
        min: 0.1,
        help: "between two frames",
      },
      { name: "once", type: "boolean", help: "one frame, with the rates of one interval" },
      jsonOption,
    ],
  },
  async ({ options, operands, signal, streams }) => {
    const { stdout } = streams;
    const quit = new AbortController();
    const stop = AbortSignal.any([signal, quit.signal]);
    const gauges = queueOperands(operands).map((path) => new Gauge(path, stop));
    const isLive = stdout.isTTY === true && !options.once && !options.json;
    const paint = painter(isLive && !process.env.NO_COLOR);
    const output = new Output(stdout);
    const screen = isLive ? new Screen(streams, () => quit.abort()) : undefined;
    let took = 0;
    try {
      let readings = await readAll(gauges);
      // One that is not there yet may come; none of one look could be read: that is a mistake.
      if (options.once) throwFirst(readings);
      for (;;) {
        screen?.draw(frame(gauges, readings, paint));
        const pause = Math.max(options.interval * 1000, took / SHARE);
        await sleep(pause, undefined, { signal: stop }).catch(() => undefined);
        if (stop.aborted) break;
        const started = performance.now();
        readings = await readAll(gauges);
        took = performance.now() - started;
        if (options.json) await output.write(asJson(gauges, readings));
        else if (!isLive) await output.write(`${frame(gauges, readings, paint).join("\n")}\n`);
        if (options.once) break;
        if (!isLive && !options.json) await output.write("\n");
      }
    } catch (error) {
      if (!stop.aborted) throw error;
    } finally {
      quit.abort();
      screen?.close();
    }
    return undefined;
  },
);

type Result = Reading | Error;

/** A queue that cannot be read is an error in its place: the others go on. */
const readAll = (gauges: readonly Gauge[]): Promise<Result[]> =>
  Promise.all(gauges.map((gauge) => gauge.read().catch((error: Error) => error)));

function throwFirst(results: readonly Result[]): void {
  const error = results.find((result) => result instanceof Error);
  if (error) throw error;
}

function asJson(gauges: readonly Gauge[], results: readonly Result[]): string {
  const time = new Date().toISOString();
  const objects = results.map((result, index) =>
    result instanceof Error
      ? { time, queue: gauges[index]?.path, error: result.message }
      : { time, ...result },
  );
  return objects.map((object) => `${JSON.stringify(object)}\n`).join("");
}

/** The queue last: however long its path is, the numbers are seen. */
const HEADING = ["elements", "locked", "quarantined", "oldest", "in/s", "out/s", "", "queue"];

/** How many numbers of elements the line of bars shows. */
const BARS = 20;

type Paint = (text: string, style: "bold" | "red") => string;

function painter(hasColor: boolean): Paint {
  const codes = { bold: "\x1b[1m", red: "\x1b[31m" };
  return (text, style) => (hasColor ? `${codes[style]}${text}\x1b[0m` : text);
}

/** The lines of a frame, one a queue; red where somebody should look. */
function frame(gauges: readonly Gauge[], results: readonly Result[], paint: Paint): string[] {
  const rows = results.map((result, index) => asRow(gauges[index]!, result));
  const [heading = "", ...lines] = renderTable(HEADING, rows);
  const isBad = (result: Result | undefined) => result instanceof Error || (result?.quarantined ?? 0) > 0;
  return [
    paint(heading, "bold"),
    ...lines.map((line, index) => (isBad(results[index]) ? paint(line, "red") : line)),
  ];
}

function asRow({ path, history }: Gauge, result: Result): string[] {
  const bars = sparkline(history.slice(-BARS)).padEnd(BARS);
  if (result instanceof Error) return ["-", "-", "-", "-", "-", "-", bars, `${path}: ${result.message}`];
  const { elements, locked, quarantined, oldest } = result;
  return [
    ...[elements, locked, quarantined].map(String),
    ...[showSeconds(oldest), result.in.toFixed(1), result.out.toFixed(1), bars, path],
  ];
}
