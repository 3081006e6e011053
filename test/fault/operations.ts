// The operations of a queue, for campaigns that strike each of them at every file call.
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Type } from "./texts.js";

/** Where an operation is tried. */
export interface Ground {
  /** For the queue, and for more. */
  readonly top: string;
  readonly type: Type;
  readonly durability: string;
}

/** What an operation works on: a queue and an element in it, with the id `own-1`. */
export interface Subject extends Ground {
  readonly path: string;
  readonly name: string;
}

export interface Operation {
  /** The worker's command for it, its words in order. */
  command(this: void, subject: Subject): [string, ...string[]];
  /** Whether the element is locked before (default: no). */
  readonly isLocked?: boolean;
  /** What else must be there before. */
  prepare?(this: void, subject: Subject): void;
}

export const operations: readonly Operation[] = [
  { command: ({ type, durability, top }) => ["open", type, join(top, "new", "queue"), durability] },
  { command: () => ["add", "new-1"] },
  { command: () => ["addMany", "new-1", "new-2", "new-3"] },
  { command: () => ["names"] },
  { command: () => ["count"] },
  { command: ({ name }) => ["lock", name] },
  { command: ({ name }) => ["get", name], isLocked: true },
  { command: ({ name }) => ["touch", name], isLocked: true },
  { command: ({ name }) => ["unlock", name], isLocked: true },
  { command: ({ name }) => ["remove", name], isLocked: true },
  { command: ({ name }) => ["quarantine", name], isLocked: true },
  { command: () => ["purge", "1", "1"], isLocked: true, prepare: leaveBehind },
];

/** What crashed processes leave: an element half added, and a lock. All of it is old. */
function leaveBehind({ type, path, name }: Subject): void {
  const half = "00000000000001";
  const old = type === "simple" ? join("00000000", `${half}.tmp`) : join("temporary", half);
  const file = type === "simple" ? old : join(old, "body");
  mkdirSync(dirname(join(path, file)), { recursive: true });
  writeFileSync(join(path, file), "half");
  for (const each of [old, name]) utimesSync(join(path, each), 1, 1);
}
