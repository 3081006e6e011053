import type { Streams } from "@spoolwire/program";
import { add } from "./add.js";
import { bench } from "./bench.js";
import { dispatch } from "./command.js";
import { fsck } from "./fsck.js";
import { cat, get } from "./get.js";
import { lock, rm, touch, unlock } from "./lock.js";
import { ls } from "./ls.js";
import { convert, cp, mv } from "./move.js";
import { pop } from "./pop.js";
import { purge } from "./purge.js";
import { quarantine } from "./quarantine.js";
import { count, stat } from "./stat.js";
import { top } from "./top.js";
import { watch } from "./watch.js";

/** In the order in which somebody who is new wants to read of them. */
const commands = [
  ...[add, pop, ls, count, cat, get, rm, mv, cp, convert],
  ...[lock, unlock, touch, stat, top, watch, purge, fsck, quarantine, bench],
];

/** The program `dirq`. @returns the exit status */
export function main(argv: readonly string[], streams: Streams = process): Promise<number> {
  return dispatch("dirq", commands, argv, streams);
}
