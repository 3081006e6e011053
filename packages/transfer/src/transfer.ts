import { MessageError, type Message } from "@spoolwire/message";
import type { Logger } from "@spoolwire/program";
import type { Checker, Verdict } from "./callback.js";
import { TransferError } from "./errors.js";
import type { Rate } from "./rate.js";
import type { TransferReport } from "./report.js";
import type { Sink } from "./sink.js";
import type { Source, Ticket } from "./source.js";

export interface TransferOptions {
  /** Most messages taken from the source and not yet settled (default 0: as many as come). */
  readonly window?: number;
  /** Stop after so many messages (default 0: never). */
  readonly count?: number;
  /** Stop after so many seconds (default: never). */
  readonly duration?: number | undefined;
  /** Stop when no message came for so many seconds (default: never). */
  readonly inactivity?: number | undefined;
  /** When stopping, wait so many seconds for what is not confirmed yet (default 60). */
  readonly linger?: number;
  /** Start the sink when the first message is there (default false). */
  readonly lazy?: boolean;
  /** Take no more than this (default: as fast as it goes). */
  readonly rate?: Rate | undefined;
  /** Give messages back instead of acknowledging them: nothing is moved (default false). */
  readonly keep?: boolean;
  /** Asked about each message, which is counted before. */
  readonly checker?: Checker | undefined;
  /** Called when both sides are started (a lazy sink not yet). */
  readonly onStarted?: () => void;
}

/** How long the loop works without a pause before sockets and timers have their turn, milliseconds. */
const SLICE_MS = 10;

/** How long the loop waits for a message before it looks at the clock, milliseconds. */
const WAIT_MS = 1000;

/**
 * Moves messages from a source to a sink: the one loop, whatever is on either side.
 *
 * A message is acknowledged at the source only when the sink has settled it, so that it is always in one
 * of the two places; after a crash it may be in both. At the end everything not settled is released.
 */
export class Transfer {
  readonly report: TransferReport = {
    received: 0,
    confirmed: 0,
    rejected: 0,
    dropped: 0,
    bytes: 0,
    seconds: 0,
  };
  readonly #source: Source;
  readonly #sink: Sink;
  readonly #log: Logger;
  readonly #options: TransferOptions;
  /** The messages taken and not settled, as they came. */
  readonly #pending = new Map<Ticket, Message>();
  #failure: { readonly error: unknown } | undefined;
  #stopping = false;
  #finished = false;
  #sinkStarted = false;
  #wake: () => void = () => undefined;

  constructor(source: Source, sink: Sink, log: Logger, options: TransferOptions = {}) {
    this.#source = source;
    this.#sink = sink;
    this.#log = log;
    this.#options = options;
  }

