// Tests with another account's rights, where this one may take them on.

export const isRoot = process.getuid?.() === 0;

/** Run with another account's rights if this is root; all of it is done when this returns. */
export function asNobody<Result>(work: () => Result): Result {
  if (isRoot) process.seteuid!(65534);
  try {
    return work();
  } finally {
    if (isRoot) process.seteuid!(0);
  }
}
