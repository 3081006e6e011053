import type { ConsumeEvent } from "@spoolwire/dirq";
import { ExitStatus, exitStatusOf, type Logger } from "@spoolwire/program";

/** Tells of the elements that a consumer met and could not use. */
export class Aside {
  /** That of the gravest case: what the error says by which something stays, or 65 if it was moved aside. */
  status: number = ExitStatus.ok;
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** For `onEvent` of `consume`. */
  readonly event = (event: ConsumeEvent): void => {
    if (event.type === "quarantined") {
      this.moved(event.name, event.quarantined, event.reason);
    } else {
      this.#log.error(`${event.name} stays: ${event.error.message}`);
      this.status = Math.max(this.status, exitStatusOf(event.error));
    }
  };

  /** An element is in the quarantine. */
  moved(name: string, quarantined: string, reason: string): void {
    this.#log.error(`${name} is in the quarantine as ${quarantined}: ${reason}`);
    this.status = Math.max(this.status, ExitStatus.dataError);
  }
}
