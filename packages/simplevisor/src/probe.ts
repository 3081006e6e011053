import { connect } from "node:net";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { ConfigError, timerMs } from "@spoolwire/program";
import { inspectQueue } from "@spoolwire/dirq";
import { missingHelper } from "./notified.js";
import { splitWords } from "./words.js";

/** Depth in elements, age of the oldest in seconds; a queue that is not there is empty. */
export interface QueueCondition {
  readonly path: string;
  readonly measure: "depth" | "age";
  readonly isMore: boolean;
  readonly limit: number;
}

/** Something that holds or does not. */
export type Probe =
  | { readonly kind: "command"; readonly words: readonly string[] }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "log"; readonly pattern: RegExp }
  | { readonly kind: "notify" }
  | { readonly kind: "queue"; readonly condition: QueueCondition };

/**
 * Read `tcp:[HOST:]PORT`, `file:PATH`, `command:WORDS…`, `log:REGEX`, `queue:PATH depth<N` (or `age`, or `>`), or
 * `notify`.
 * @throws ConfigError
 */
export function parseProbe(text: string, what: string): Probe {
  if (text.trim() === "notify") return notifyProbe(what);
  const [, kind = "", rest = ""] = /^(\w+):\s*(.+)$/s.exec(text.trim()) ?? [];
  switch (kind) {
    case "command":
      return { kind, words: splitWords(rest) };
    case "file":
      return { kind, path: splitWords(rest).join(" ") };
    case "queue":
      return { kind, condition: parseQueueCondition(text, what) };
    case "log":
      return { kind, pattern: parsePattern(rest, what) };
    case "tcp": {
      const [, host = "127.0.0.1", port] = /^(?:(.+):)?(\d{1,5})$/.exec(rest) ?? [];
      if (port === undefined || Number(port) > 65_535) break;
      return { kind, host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
    }
  }
  throw new ConfigError(
    `Expected ${what} to be command:…, tcp:[HOST:]PORT, file:PATH, log:REGEX or queue:PATH depth<N, got "${text}"`,
  );
}

function notifyProbe(what: string): Probe {
  const missing = missingHelper();
  if (missing === undefined) return { kind: "notify" };
  throw new ConfigError(
    `Expected ${missing} on the PATH for ${what} = notify; without it: tcp:, file:, log:, command: or queue:`,
  );
}

/** @throws ConfigError if it is no regular expression */
export function parsePattern(text: string, what: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new ConfigError(`Expected ${what} to be a regular expression: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Read `queue:PATH depth>N` or `queue:PATH age>SECONDS`. @throws ConfigError */
export function parseQueueCondition(text: string, what: string): QueueCondition {
  const [, path, measure, sign, limit] =
    /^queue:(\S+)\s+(depth|age)\s*([<>])\s*(\d+)$/.exec(text.trim()) ?? [];
  if (path === undefined) {
    throw new ConfigError(
      `Expected ${what} to be queue:PATH depth>N or queue:PATH age>SECONDS, got "${text}"`,
    );
  }
  return {
    path: splitWords(path).join(" "),
    measure: measure as QueueCondition["measure"],
    isMore: sign === ">",
    limit: Number(limit),
  };
}

/** A queue's depth, or the age of its oldest element in seconds. */
export async function measureQueue({ path, measure }: QueueCondition, signal?: AbortSignal): Promise<number> {
  if (!existsSync(path)) return 0;
  const { elements, oldest } = await inspectQueue(path).survey(signal ? { signal } : {});
  if (measure === "depth") return elements;
  return oldest === undefined ? 0 : Math.max(0, Date.now() / 1000 - oldest);
}

/** What a probe needs of its service. */
export interface ProbeContext {
  /** Seconds that one look may take. */
  readonly timeout: number;
  run(words: readonly string[]): Promise<number>;
  /** It has said by sd_notify that it is ready. */
  isNotified(): boolean;
  /** What the service has written since its start. */
  lines(): Iterable<string>;
}

/** Look once. What cannot be found out does not hold. */
export async function holds(probe: Probe, context: ProbeContext): Promise<boolean> {
  try {
    switch (probe.kind) {
      case "command":
        return (await context.run(probe.words)) === 0;
      case "file":
        return existsSync(probe.path);
      case "log":
        for (const line of context.lines()) if (probe.pattern.test(line)) return true;
        return false;
      case "notify":
        return context.isNotified();
      case "tcp":
        return await canConnect(probe.host, probe.port, timerMs(context.timeout));
      case "queue": {
        const value = await measureQueue(probe.condition, AbortSignal.timeout(timerMs(context.timeout)));
        return probe.condition.isMore ? value > probe.condition.limit : value < probe.condition.limit;
      }
    }
  } catch {
    return false;
  }
}

async function canConnect(host: string, port: number, timeoutMs: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, "connect", { signal: AbortSignal.timeout(timeoutMs) });
    return true;
  } finally {
    socket.destroy();
  }
}
