/** A place in something that can be walked again and again. */
export class Cursor<Item> {
  readonly #items: Iterable<Item>;
  #place: Iterator<Item> | undefined;

  constructor(items: Iterable<Item>) {
    this.#items = items;
  }

  /** The first item, and the place from which `next` goes on; undefined: there is none. */
  first(): Item | undefined {
    this.#place = this.#items[Symbol.iterator]();
    return this.next();
  }

  /** The item after the last one that was given; undefined: no more, or no `first` before. */
  next(): Item | undefined {
    return this.#place && following(this.#place);
  }
}

/** The next item of an iterator; undefined: no more. */
export function following<Item>(place: Iterator<Item>): Item | undefined {
  const step = place.next();
  return step.done ? undefined : step.value;
}
