// Queues of texts, whatever their type: what the campaigns put in, and how they know it again.
import {
  NormalQueue,
  SimpleQueue,
  type DirqError,
  type DirQueue,
  type Durability,
  type Surroundings,
} from "@spoolwire/dirq";

export const types = ["simple", "normal"] as const;
export type Type = (typeof types)[number];

/** The clock of one to whom all locks and temporary files are old. */
const late = { clock: () => (Date.now() + 3_600_000) * 1000 };

/** The content of an element by its id: of many sizes, and recognisably whole. */
export function contentOf(id: string): string {
  const number = Number(id.slice(id.lastIndexOf("-") + 1));
  return `${id} ${"x".repeat((number * 37) % 5000)} end\n`;
}

/** A queue whose elements are the contents of ids. */
export class Texts {
  readonly queue: DirQueue;
  readonly #type: Type;

  constructor(type: Type, path: string, durability: string, surroundings: Surroundings = {}) {
    this.#type = type;
    const options = { path, durability: durability as Durability };
    this.queue =
      type === "simple"
        ? new SimpleQueue(options, surroundings)
        : new NormalQueue({ ...options, schema: { body: "string" } }, surroundings);
  }

  add(id: string): string {
    return this.queue.add(this.#element(id));
  }

  addMany(ids: readonly string[]): Promise<string[]> {
    return this.queue.addMany(ids.map((id) => this.#element(id)));
  }

  /** The text of a locked element. */
  get(name: string): string {
    const element = this.queue.get(name);
    return this.#type === "simple" ? String(element) : String((element as { body: string }).body);
  }

  /** Take an element, "" if there is nothing in it; undefined: somebody else has it. */
  take(name: string): string | undefined {
    if (!this.queue.lock(name)) return undefined;
    let text = "";
    try {
      text = this.get(name);
    } catch (error) {
      // A normal element whose field is missing.
      if ((error as DirqError).code !== "DIRQ_BAD_DATA") throw error;
    }
    this.queue.remove(name);
    return text;
  }

  #element(id: string): unknown {
    return this.#type === "simple" ? contentOf(id) : { body: contentOf(id) };
  }
}

/** Purge a queue as the last one to use it, and take all that is in it or was moved aside. */
export async function takeAll(type: Type, path: string): Promise<string[]> {
  const last = new Texts(type, path, "none", late);
  await last.queue.purge();
  for (const { name } of last.queue.quarantined()) last.queue.requeue(name);
  const texts = [...last.queue].map((name) => last.take(name)).filter((text) => text !== undefined);
  await last.queue.purge();
  return texts;
}
