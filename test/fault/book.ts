// What was acknowledged against what was found, for one round of a campaign.
import { Ledger } from "../helpers/ledger.js";
import type { Counts } from "./campaign.js";
import { contentOf } from "./texts.js";

/** Ids are accepted, texts are found; one that nobody accepted is none of its business, if only it is whole. */
export class Book {
  readonly #ledger = new Ledger();
  readonly #contentOf: (id: string) => string;
  #empty = 0;
  #truncated = 0;

  /** @param content what belongs to an id, which it begins with, and a space */
  constructor(content = contentOf) {
    this.#contentOf = content;
  }

  accept(ids: Iterable<string>): void {
    for (const id of ids) this.#ledger.accept(id, "");
  }

  /** These contents were taken, or are there at the end. */
  find(texts: Iterable<string>): void {
    for (const text of texts) {
      const id = text.slice(0, text.indexOf(" "));
      if (text === "") this.#empty++;
      else if (text !== this.#contentOf(id)) this.#truncated++;
      else this.take([id]);
    }
  }

  /** The elements of these ids were taken, whole. */
  take(ids: Iterable<string>): void {
    for (const id of ids) this.#ledger.deliver(id, "");
  }

  /** What was damaged and acknowledged counts as lost too. */
  addTo(counts: Counts): void {
    const { accepted, lost, duplicates } = this.#ledger.report();
    counts.accepted += accepted;
    counts.lost += lost;
    counts.duplicates += duplicates;
    counts.empty += this.#empty;
    counts.truncated += this.#truncated;
  }
}
