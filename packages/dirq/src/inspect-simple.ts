import { foreign, QueueInspector, wrong, type Problem, type Tally, type TimeLimits } from "./inspector.js";
import { isElement } from "./name.js";

/** Looks at a simple queue. */
export class SimpleInspector extends QueueInspector {
  readonly type = "simple";
  protected readonly others = [];

  protected tally(directory: string): Tally {
    const files = this.files.entries(`${this.path}/${directory}`).filter(({ kind }) => kind === "file");
    const elements = files.map(({ name }) => name).filter(isElement);
    const locks = new Set(files.map(({ name }) => name).filter((name) => name.endsWith(".lck")));
    return {
      elements,
      locked: new Set(elements.filter((name) => locks.has(`${name}.lck`))),
      temporary: files.filter(({ name }) => partOf(name, ".tmp") !== undefined).length,
    };
  }

  protected size(element: string): number | undefined {
    const found = this.files.look(`${this.path}/${element}`);
    return found?.kind === "file" ? found.size : undefined;
  }

  protected lockedSince(element: string): number | undefined {
    return this.files.modified(`${this.path}/${element}.lck`);
  }

  protected temporaries(): number {
    return 0;
  }

  protected *problemsIn(directory: string, limits: TimeLimits): Iterable<Problem> {
    const orphans: string[] = [];
    for (const entry of this.files.entries(`${this.path}/${directory}`)) {
      const path = `${directory}/${entry.name}`;
      const element = partOf(entry.name, ".lck");
      const isTemporary = partOf(entry.name, ".tmp") !== undefined;
      if (!isElement(entry.name) && element === undefined && !isTemporary) {
        yield foreign(entry, path);
        continue;
      }
      if (entry.kind !== "file") {
        yield wrong(entry, path);
        continue;
      }
      const state = this.files.look(`${this.path}/${path}`);
      if (state === undefined) continue;
      if (isTemporary) {
        if (state.modified < limits.temporary) yield { kind: "stale-temporary", path };
      } else if (element === undefined) {
        if (state.size === 0) yield { kind: "empty", path };
      } else if (!this.files.look(`${this.path}/${directory}/${element}`)) orphans.push(path);
      else if (state.modified < limits.lock) yield { kind: "stale-lock", path };
    }
    // RACE: who removes an element removes the lock a moment later: it must be there at another look.
    for (const path of orphans) {
      if (this.files.look(`${this.path}/${path}`)) yield { kind: "orphan-lock", path };
    }
  }

  protected *problemsOf(): Iterable<Problem> {}
}

/** The element that a lock or a temporary file is of; undefined: it is none. */
function partOf(name: string, suffix: ".lck" | ".tmp"): string | undefined {
  const element = name.slice(0, -suffix.length);
  return name.endsWith(suffix) && isElement(element) ? element : undefined;
}
