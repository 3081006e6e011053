import type { Streams } from "@spoolwire/program";
import { add } from "./add.js";
import { dispatch } from "./command.js";
import { cat, get } from "./get.js";
import { lock, rm, touch, unlock } from "./lock.js";
import { ls } from "./ls.js";
import { pop } from "./pop.js";
import { purge } from "./purge.js";
import { count, stat } from "./stat.js";

const commands = [add, ls, count, cat, get, pop, rm, touch, lock, unlock, purge, stat];

/** The program `dirq`. @returns the exit status */
export function main(argv: readonly string[], streams: Streams = process): Promise<number> {
  return dispatch("dirq", commands, argv, streams);
}
