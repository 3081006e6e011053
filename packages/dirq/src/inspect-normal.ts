import { foreign, QueueInspector, wrong, type Problem, type Tally, type TimeLimits } from "./inspector.js";
import { isElement } from "./name.js";
import { isField, LOCKED } from "./schema.js";

/** Looks at a normal queue. */
export class NormalInspector extends QueueInspector {
  readonly type = "normal";
  protected readonly others = ["temporary", "obsolete"];

  protected tally(directory: string): Tally {
    const elements = this.#elements(directory);
    const isLocked = (name: string) => this.#isLocked(`${this.path}/${directory}/${name}`);
    return { elements, locked: new Set(elements.filter(isLocked)), temporary: 0 };
  }

  protected size(element: string): number | undefined {
    const path = `${this.path}/${element}`;
    if (this.files.isDirectory(path) !== true) return undefined;
    return this.files
      .entries(path)
      .filter(({ name }) => isField(name))
      .reduce((size, { name }) => size + (this.files.look(`${path}/${name}`)?.size ?? 0), 0);
  }

  protected lockedSince(element: string): number | undefined {
    const path = `${this.path}/${element}`;
    // The element's own time, which a touch renews.
    return this.#isLocked(path) ? this.files.modified(path) : undefined;
  }

  protected temporaries(): number {
    return this.others.reduce((count, other) => count + this.#elements(other).length, 0);
  }

  protected *problemsIn(directory: string, limits: TimeLimits): Iterable<Problem> {
    for (const entry of this.files.entries(`${this.path}/${directory}`)) {
      const path = `${directory}/${entry.name}`;
      if (!isElement(entry.name)) yield foreign(entry, path);
      else if (entry.kind !== "directory") yield wrong(entry, path);
      else yield* this.#problemsOfElement(path, limits);
    }
  }

  protected *problemsOf(other: string, limits: TimeLimits): Iterable<Problem> {
    for (const entry of this.files.entries(`${this.path}/${other}`)) {
      const path = `${other}/${entry.name}`;
      if (!isElement(entry.name)) yield foreign(entry, path);
      else if (entry.kind !== "directory") yield wrong(entry, path);
      else if ((this.files.modified(`${this.path}/${path}`) ?? Infinity) < limits.temporary) {
        yield { kind: "stale-temporary", path };
      }
    }
  }

  *#problemsOfElement(element: string, limits: TimeLimits): Iterable<Problem> {
    const path = `${this.path}/${element}`;
    const entries = this.files.entries(path);
    const state = this.files.look(path);
    // RACE: an element that is removed meanwhile loses its fields elsewhere.
    if (state === undefined) return;
    for (const entry of entries) {
      const isKnown = isField(entry.name) || entry.name === LOCKED;
      if (!isKnown) yield foreign(entry, `${element}/${entry.name}`);
      else if (entry.kind !== (entry.name === LOCKED ? "directory" : "file")) {
        yield wrong(entry, `${element}/${entry.name}`);
      }
    }
    if (!entries.some(({ name, kind }) => kind === "file" && isField(name))) {
      yield { kind: "empty", path: element };
    }
    if (state.modified < limits.lock && this.#isLocked(path)) yield { kind: "stale-lock", path: element };
  }

  #elements(directory: string): string[] {
    return this.files
      .entries(`${this.path}/${directory}`)
      .filter(({ name, kind }) => kind === "directory" && isElement(name))
      .map(({ name }) => name);
  }

  #isLocked(element: string): boolean {
    return this.files.isDirectory(`${element}/${LOCKED}`) === true;
  }
}
