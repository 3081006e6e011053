/** One figure that a program tells of itself, as Prometheus understands figures. */
export interface Metric {
  /** With its unit, and `_total` for a counter: `spoolwire_bytes_total`. */
  readonly name: string;
  /** A counter only grows. */
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly value: number;
  /** What distinguishes it from others of its name. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** What is known of every process. */
export function processMetrics(): Metric[] {
  const { user, system } = process.cpuUsage();
  const started = Date.now() / 1000 - process.uptime();
  return [
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "CPU time, in seconds.",
      value: (user + system) / 1e6,
    },
    {
      name: "process_resident_memory_bytes",
      type: "gauge",
      help: "Memory in use, in bytes.",
      value: process.memoryUsage.rss(),
    },
    {
      name: "process_start_time_seconds",
      type: "gauge",
      help: "When the process was started, in seconds since 1970.",
      value: started,
    },
  ];
}

/**
 * The figures in Prometheus' text format, version 0.0.4. Those of one name are put together, as it demands.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function formatMetrics(metrics: readonly Metric[]): string {
  const families = new Map<string, Metric[]>();
  for (const metric of metrics) {
    const family = families.get(metric.name);
    if (family) family.push(metric);
    else families.set(metric.name, [metric]);
  }
  return [...families.entries()].map(([name, family]) => formatFamily(name, family)).join("");
}

function formatFamily(name: string, family: readonly Metric[]): string {
  const [first] = family;
  const lines = family.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`);
    return `${name}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${formatValue(value)}\n`;
  });
  return `# HELP ${name} ${escapeHelp(first?.help ?? "")}\n# TYPE ${name} ${first?.type}\n${lines.join("")}`;
}

const escapeHelp = (text: string) => text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
const escapeLabel = (text: string) => escapeHelp(text).replace(/"/g, '\\"');

function formatValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}
