import type { FileCalls } from "./calls.js";
import { Files } from "./files.js";
import { NormalInspector } from "./inspect-normal.js";
import { SimpleInspector } from "./inspect-simple.js";
import type { QueueInspector } from "./inspector.js";
import { isDirectory } from "./name.js";

/**
 * The type of the queue in a directory, as it looks: a normal queue has `temporary` or `obsolete`, a simple
 * one has intermediate directories alone. Undefined: neither, or no such directory.
 */
export function typeOfQueue(path: string, calls?: FileCalls): "simple" | "normal" | undefined {
  const files = new Files(calls);
  const isThere = (name: string) => files.isDirectory(`${path}/${name}`) === true;
  if (isThere("temporary") || isThere("obsolete")) return "normal";
  return [...files.subdirectories(path)].some(isDirectory) ? "simple" : undefined;
}

/**
 * Look at the queue in a directory, whatever its type; one without elements is taken for a simple one.
 * Throws ENOENT or ENOTDIR if there is no such directory.
 *
 * @example
 * const { elements, locked } = await inspectQueue("/var/spool/app").survey();
 */
export function inspectQueue(path: string, calls?: FileCalls): QueueInspector {
  const Type = typeOfQueue(path, calls) === "normal" ? NormalInspector : SimpleInspector;
  return new Type(path, calls);
}
