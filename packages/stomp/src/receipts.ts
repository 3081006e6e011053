import { BrokerError, watch } from "@spoolwire/message";

/** Called once: the broker has confirmed, or never will. */
export type Confirmed = (error?: Error) => void;

interface Request {
  readonly command: string;
  readonly confirmed: Confirmed;
}

/**
 * The requests of a connection that wait for the broker's receipt, which come in any order. A receipt that nobody
 * waits for, because it comes twice or too late or is of nothing we sent, changes nothing.
 */
export class Receipts {
  readonly #ms: number;
  readonly #late: (error: Error) => void;
  readonly #requests = new Map<string, Request>();
  #last = 0;
  #unwatch: () => void = () => undefined;

  /**
   * @param ms how long the oldest request may wait since it is the oldest: a broker that is slow, and confirms one
   * after the other, is not late
   * @param late told once if it waits longer
   */
  constructor(ms: number, late: (error: Error) => void) {
    this.#ms = ms;
    this.#late = late;
  }

  /** The id of the next receipt to ask for. */
  next(): string {
    return String(++this.#last);
  }

  /** Wait for a receipt. */
  add(id: string, command: string, confirmed: Confirmed): void {
    this.#requests.set(id, { command, confirmed });
    if (this.#requests.size > 1) return;
    this.#unwatch = watch(
      this.#ms,
      () => this.#oldest?.[0],
      () => {
        const what = this.#oldest?.[1].command ?? "";
        this.#late(new BrokerError("BROKER_TIMEOUT", `No receipt for ${what} within ${this.#ms / 1000} s`));
      },
    );
  }

  /** The answer has come. False: nobody waits for it. */
  settle(id: string | undefined, error?: Error): boolean {
    const request = id === undefined ? undefined : this.forget(id);
    request?.confirmed(error);
    return request !== undefined;
  }

  /** Wait no longer for a receipt. */
  forget(id: string): Request | undefined {
    const request = this.#requests.get(id);
    if (this.#requests.delete(id) && this.#requests.size === 0) this.#unwatch();
    return request;
  }

  /** No receipt will come any more. */
  fail(error: Error): void {
    this.#unwatch();
    const requests = [...this.#requests.values()];
    this.#requests.clear();
    for (const { confirmed } of requests) confirmed(error);
  }

  get #oldest(): [string, Request] | undefined {
    const [first] = this.#requests;
    return first;
  }
}
