import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./embedded.js";

/** Real text that every machine has one of, longest first where there is a choice. */
const SOURCES = ["/var/log/dpkg.log", "/usr/share/common-licenses/GPL-3", join(root, "package-lock.json")];

/** So many real lines, numbered so that each is told apart: `17 2026-01-01 … install …`. */
export function realLines(count: number): string[] {
  const lines = SOURCES.flatMap((path) => {
    try {
      return readFileSync(path, "utf8").split("\n");
    } catch {
      return [];
    }
  });
  return Array.from({ length: count }, (_, index) => `${index} ${lines[index % lines.length] ?? ""}`);
}
