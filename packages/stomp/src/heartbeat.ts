import { afterReading } from "@spoolwire/message";

/** What one side of a connection offers, milliseconds; 0: cannot, or does not want it. */
export interface HeartBeat {
  /** It can send something at least this often. */
  readonly sendMs: number;
  /** It would like to get something at least this often. */
  readonly receiveMs: number;
}

export const noHeartBeat: HeartBeat = Object.freeze({ sendMs: 0, receiveMs: 0 });

/** A peer is given up after this many times the agreed silence: clocks and networks are not exact. */
const PATIENCE = 4;

/** A timer for longer would fire at once, milliseconds. */
const MOST_MS = 2 ** 31 - 1;

/** From a `heart-beat` header. A header that is none, as older brokers send, means no heart-beats. */
export function parseHeartBeat(header: string | undefined): HeartBeat {
  const match = /^\s*(\d{1,9})\s*,\s*(\d{1,9})\s*$/.exec(header ?? "");
  return match ? { sendMs: Number(match[1]), receiveMs: Number(match[2]) } : noHeartBeat;
}

/** As a `heart-beat` header, which has whole numbers. */
export const formatHeartBeat = ({ sendMs, receiveMs }: HeartBeat): string =>
  `${Math.round(sendMs)},${Math.round(receiveMs)}`;

/** What holds for us when both sides have made their offers: the slower of the two, if both want it. */
export function negotiate(mine: HeartBeat, theirs: HeartBeat): HeartBeat {
  const slower = (a: number, b: number) => (a === 0 || b === 0 ? 0 : Math.max(a, b));
  return { sendMs: slower(mine.sendMs, theirs.receiveMs), receiveMs: slower(mine.receiveMs, theirs.sendMs) };
}

/** What a heart has to do with a connection. */
export interface HeartBody {
  /** When we last sent anything, by `performance.now()`. */
  sentAt(): number;
  /** When we last got anything, by `performance.now()`. */
  receivedAt(): number;
  /** Send one end of line. */
  beat(): void;
  /** The peer has been silent for too long. */
  silent(ms: number): void;
}

/** Keeps the agreed beat on a connection until it is stopped. */
export class Heart {
  readonly #timers: NodeJS.Timeout[] = [];
  #stopped = false;

  constructor({ sendMs, receiveMs }: HeartBeat, body: HeartBody) {
    if (sendMs > 0) {
      // Looked at four times as often as agreed, sent when half the time is over: a late timer does no harm.
      this.#every(sendMs / 4, () => {
        if (performance.now() - body.sentAt() >= sendMs / 2) body.beat();
      });
    }
    if (receiveMs > 0) {
      const most = PATIENCE * receiveMs;
      this.#every(receiveMs, () => {
        const receivedAt = body.receivedAt();
        if (performance.now() - receivedAt <= most) return;
        // When this process was held up, the peer's bytes wait in the socket: let them in, then judge by
        // whether any came, not by the time, since it may have been held up again meanwhile.
        afterReading(() => {
          if (this.#stopped || body.receivedAt() !== receivedAt) return;
          body.silent(performance.now() - receivedAt);
        });
      });
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) clearInterval(timer);
  }

  #every(ms: number, work: () => void): void {
    this.#timers.push(setInterval(work, Math.min(Math.max(1, ms), MOST_MS)));
  }
}
