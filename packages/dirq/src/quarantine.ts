import { MOST_RACES, tooManyRaces } from "./errors.js";
import type { Files } from "./files.js";
import { checkName, isElement, type NameMaker } from "./name.js";

/** An element that was moved aside: out of the queue, nothing of it lost. */
export interface Quarantined {
  /** Its name in the quarantine, 14 hexadecimal digits that tell when it was moved. */
  readonly name: string;
  /** Its name in the queue. */
  readonly element: string;
  readonly reason: string;
  readonly time: Date;
  /** Its files, which may be read: one of a simple queue, one for each field of a normal queue. */
  readonly files: readonly string[];
}

/** The directory of what was moved aside. */
export const QUARANTINE = "quarantine";
/** What the element itself is called there. */
export const ELEMENT = "element";

/** What the quarantine needs of its queue. */
export interface Ward {
  /** The directory of the queue. */
  readonly path: string;
  readonly files: Files;
  readonly names: NameMaker;
  seconds(): number;
}

/**
 * Elements that no consumer can use, kept beside the queue until somebody looks at them:
 * `TOP/quarantine/SSSSSSSSMMMMMR/` holds the `element`, a file or a directory as it was in the queue, and
 * `reason.json`. Other implementations do not look there.
 *
 * The reason is written first and the element then moved by one rename: at any moment it is in one place,
 * and what a crash leaves behind is a reason without an element, which purge removes.
 */
export class Quarantine {
  readonly #ward: Ward;
  readonly #path: string;

  constructor(ward: Ward) {
    this.#ward = ward;
    this.#path = `${ward.path}/${QUARANTINE}`;
  }

  /** Move an element here and return its name here. Undefined: somebody else took it from under its lock. */
  put(element: string, reason: string): string | undefined {
    const { files } = this.#ward;
    for (let races = 0; races < MOST_RACES; races++) {
      const name = this.#makeRoom();
      const room = `${this.#path}/${name}`;
      try {
        const text = { element, reason, time: this.#ward.seconds() };
        const isWritten = files.write(`${room}/${REASON}`, `${JSON.stringify(text)}\n`) === "";
        const failed = isWritten && files.moveDir(`${this.#ward.path}/${element}`, `${room}/${ELEMENT}`);
        if (failed === "") return name;
        this.clear(name);
      } catch (error) {
        try {
          this.clear(name);
        } catch {
          // The disk that failed the caller fails this too.
        }
        throw error;
      }
      if (files.modified(`${this.#ward.path}/${element}`) === undefined) return undefined;
      // RACE: a purge took our reason for one that a crash left behind.
    }
    throw tooManyRaces(this.#path);
  }

  /** What is here, in the order in which it came. */
  *list(): IterableIterator<Quarantined> {
    const { files } = this.#ward;
    for (const name of this.#names()) {
      const room = `${this.#path}/${name}`;
      const element = `${room}/${ELEMENT}`;
      const isDirectory = files.isDirectory(element);
      if (isDirectory === undefined) continue;
      const fields = () => [...files.files(element)].sort().map((field) => `${element}/${field}`);
      yield { name, ...this.#reason(room, name), files: isDirectory ? fields() : [element] };
    }
  }

  /** Where an element lies, whether it is still here or not. */
  locate(name: string): string {
    return `${this.#path}/${name}/${ELEMENT}`;
  }

  /** Remove the reason of an element that was moved away. False: something is still there. */
  clear(name: string): boolean {
    const { files } = this.#ward;
    files.unlink(`${this.#path}/${name}/${REASON}`);
    return files.removeDir(`${this.#path}/${name}`);
  }

  /** Remove what crashes left behind, in small steps; each yields whether it did. */
  *cleaning(isStale: (path: string) => boolean): Iterable<boolean> {
    const { files } = this.#ward;
    for (const name of this.#names()) {
      const room = `${this.#path}/${name}`;
      const isLeft = files.modified(`${room}/${ELEMENT}`) === undefined && isStale(room);
      yield isLeft && this.clear(name);
    }
  }

  #names(): string[] {
    return [...this.#ward.files.subdirectories(this.#path)].filter(isElement).sort();
  }

  #makeRoom(): string {
    const { files, names } = this.#ward;
    for (let races = 0; races < MOST_RACES; races++) {
      const name = names.element();
      const failed = files.makeSubdirectory(`${this.#path}/${name}`);
      if (failed === "") return name;
      if (failed === "ENOENT") files.makeDir(this.#path);
    }
    throw tooManyRaces(this.#path);
  }

  /** A power cut can leave a reason without words, and anybody write what he likes there; the element counts. */
  #reason(room: string, name: string): Pick<Quarantined, "element" | "reason" | "time"> {
    const moved = new Date(Number.parseInt(name.slice(0, 8), 16) * 1000);
    const content = this.#ward.files.read(`${room}/${REASON}`);
    try {
      const { element, reason, time } = JSON.parse(content.toString()) as Record<string, unknown>;
      const date = new Date((time as number) * 1000);
      checkName(element);
      if (typeof reason === "string" && !Number.isNaN(date.getTime())) return { element, reason, time: date };
    } catch {
      // As for a reason that is not there.
    }
    return { element: "unknown", reason: `unknown: no ${REASON} can be read`, time: moved };
  }
}

const REASON = "reason.json";
