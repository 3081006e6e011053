// Rivals on one queue, for tests of races.
import type { DirQueue, DirqError } from "@spoolwire/dirq";
import { expect } from "vitest";

/** Microseconds, `seconds` from now. */
export const ahead = (seconds: number) => (): number => (Date.now() + seconds * 1000) * 1000;

/** Let a purge run in the middle of something; of a small queue all of it is done when this returns. */
export function purge(queue: DirQueue): void {
  void queue.purge();
}

const notLocked = expect.objectContaining({ name: "DirqError", code: "DIRQ_NOT_LOCKED" }) as DirqError;

/** What a call returned, or the code of the only error that a lost lock may give. */
export function outcome<Result>(call: () => Result): Result | "DIRQ_NOT_LOCKED" {
  try {
    return call();
  } catch (error) {
    expect(error).toEqual(notLocked);
    return "DIRQ_NOT_LOCKED";
  }
}

/** Take what can be had, as a consumer does. */
export function consume<Element>(queue: DirQueue<Element>, names: Iterable<string> = queue): Element[] {
  const taken: Element[] = [];
  for (const name of names) {
    if (!queue.lock(name)) continue;
    taken.push(queue.get(name));
    expect(queue.remove(name)).toBe(true);
  }
  return taken;
}
