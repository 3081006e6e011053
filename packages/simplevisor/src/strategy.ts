import type { Child, Strategy } from "./child.js";

/**
 * Whom a supervisor restarts when a child has failed, in the order in which they are started; they are stopped in the
 * reverse order. Those that are not wanted, and temporary ones that are done, stay as they are.
 */
export function affected(strategy: Strategy, children: readonly Child[], failed: Child): readonly Child[] {
  const index = children.indexOf(failed);
  const reached = {
    one_for_one: [failed],
    rest_for_one: children.slice(index),
    one_for_all: children,
  }[strategy];
  return reached.filter(
    (child) => child === failed || (child.isWanted && !(child.phase === "finished" && child.isTemporary)),
  );
}

/** Whether a child is started, and stopped, only when the one before, or behind it, is done with that. */
export const isOrdered = (strategy: Strategy): boolean => strategy !== "one_for_one";
