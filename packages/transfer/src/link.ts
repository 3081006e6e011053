import { setTimeout as sleep } from "node:timers/promises";
import { BrokerError } from "@spoolwire/message";
import type { Logger } from "@spoolwire/program";
import { defaultBackOff, Pauses, type BackOff } from "./back-off.js";

export interface LinkOptions<Connection> {
  /** For the log: what is at the other end. */
  readonly name: string;
  /**
   * Make a connection and all that belongs to one, such as its subscriptions. `lost` is called once when it
   * has ended by itself after that.
   * @throws BrokerError, which a later attempt may not meet, nor the error of a file, such as a certificate that is just
   * being replaced, unless it comes at once; any other error is for good
   */
  readonly connect: (lost: (error: Error) => void, signal: AbortSignal) => Promise<Connection>;
  /** Undefined: what is lost stays lost, unless `isWorthAnother`. */
  readonly backOff: BackOff | undefined;
  /** Without a back-off: whether to connect once more after this loss. */
  readonly isWorthAnother?: (lost: Error) => boolean;
  readonly log: Logger;
  /** Told when the first attempt has failed, and there will be others. */
  readonly onAway?: (() => void) | undefined;
  /** Told when the connection is there, each time. */
  readonly onUp: (connection: Connection) => void;
  /** Told when it has ended. `isOver`: for good. */
  readonly onDown: (error: Error, isOver: boolean) => void;
}

/** So many reasons of one absence are told: a list of brokers may have one each. */
const MOST_TOLD = 5;

/**
 * One end of an agent's way to a broker: a connection that is made again whenever it ends, with pauses that
 * grow and differ, so that a thousand agents do not come back all at once.
 *
 * It tells when the broker is away, each new reason why it still is, and when it is back; not each attempt.
 */
export class Link<Connection> {
  readonly #options: LinkOptions<Connection>;
  readonly #over = new AbortController();
  readonly #pauses: Pauses;
  #connection: Connection | undefined;
  #failure: Error | undefined;
  #upAt = 0;

  constructor(options: LinkOptions<Connection>) {
    this.#options = options;
    this.#pauses = new Pauses(options.backOff ?? defaultBackOff);
  }

  /** The connection, while there is one. */
  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** Why there will be no connection any more. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Resolves when the connection is there for the first time. @throws what `connect` threw if that is for good */
  async start(signal: AbortSignal): Promise<void> {
    const given = AbortSignal.any([signal, this.#over.signal]);
    await this.#establish(given, undefined);
  }

  /** No connection is made any more. The one that is there is the caller's to end. */
  stop(): void {
    this.#over.abort(new BrokerError("BROKER_CLOSED", "Stopped"));
  }

  async #establish(signal: AbortSignal, lost: Error | undefined): Promise<void> {
    const { name, connect, backOff, log, onUp, onAway } = this.#options;
    const awaySince = performance.now();
    let last = lost;
    const told = new Set<string>();
    for (let attempt = 1; ; attempt++) {
      if (last) await this.#pause(attempt, signal);
      try {
        let isLost: Error | undefined;
        let isUp = false;
        const connection = await connect((error) => {
          if (isUp) this.#lost(error);
          else isLost = error;
        }, signal);
        if (isLost) throw isLost;
        isUp = true;
        this.#connection = connection;
        this.#upAt = performance.now();
        if (last) log.info(`${name} is back after ${((this.#upAt - awaySince) / 1000).toFixed(1)} s`);
        onUp(connection);
        return;
      } catch (error) {
        signal.throwIfAborted();
        const isCurable = error instanceof BrokerError || (last && isFileError(error));
        if (!isCurable || !backOff || attempt >= backOff.attempts) throw error;
        if (!last) {
          log.warn(`${error.message}; trying again until it is there`);
          onAway?.();
        } else if (told.has(error.message) || told.size >= MOST_TOLD) {
          log.debug(`attempt ${attempt}: ${error.message}`);
        } else {
          // First it was not there, and now it refuses us: somebody should know.
          log.warn(`${error.message}; still trying`);
        }
        told.add(error.message);
        last = error;
      }
    }
  }

  /** The pauses grow as long as connections do not outlast them. */
  async #pause(attempt: number, signal: AbortSignal): Promise<void> {
    const upMs = performance.now() - this.#upAt;
    if (attempt === 1 && upMs > Math.max(2 * this.#pauses.lastMs, 1000)) this.#pauses.reset();
    await sleep(this.#pauses.next(), undefined, { signal }).catch(() => signal.throwIfAborted());
  }

  #lost(error: Error): void {
    this.#connection = undefined;
    if (this.#over.signal.aborted) return;
    const { name, backOff, isWorthAnother, log, onDown } = this.#options;
    if (!backOff && !isWorthAnother?.(error)) {
      this.#end(error);
      return;
    }
    log.warn(`${name}: ${error.message}; connecting again until it is there`);
    onDown(error, false);
    this.#establish(this.#over.signal, error).catch((failure: unknown) => this.#end(failure as Error));
  }

  #end(error: Error): void {
    if (this.#over.signal.aborted) return;
    this.#failure = error;
    this.#options.onDown(error, true);
  }
}

const isFileError = (error: unknown): error is Error => error instanceof Error && "syscall" in error;
