import type { Message } from "@spoolwire/message";

/** What a source wants back to know which message is meant; it says nothing to anybody else. */
export type Ticket = unknown;

/** What a source has when it is asked for the next message. */
export type Arrival =
  | { readonly kind: "message"; readonly message: Message; readonly ticket: Ticket }
  /** Something that is no message, or cannot be had: the source has dealt with it, and `told` says how. */
  | { readonly kind: "rejected"; readonly told: string }
  /** Nothing now; more may come. */
  | { readonly kind: "none" }
  /** Nothing more will come. */
  | { readonly kind: "end" };

/**
 * Where messages come from.
 *
 * Each message is handed out once, with a ticket. It stays the source's own until `ack`: whatever happens
 * before, a crash included, it is handed out again, by this source or by another one.
 */
export interface Source {
  /** For the log: what and where, without secrets. */
  readonly name: string;

  /** False while the broker is away; undefined: there is none that could be. */
  readonly isUp?: boolean;

  /** Get ready. Called once, before all else. */
  start(signal: AbortSignal): Promise<void>;

  /**
   * The next message. Waits for one no longer than `waitMs`, then answers "none"; answers at once, without
   * a promise, if it can. Never called again before it has answered, nor after "end".
   * A failure of the source is thrown here, after the messages that came before it.
   */
  next(waitMs: number): Arrival | Promise<Arrival>;

  /** Make a `next` that waits answer "none" now. */
  wake(): void;

  /** The message is safe elsewhere: forget it. At most once a ticket; after a failure it may have no effect. */
  ack(ticket: Ticket): void;

  /** The message was not taken: put it back. At most once a ticket, instead of `ack`. */
  release(ticket: Ticket): void;

  /**
   * The message can never be taken: put it aside, so that it is kept and not handed out again by us. At most
   * once a ticket, instead of `ack`.
   * @param elsewhere keeps the message at the sink, if that can, and says where: for sources without a place of
   * their own; they forget the message then, and keep it as if there were none if it throws
   * @returns one sentence for the log: which it is, why, and where it is now
   */
  reject(ticket: Ticket, reason: string, elsewhere?: () => string): string;

  /**
   * Finish: when it resolves, every `ack` has had its effect. Messages neither acknowledged nor released
   * go back. Called once, also after a failure and after a `start` that failed.
   */
  stop(): Promise<void>;
}
