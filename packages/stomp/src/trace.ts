import type { Header } from "@spoolwire/message";
import { quote } from "./errors.js";
import type { Frame } from "./frame.js";

/**
 * What a trace can show: the beginning and the end of connections; what is asked of them; frames, by their
 * commands, with their headers, with the beginning of their bodies; how many bytes come and go.
 */
export const traceTopics = ["connection", "api", "command", "header", "body", "io"] as const;
export type TraceTopic = (typeof traceTopics)[number];

/** So much of a body is looked at: enough for a quotation, whatever is hidden in it. */
const LOOK = 4096;

/** Tells what a connection does, a line each. A passcode is never shown, not even where the broker repeats it. */
export class Trace {
  readonly #topics: ReadonlySet<TraceTopic>;
  readonly #tell: (line: string) => void;
  readonly #secrets: readonly string[];

  constructor(topics: Iterable<TraceTopic>, tell: (line: string) => void, secrets: readonly string[] = []) {
    this.#topics = new Set(topics);
    this.#tell = tell;
    this.#secrets = secrets.filter((secret) => secret !== "");
  }

  tell(topic: TraceTopic, text: string): void {
    if (this.#topics.has(topic)) this.#tell(this.#hide(text));
  }

  /** A frame that was sent or received, on one line. */
  frame(direction: "sent" | "received", { command, headers, body }: Frame): void {
    const showsHeader = this.#topics.has("header");
    const showsBody = this.#topics.has("body");
    if (!showsHeader && !showsBody && !this.#topics.has("command")) return;
    let line = `${direction} ${command}`;
    if (showsHeader) line += ` ${this.#describe(headers)}`;
    if (showsBody) {
      const text = typeof body === "string" ? body.slice(0, LOOK) : body.toString("utf8", 0, LOOK);
      line += ` with ${Buffer.byteLength(body)} bytes "${quote(this.#hide(text))}"`;
    }
    this.#tell(line);
  }

  #describe(headers: Header): string {
    const shown: Header = {};
    for (const name in headers) shown[name] = name === "passcode" ? "…" : this.#hide(headers[name] ?? "");
    return JSON.stringify(shown);
  }

  #hide(text: string): string {
    return this.#secrets.reduce((shown, secret) => shown.replaceAll(secret, "…"), text);
  }
}
