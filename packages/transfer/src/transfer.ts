import { setTimeout as sleep } from "node:timers/promises";
import { BrokerError, MessageError, type Message } from "@spoolwire/message";
import { LONGEST_MS, timerMs, type Logger } from "@spoolwire/program";
import type { Checker, Verdict } from "./callback.js";
import { CallbackError, TransferError } from "./errors.js";
import type { Rate } from "./rate.js";
import type { TransferReport } from "./report.js";
import type { Sink } from "./sink.js";
import type { Source, Ticket } from "./source.js";

export interface TransferOptions {
  /** Most messages taken from the source and not yet settled (default 0: as many as come). */
  readonly window?: number;
  /** Stop after so many messages (default 0: never). */
  readonly count?: number;
  /** Stop after so many seconds (default: never); it is a failure if a side is not there by then. */
  readonly duration?: number | undefined;
  /**
   * Stop when no message came for so many seconds, but not before all that is there at once (default: never). It is a
   * failure if the source is not there by then, or in a minute: its first attempt to connect may be slow.
   */
  readonly inactivity?: number | undefined;
  /** When stopping, wait so many seconds for what is not confirmed yet, and then for the callback's stop (default 60). */
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

/** How long a source may take to start, whatever `inactivity` says, milliseconds: as long as a connection by default. */
const START_MS = 60_000;

/** How long a callback may take to stop at the least, seconds: confirmations are not what it waits for. */
const LEAST_STOP = 10;

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
      const deadline = started + (this.#options.duration ?? Infinity) * 1000;
      await this.#start(deadline, signal);
      this.#options.onStarted?.();
      await this.#move(deadline, signal);
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

  async #start(deadline: number, signal: AbortSignal): Promise<void> {
    const { checker, lazy, inactivity = Infinity } = this.#options;
    let isReady = checker === undefined;
    const starting = checker?.start().then(() => void (isReady = true));
    if (starting) await this.#sleep(deadline - performance.now(), starting);
    if (this.#stopping) return;
    if (!isReady)
      throw new CallbackError("The callback's start had not ended when the time of the run was over");
    // The sink first: a source that delivers at once should find it ready.
    if (!lazy && !(await this.#startSink(deadline, signal))) return;
    const patience = performance.now() + Math.max(inactivity * 1000, START_MS);
    await this.#startSide(this.#source, Math.min(deadline, patience), signal);
  }

  /** As `#startSide`. */
  async #startSink(deadline: number, signal: AbortSignal): Promise<boolean> {
    this.#sinkStarted = true;
    const isThere = await this.#startSide(this.#sink, deadline, signal);
    if (isThere) this.#log.debug(`${this.#sink.name} is ready`);
    return isThere;
  }

  /** False: the run was stopped before. @throws BrokerError BROKER_TIMEOUT if its time was over before */
  async #startSide(side: Source | Sink, deadline: number, signal: AbortSignal): Promise<boolean> {
    const limit = new AbortController();
    const ms = deadline - performance.now();
    const late = new BrokerError(
      "BROKER_TIMEOUT",
      `${side.name} was not there when the time of the run was over`,
    );
    const timer = ms <= LONGEST_MS ? setTimeout(() => limit.abort(late), ms) : undefined;
    try {
      await side.start(AbortSignal.any([signal, limit.signal]));
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      throw limit.signal.aborted ? late : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #move(deadline: number, signal: AbortSignal): Promise<void> {
    const { window = 0, count = 0, inactivity = Infinity, rate } = this.#options;
    let lastArrival = performance.now();
    let slice = lastArrival + SLICE_MS;
    while (!this.#stopping && !this.#failure) {
      const now = performance.now();
      const quiet = lastArrival + inactivity * 1000;
      if (now >= deadline) break;
      if (this.#sinkStarted && this.#sink.failure) throw this.#sink.failure;
      if (count > 0 && this.report.received >= count) break;
      if (now >= slice) {
        await new Promise(setImmediate);
        slice = performance.now() + SLICE_MS;
        continue;
      }
      const patience = Math.min(WAIT_MS, deadline - now, Math.max(quiet - now, 0));
      if (window > 0 && this.#pending.size >= window) {
        await this.#sleep(patience);
        // A sink that is slow to confirm does not make the source inactive.
        lastArrival = performance.now();
        continue;
      }
      const restMs = rate?.waitMs() ?? 0;
      if (restMs > 0) {
        await this.#sleep(Math.min(restMs, WAIT_MS, deadline - now));
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
        if (performance.now() >= quiet) break;
        const { checker } = this.#options;
        if (checker && !this.#stopping) {
          await this.#sleep(Math.min(deadline, quiet) - performance.now(), checker.idle());
        }
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
      if (!this.#sinkStarted && !(await this.#startSink(deadline, signal))) {
        this.#pending.delete(ticket);
        this.#source.release(ticket);
        break;
      }
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
        if (ms <= LONGEST_MS) tick();
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
    await this.#attempt(() => this.#stopChecker());
  }

  /** A callback that never ends does not hold up the end. */
  async #stopChecker(): Promise<void> {
    const { checker, linger = 60 } = this.#options;
    if (!checker) return;
    const seconds = Math.max(linger, LEAST_STOP);
    const stopped = new AbortController();
    const late = sleep(timerMs(seconds), true, { signal: stopped.signal });
    try {
      const isLate = await Promise.race([checker.stop(), late]);
      if (isLate) this.#log.warn(`The callback's stop has not ended within ${seconds} s`);
    } finally {
      stopped.abort();
    }
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
