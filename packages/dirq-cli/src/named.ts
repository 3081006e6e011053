import { DirqError, inspectQueue } from "@spoolwire/dirq";
import { MessageError } from "@spoolwire/message";
import { ExitStatus, type Logger } from "@spoolwire/program";
import type { Spool } from "./spool.js";

/** Whether an error is about one element alone: the others can go on. */
export const isBadElement = (error: unknown): error is Error =>
  error instanceof MessageError || (error instanceof DirqError && error.code === "DIRQ_BAD_DATA");

/** What became of several elements: tells of each that nothing could be done with, and makes the status. */
export class Outcome {
  /** How many there was something done with. */
  done = 0;
  #status: number = ExitStatus.ok;
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** The element could not be locked. */
  refused({ queue }: Spool, name: string): void {
    const isThere = inspectQueue(queue.path).element(name) !== undefined;
    this.failed(
      `${name} is ${isThere ? "locked by somebody else" : "not there"}`,
      isThere ? ExitStatus.temporary : ExitStatus.nothing,
    );
  }

  /** The element is not what it should be. */
  malformed(error: Error, what = "it stays where it is"): void {
    this.failed(`${error.message}; ${what}`, ExitStatus.dataError);
  }

  failed(text: string, status: number): void {
    this.#log.error(text);
    this.#status = Math.max(this.#status, status);
  }

  /** That of the gravest failure; nothing done: 1. */
  get status(): number {
    return this.#status === ExitStatus.ok && this.done === 0 ? ExitStatus.nothing : this.#status;
  }
}

/**
 * Do something with an element while it is locked; afterwards it is unlocked, unless it is gone. With `isHeld`
 * the lock is somebody's already who asked us to do this, and stays.
 * False: it cannot be locked.
 */
export async function whileLocked(
  { queue }: Spool,
  name: string,
  isHeld: boolean,
  work: () => void | Promise<void>,
): Promise<boolean> {
  if (!isHeld && !queue.lock(name)) return false;
  try {
    await work();
  } finally {
    if (!isHeld) queue.unlock(name, true);
  }
  return true;
}
