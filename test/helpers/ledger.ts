// What went in against what came out: the only proof that nothing was lost.

import { createHash } from "node:crypto";

/** The outcome, in numbers of messages or elements. */
export interface LedgerReport {
  readonly accepted: number;
  /** Accepted and never delivered. */
  readonly lost: number;
  /** Deliveries after the first. */
  readonly duplicates: number;
  /** Delivered and never accepted. */
  readonly unknown: number;
  /** Delivered with a content that is not the accepted one. */
  readonly damaged: number;
}

/** Each id is accepted once with its content, and should be delivered with the same. */
export class Ledger {
  readonly #accepted = new Map<string, string>();
  readonly #deliveries = new Map<string, number>();
  #unknown = 0;
  #damaged = 0;

  accept(id: string, content: string): void {
    if (this.#accepted.has(id)) throw new Error(`${id} was accepted before`);
    this.#accepted.set(id, content);
  }

  deliver(id: string, content: string): void {
    const accepted = this.#accepted.get(id);
    if (accepted === undefined) this.#unknown++;
    else if (accepted !== content) this.#damaged++;
    this.#deliveries.set(id, (this.#deliveries.get(id) ?? 0) + 1);
  }

  report(): LedgerReport {
    let lost = 0;
    for (const id of this.#accepted.keys()) if (!this.#deliveries.has(id)) lost++;
    let duplicates = 0;
    for (const times of this.#deliveries.values()) duplicates += times - 1;
    return {
      accepted: this.#accepted.size,
      lost,
      duplicates,
      unknown: this.#unknown,
      damaged: this.#damaged,
    };
  }
}

/** The body that belongs to an id such as `a-17-250`: the id on a line, as often as its last number says. */
export const bodyOf = (id: string): string => `${id}\n`.repeat(Number(id.slice(id.lastIndexOf("-") + 1)));

/** A digest that can stand for a content, in hexadecimal. */
export const sha1 = (content: string | Uint8Array): string =>
  createHash("sha1").update(content).digest("hex");
