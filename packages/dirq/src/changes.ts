import { Bell } from "./bell.js";
import type { FileCalls } from "./calls.js";
import { Files } from "./files.js";
import { inspectQueue } from "./inspect.js";
import type { QueueInspector } from "./inspector.js";

/** What happened to an element. */
export interface Change {
  readonly what: "added" | "locked" | "unlocked" | "removed";
  readonly name: string;
}

/** How often all is looked at at least, milliseconds; a look that takes long is made less often. */
const LOOK_MS = 1000;

/** A look takes at most so much of the time. */
const SHARE = 1 / 100;

/** Names of elements that are gone, so that what rings after them is not taken for another element. */
const MOST_GONE = 10_000;

/**
 * What happens to the elements of a queue, from now on, as it can be seen from outside: what processes of
 * this host do is told within milliseconds; a lock in a normal queue, and what other hosts do, when all is
 * looked at again. Of what is there but for a moment at least `added` and `removed` are told; under a load
 * that the system's own queue of events cannot hold, not even those.
 * Keeps the names of all elements in memory. Ends when `signal` is aborted.
 */
export async function* watchQueue(
  path: string,
  { signal, calls }: { readonly signal: AbortSignal; readonly calls?: FileCalls },
): AsyncGenerator<Change, void, undefined> {
  const inspector = inspectQueue(path, calls);
  const bell = new Bell(new Files(calls), path);
  const memory = new Memory(inspector);
  try {
    bell.open(inspector.directories());
    memory.lookAtAll();
    let next = performance.now() + LOOK_MS;
    while (!signal.aborted) {
      await bell.wait(Math.max(0, next - performance.now()), signal);
      if (signal.aborted) return;
      const names = bell.take();
      if (names && performance.now() < next) {
        yield* memory.lookAt(names);
        continue;
      }
      const started = performance.now();
      bell.open(inspector.directories());
      yield* memory.lookAtAll();
      next = performance.now() + Math.max(LOOK_MS, (performance.now() - started) / SHARE);
    }
  } finally {
    bell.close();
  }
}

/** How the elements were when they were last looked at. */
class Memory {
  readonly #inspector: QueueInspector;
  /** Whether it is locked, by its name. */
  readonly #known = new Map<string, boolean>();
  readonly #gone = new Set<string>();

  constructor(inspector: QueueInspector) {
    this.#inspector = inspector;
  }

  /** Look at all elements. Returns what is not as it was, in the order of the names. */
  lookAtAll(): Change[] {
    const changes: Change[] = [];
    const seen = new Map(this.#inspector.locks());
    for (const [name, isLocked] of seen) changes.push(...this.#compare(name, isLocked));
    for (const name of this.#known.keys()) {
      if (!seen.has(name)) changes.push(...this.#compare(name, undefined));
    }
    return changes;
  }

  /** Look at these elements, with which something has happened. */
  lookAt(names: readonly string[]): Change[] {
    return names.flatMap((name) => {
      const state = this.#inspector.element(name);
      if (state === undefined && this.#inspector.isTaken(name)) return [];
      const isLocked = state === undefined ? undefined : state.lockedSince !== undefined;
      return this.#compare(name, isLocked, true);
    });
  }

  /** `isLocked` is undefined if the element is not there; `hasRung`: it was, just now. */
  #compare(name: string, isLocked: boolean | undefined, hasRung = false): Change[] {
    const wasLocked = this.#known.get(name);
    if (isLocked === undefined) {
      const isNews = wasLocked !== undefined || (hasRung && !this.#gone.has(name));
      if (!isNews) return [];
      this.#forget(name);
      const removed: Change = { what: "removed", name };
      return wasLocked === undefined ? [{ what: "added", name }, removed] : [removed];
    }
    this.#known.set(name, isLocked);
    const changes: Change[] = wasLocked === undefined ? [{ what: "added", name }] : [];
    if (isLocked !== (wasLocked ?? false)) changes.push({ what: isLocked ? "locked" : "unlocked", name });
    return changes;
  }

  #forget(name: string): void {
    this.#known.delete(name);
    this.#gone.add(name);
    if (this.#gone.size <= MOST_GONE) return;
    for (const oldest of this.#gone) {
      this.#gone.delete(oldest);
      break;
    }
  }
}
