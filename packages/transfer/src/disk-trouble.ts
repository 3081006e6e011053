import type { Logger } from "@spoolwire/program";

/** What passes, or what an operator can put right, while we wait. */
const passing = ["ENOSPC", "EDQUOT", "EROFS", "EIO", "EMFILE", "ENFILE", "EACCES", "EPERM", "ENOENT"];

/** Whether it makes sense to try again after this error of the file system. */
export const isPassing = ({ code = "" }: NodeJS.ErrnoException): boolean => passing.includes(code);

/** A disk that fails and is tried again, however often: told of once, and once more when it is over. */
export class DiskTrouble {
  readonly #name: string;
  readonly #log: Logger;
  readonly #remedy: string;
  #isTold = false;

  /** @param remedy what is possible again when it is over, such as "written" */
  constructor(name: string, log: Logger, remedy: string) {
    this.#name = name;
    this.#log = log;
    this.#remedy = remedy;
  }

  begins({ message }: Error): void {
    if (!this.#isTold)
      this.#log.warn(`${this.#name}: ${message}; trying again until it can be ${this.#remedy}`);
    this.#isTold = true;
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