  /** Which sides are there, as a broker that is away is not; a lazy sink counts until it is needed. */
  get up(): { readonly incoming: boolean; readonly outgoing: boolean } {
    const isOutgoingUp = this.#sinkStarted ? this.#sink.isUp !== false : this.#options.lazy === true;
    return { incoming: this.#source.isUp !== false, outgoing: isOutgoingUp };
  }

  /** How many messages are on their way, taken from the source and not settled. */
  get pending(): number {
    return this.#pending.size;
  }

  /**
   * Run until the source ends, a limit is reached, or `signal` is aborted.
   * @throws the first failure of source or sink; TransferError TRANSFER_PENDING if messages were left
   * unconfirmed. By then everything is released and both sides are stopped.
   */
  async run(signal: AbortSignal): Promise<TransferReport> {
    const started = performance.now();
    const stop = () => this.#stop();
    signal.addEventListener("abort", stop);
    if (signal.aborted) stop();
    try {
      await this.#start(signal);
      this.#options.onStarted?.();
      await this.#move(started, signal);
      await this.#linger();
    } catch (error) {
      this.#fail(error);
    }
    await this.#finish();
    signal.removeEventListener("abort", stop);
    this.report.seconds = (performance.now() - started) / 1000;
    if (this.#failure) throw this.#failure.error;
    return this.report;
  }

  async #start(signal: AbortSignal): Promise<void> {
    try {
      await this.#options.checker?.start();
      // The sink first: a source that delivers at once should find it ready.
      if (!this.#options.lazy) await this.#startSink(signal);
      await this.#source.start(signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #startSink(signal: AbortSignal): Promise<void> {
    this.#sinkStarted = true;
    await this.#sink.start(signal);
    this.#log.debug(`${this.#sink.name} is ready`);
  }

  async #move(started: number, signal: AbortSignal): Promise<void> {
    const { window = 0, count = 0, duration = Infinity, inactivity = Infinity, rate } = this.#options;
    const deadline = started + duration * 1000;
    let lastArrival = performance.now();
    let slice = lastArrival + SLICE_MS;
    while (!this.#stopping && !this.#failure) {
      const now = performance.now();
      const quiet = lastArrival + inactivity * 1000;
      if (now >= deadline || now >= quiet) break;
      if (count > 0 && this.report.received >= count) break;
      if (now >= slice) {
        await new Promise(setImmediate);
        slice = performance.now() + SLICE_MS;
        continue;
      }
      const patience = Math.min(WAIT_MS, deadline - now, quiet - now);
      if (window > 0 && this.#pending.size >= window) {
        await this.#sleep(patience);
        // A sink that is slow to confirm does not make the source inactive.
        lastArrival = performance.now();
        continue;
      }
      const restMs = rate?.waitMs() ?? 0;
      if (restMs > 0) {
        await this.#sleep(Math.min(restMs, deadline - now));
        lastArrival = performance.now();
        continue;
      }
      let arrival = this.#source.next(patience);
      if (arrival instanceof Promise) {
        arrival = await arrival;
        slice = performance.now() + SLICE_MS;
      }
      if (arrival.kind === "end") break;
      if (arrival.kind === "none") {
        if (!this.#stopping) await this.#options.checker?.idle();
        continue;
      }
      if (arrival.kind === "rejected") {
        this.#countRejected(arrival.told);
        continue;
      }
      lastArrival = performance.now();
      this.report.received++;
      rate?.take();
      this.report.bytes += arrival.message.size;
      const { ticket } = arrival;
      this.#pending.set(ticket, this.#asItCame(arrival.message));
      if (!this.#sinkStarted) await this.#startSink(signal);
      const room = this.#handle(arrival.message, ticket);
      if (room) {
        await this.#sleep(deadline - now, room);
        lastArrival = performance.now();
      }
    }
  }

  /** As `#send`, if the checker has nothing against it; one that takes its time is part of the wait for room. */
  #handle(message: Message, ticket: Ticket): Promise<void> | undefined {
    const verdict = this.#options.checker?.check(message) ?? { kind: "send", message };
    if (!(verdict instanceof Promise)) return this.#obey(verdict, ticket);
    return verdict.then((later) => this.#obey(later, ticket)).catch((error: unknown) => this.#fail(error));
  }

  #obey(verdict: Verdict, ticket: Ticket): Promise<void> | undefined {
    // The run has not waited for the verdict: the message is released already.
    if (this.#finished) return undefined;
    if (verdict.kind === "send") return this.#send(verdict.message, ticket);
    if (verdict.kind === "reject") this.#reject(ticket, verdict.error);
    else {
      this.#pending.delete(ticket);
      this.#acknowledge(ticket);
      this.report.dropped++;
    }
    this.#wake();
    return undefined;
  }

  #send(message: Message, ticket: Ticket): Promise<void> | undefined {
    try {
      return this.#sink.send(message, (error) => this.#settle(ticket, error));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      this.#reject(ticket, error);
      return undefined;
    }
  }

  /** One bad message never stops the others. */
  #reject(ticket: Ticket, { message: reason }: Error): void {
    const message = this.#pending.get(ticket);
    const isKept = message && this.#sink.quarantine && !this.#options.keep;
    const elsewhere = isKept ? () => this.#sink.quarantine?.(message, reason) ?? "" : undefined;
    this.#countRejected(this.#source.reject(ticket, reason, elsewhere));
    this.#pending.delete(ticket);
  }

  /** A callback may change what it is shown: what is put aside is the message as it was. */
  #asItCame(message: Message): Message {
    return this.#options.checker && this.#sink.quarantine ? message.copy() : message;
  }

  #countRejected(told: string): void {
    this.report.rejected++;
    this.#log.error(told);
  }

  #settle(ticket: Ticket, error?: Error): void {
    // What was released when the run ended may be delivered again: acknowledging it now would lose it.
    if (this.#finished || !this.#pending.has(ticket)) return;
    if (error && !(error instanceof MessageError)) {
      this.#fail(error);
      return;
    }
    try {
      if (error) this.#reject(ticket, error);
      else {
        this.#pending.delete(ticket);
        this.#acknowledge(ticket);
        this.report.confirmed++;
      }
    } catch (failure) {
      this.#fail(failure);
    }
    this.#wake();
  }

  #acknowledge(ticket: Ticket): void {
    if (this.#options.keep) this.#source.release(ticket);
    else this.#source.ack(ticket);
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
    this.#source.wake();
  }

  #stop(): void {
    this.#stopping = true;
    this.#wake();
    this.#source.wake();
  }

  /** Wait until `ms` are over, `room` is done, the run fails or stops; without `room`, until one is settled. */
  async #sleep(ms: number, room?: Promise<void>): Promise<void> {
    const end = performance.now() + ms;
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        // A timer counts from the beginning of the loop's turn, and may be early: without room that is one too many.
        const tick = () => {
          const left = end - performance.now();
          if (left <= 0) resolve();
          else timer = setTimeout(tick, left);
        };
        if (ms < 2 ** 31) tick();
        this.#wake = () => {
          if (!room || this.#failure || this.#stopping) resolve();
        };
        room?.then(resolve, reject);
        // What came over the run while `room` was made has woken nobody.
        if (room) this.#wake();
      });
    } finally {
      clearTimeout(timer);
      this.#wake = () => undefined;
    }
  }

  async #linger(): Promise<void> {
    const { linger = 60 } = this.#options;
    const deadline = performance.now() + linger * 1000;
    while (this.#pending.size > 0 && !this.#failure) {
      const left = deadline - performance.now();
      if (left <= 0) break;
      await this.#sleep(left);
    }
    if (this.#pending.size > 0) this.#fail(new TransferError(`${this.#pending.size} pending messages`));
  }

  /** Both sides are stopped whatever happens; the first failure is the one that counts. */
  async #finish(): Promise<void> {
    if (this.#sinkStarted) await this.#attempt(() => this.#sink.stop());
    this.#finished = true;
    for (const ticket of this.#pending.keys()) await this.#attempt(() => this.#source.release(ticket));
    await this.#attempt(() => this.#source.stop());
    await this.#attempt(() => this.#options.checker?.stop());
  }

  async #attempt(work: () => Promise<void> | undefined | void): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (this.#failure) this.#log.debug(`while stopping: ${String(error)}`);
      else this.#fail(error);
    }
  }
}
