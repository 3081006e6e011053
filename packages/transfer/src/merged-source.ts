import { Sleeper } from "./sleeper.js";
import type { Arrival, Source, Ticket } from "./source.js";

/** One of several sources. */
interface Member {
  readonly source: Source;
  isUp: boolean;
  /** It was asked and has not answered yet. */
  isAsked: boolean;
  /** What it has answered, and nobody was told of yet. */
  arrival: Arrival | undefined;
}

interface MergedTicket {
  readonly source: Source;
  readonly ticket: Ticket;
}

/**
 * Several sources as one, which take turns. One that is away holds up no other; one that fails for good is a
 * failure of all, and they end when the last one does.
 */
export class MergedSource implements Source {
  readonly name: string;
  /** Those that have not ended. */
  #members: Member[];
  readonly #all: readonly Source[];
  #turn = 0;
  #failure: { readonly error: unknown } | undefined;
  readonly #sleeper = new Sleeper();

  constructor(sources: readonly Source[]) {
    this.#all = sources;
    this.name = sources.map(({ name }) => name).join(", ");
    this.#members = sources.map((source) => ({
      source,
      isUp: false,
      isAsked: false,
      arrival: undefined,
    }));
  }

  /** Whether any of them is. */
  get isUp(): boolean {
    return this.#members.some(({ source }) => source.isUp !== false);
  }

  /** Resolves when the first of them has started: the others follow when they can. */
  async start(signal: AbortSignal): Promise<void> {
    const starts = this.#members.map(async (member) => {
      await member.source.start(signal);
      member.isUp = true;
      this.#sleeper.wake();
    });
    for (const start of starts) start.catch((error: unknown) => this.#fail(error));
    await Promise.any(starts).catch(({ errors }: AggregateError) => {
      throw errors[0];
    });
  }

  next(waitMs: number): Arrival | Promise<Arrival> {
    return this.#take(waitMs) ?? this.#wait(waitMs);
  }

  wake(): void {
    this.#sleeper.wake();
    for (const { source } of this.#members) source.wake();
  }

  ack(ticket: Ticket): void {
    const { source, ticket: own } = ticket as MergedTicket;
    source.ack(own);
  }

  release(ticket: Ticket): void {
    const { source, ticket: own } = ticket as MergedTicket;
    source.release(own);
  }

  reject(ticket: Ticket, reason: string, elsewhere?: () => string): string {
    const { source, ticket: own } = ticket as MergedTicket;
    return source.reject(own, reason, elsewhere);
  }

  async stop(): Promise<void> {
    this.wake();
    const outcomes = await Promise.allSettled(this.#all.map((source) => source.stop()));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }

  /** Undefined: nothing now. */
  #take(waitMs: number): Arrival | undefined {
    if (this.#failure) throw this.#failure.error;
    const members = this.#members;
    for (let index = 0; index < members.length; index++) {
      const member = members[(this.#turn + index) % members.length];
      if (!member?.isUp) continue;
      if (!member.arrival && !member.isAsked) this.#ask(member, waitMs);
      const { arrival } = member;
      if (!arrival) continue;
      member.arrival = undefined;
      if (arrival.kind === "end") this.#members = this.#members.filter((other) => other !== member);
      if (arrival.kind === "none" || arrival.kind === "end") continue;
      this.#turn = (this.#turn + index + 1) % members.length;
      if (arrival.kind === "rejected") return arrival;
      return { ...arrival, ticket: { source: member.source, ticket: arrival.ticket } };
    }
    return this.#members.length === 0 ? { kind: "end" } : undefined;
  }

  #ask(member: Member, waitMs: number): void {
    const answer = member.source.next(waitMs);
    if (!(answer instanceof Promise)) {
      member.arrival = answer;
      return;
    }
    member.isAsked = true;
    answer
      .then((arrival) => {
        member.arrival = arrival;
        member.isAsked = false;
        this.#sleeper.wake();
      })
      .catch((error: unknown) => this.#fail(error));
  }

  async #wait(waitMs: number): Promise<Arrival> {
    await this.#sleeper.sleep(waitMs);
    return this.#take(waitMs) ?? { kind: "none" };
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#sleeper.wake();
  }
}
