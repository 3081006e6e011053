import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Destination } from "./destination.js";
import { quote, Refusal } from "./errors.js";
import { Queue, type QueueStatus } from "./queue.js";
import { Topic } from "./topic.js";
import type { Turns } from "./turns.js";

/** What a broker that was killed has left is older than this when the next one starts, seconds. */
const OLD = 1;

/** The longest name a file may have, bytes. */
const LONGEST = 255;

/**
 * A queue's name as the name of one directory: as in a URL, and a leading dot as `%2E`, so that no name
 * is hidden or leads elsewhere.
 */
function encodeName(name: string): string {
  const encoded = encodeURIComponent(name).replace(/^\./, "%2E");
  if (encoded.length > LONGEST) {
    throw new Refusal(`Expected the name of a queue to have at most ${LONGEST} bytes as a file's name`);
  }
  return encoded;
}

/** The inverse of `encodeName`; undefined: it has not made this. */
function decodeName(file: string): string | undefined {
  try {
    const name = decodeURIComponent(file);
    return encodeName(name) === file ? name : undefined;
  } catch {
    return undefined;
  }
}

/** All queues, and the topics that somebody listens to. */
export class Destinations {
  readonly #directory: string;
  readonly #turns: Turns;
  readonly #log: (line: string) => void;
  readonly #queues = new Map<string, Queue>();
  readonly #topics = new Map<string, Topic>();

  /** @param data the data directory, in which there is one directory for all queues */
  constructor(data: string, turns: Turns, log: (line: string) => void) {
    this.#directory = join(data, "queue");
    this.#turns = turns;
    this.#log = log;
  }

  /** Find the queues that are there, and clean up after a broker that was killed. */
  async open(signal: AbortSignal): Promise<void> {
    mkdirSync(this.#directory, { recursive: true });
    for (const file of readdirSync(this.#directory, { withFileTypes: true })) {
      const name = file.isDirectory() ? decodeName(file.name) : undefined;
      if (name === undefined) this.#log(`not a queue: ${join(this.#directory, file.name)}`);
      else await this.#queue(name).tidy(signal, OLD);
    }
  }

  /**
   * The destination of a frame; a queue is made if it is not there.
   * @throws Refusal; the file failure, if a queue cannot be made
   */
  find(destination: string | undefined): Destination {
    const [, kind, name] = /^\/(queue|topic)\/(.+)$/s.exec(destination ?? "") ?? [];
    if (name === undefined) {
      const got = destination === undefined ? "none" : quote(destination);
      throw new Refusal(`Expected a destination as /queue/NAME or /topic/NAME, got ${got}`);
    }
    if (kind === "queue") return this.#queue(name);
    return this.#topics.get(name) ?? new Topic(name, this.#topics);
  }

  /** By the names of the queues. */
  status(): Record<string, QueueStatus> {
    return Object.fromEntries([...this.#queues].map(([name, queue]) => [name, queue.status]));
  }

  /** Remove what delivered messages have left behind. */
  async tidy(signal: AbortSignal): Promise<void> {
    for (const queue of this.#queues.values()) await queue.tidy(signal);
  }

  #queue(name: string): Queue {
    let queue = this.#queues.get(name);
    if (!queue) {
      const file = encodeName(name);
      queue = new Queue(join(this.#directory, file), `queue/${file}`, this.#turns, this.#log);
      this.#queues.set(name, queue);
    }
    return queue;
  }
}
