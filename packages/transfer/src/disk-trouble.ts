import type { Logger } from "@spoolwire/program";

/** What passes, or what an operator can put right, while we wait. */
const passing = ["ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE", "EACCES", "EPERM", "ENOENT"];

/**
 * So much that was acknowledged may still be there since the disk does not let go of it; then nothing more is handed
 * out, as all of it comes again after a crash.
 */
export const MOST_UNDONE = 100;

/** Whether it makes sense to try again after this error of the file system. */
export const isPassing = ({ code = "" }: NodeJS.ErrnoException): boolean => passing.includes(code);

/** Do all of it, also what comes behind a failure. @throws the first failure */
export function doAll(works: Iterable<() => void>): void {
  let failure: Error | undefined;
  for (const work of works) {
    try {
      work();
    } catch (error) {
      failure ??= error as Error;
    }
  }
  if (failure) throw failure;
}

/** The same trouble is told of no more often, milliseconds: one bad sector comes again and again. */
const QUIET_MS = 60_000;

/** A disk that fails and is tried again, however often: told of once, and once more when it is over. */
export class DiskTrouble {
  readonly #name: string;
  readonly #log: Logger;
  readonly #remedy: string;
  #isTold = false;
  #last = { message: "", at: -Infinity };

  /** @param remedy what is possible again when it is over, such as "written" */
  constructor(name: string, log: Logger, remedy: string) {
    this.#name = name;
    this.#log = log;
    this.#remedy = remedy;
  }

  begins({ message }: Error): void {
    const now = performance.now();
    const isNews = message !== this.#last.message || now - this.#last.at > QUIET_MS;
    if (this.#isTold || !isNews) return;
    this.#log.warn(`${this.#name}: ${message}; trying again until it can be ${this.#remedy}`);
    this.#isTold = true;
    this.#last = { message, at: now };
  }

  ends(): void {
    if (this.#isTold) this.#log.info(`${this.#name} can be ${this.#remedy} again`);
    this.#isTold = false;
  }

  /** It is not tried any more. */
  forget(): void {
    this.#isTold = false;
  }
}
