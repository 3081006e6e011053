import type { Message } from "@spoolwire/message";

/**
 * Called exactly once a message: it is safe (no error), or it is not known to be. A MessageError: this message
 * cannot be sent, though others can.
 */
export type Settle = (error?: Error) => void;

/** Where messages go. */
export interface Sink {
  /** For the log: what and where, without secrets. */
  readonly name: string;

  /** False while the broker is away; undefined: there is none that could be. */
  readonly isUp?: boolean;

  /** Why nothing can be sent any more; undefined: something can. */
  readonly failure?: Error | undefined;

  /** Get ready. Called once, before all else. */
  start(signal: AbortSignal): Promise<void>;

  /**
   * Take one message. `settle` is called when it is safe: confirmed by a reliable sink, handed over by any
   * other; it may be called before `send` returns, and in any order. When the sink fails, it settles
   * everything with the error.
   * Returns a promise if there is no room for another message now: it resolves when there is.
   * @throws MessageError if this message cannot be sent, though others can; then `settle` is not called.
   * Any other error is a failure of the sink.
   */
  send(message: Message, settle: Settle): Promise<void> | undefined;

  /**
   * Keep a message that can never be sent, as it came, as safely as any other, for a source that has no place for
   * it. A sink without such a place does not have this.
   * @returns where it is now, for the log
   */
  quarantine?(message: Message, reason: string): string;

  /**
   * Finish: what was handed over is on its way when it resolves, and everything is settled. Called once,
   * also after a failure and after a `start` that failed.
   */
  stop(): Promise<void>;
}
