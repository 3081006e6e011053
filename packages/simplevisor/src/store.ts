import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import type { Logger } from "@spoolwire/program";
import type { ChildState } from "./child.js";

/** What a store holds; another number is another format. */
const VERSION = 1;

/** The file that keeps the state of a tree from one run to the next. */
export class Store {
  readonly #path: string;
  readonly #log: Logger;
  #hasFailed = false;

  constructor(path: string, log: Logger) {
    this.#path = path;
    this.#log = log;
  }

  /**
   * The state; undefined: there is none. That of the original is understood. A file that is no store is moved aside,
   * and said so.
   */
  load(): ChildState | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const state = parse(text);
    if (state) return state;
    const aside = `${this.#path}.corrupt-${Date.now()}`;
    renameSync(this.#path, aside);
    this.#log.warn(`the store ${this.#path} is not one: it is kept as ${aside}, and a new one begun`);
    return undefined;
  }

  /** Others see the old state or the new one, whole. A disk that is full is told once, and tried again next time. */
  save(state: ChildState): void {
    const temporary = `${this.#path}.tmp`;
    try {
      const descriptor = openSync(temporary, "w", 0o600);
      try {
        const bytes = Buffer.from(`${JSON.stringify({ version: VERSION, state })}\n`);
        for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, this.#path);
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) this.#log.warn(`the store cannot be written: ${(error as Error).message}`);
      this.#hasFailed = true;
    }
  }
}

function parse(text: string): ChildState | undefined {
  try {
    const content = JSON.parse(text) as Record<string, unknown>;
    const [first, ...others] = Object.values(content);
    let state: unknown;
    if (content.version === VERSION) state = content.state;
    else if (others.length === 0) state = fromOriginal(first as OriginalState);
    return isState(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

/** What the original keeps, by IDs that say no more than the names. */
interface OriginalState {
  readonly name: string;
  /** Seconds since the epoch, and whether the cycle was adjusted. */
  readonly cycles?: readonly (readonly [number, unknown])[];
  readonly children?: Readonly<Record<string, OriginalState>>;
}

const fromOriginal = ({ name, cycles = [], children = {} }: OriginalState): unknown => ({
  name,
  cycles: cycles.map(([, isAdjusted]) => Boolean(isAdjusted)),
  children: Object.values(children).map(fromOriginal),
});

/** Whether it is a state, all the way down: it is the input of decisions. */
function isState(value: unknown): value is ChildState {
  if (typeof value !== "object" || value === null) return false;
  const {
    name,
    cycles = [],
    held = false,
    up = false,
    restarts = 0,
    children = [],
  } = value as Record<string, unknown>;
  return (
    typeof name === "string" &&
    Array.isArray(cycles) &&
    cycles.every((cycle) => typeof cycle === "boolean") &&
    typeof held === "boolean" &&
    typeof up === "boolean" &&
    Number.isInteger(restarts) &&
    Array.isArray(children) &&
    children.every(isState)
  );
}
