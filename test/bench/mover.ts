// How something without queues moves messages in all directions, on a connection for each call.
import type { Duty } from "./bare-client.js";

export const destination = "/queue/bench";
export const elsewhere = "/queue/bench-shovel";

/** One side's way to do a direction; it resolves when all messages have arrived. */
export interface Mover {
  send(): Promise<void>;
  receive(): Promise<void>;
  /** From the destination elsewhere, and from there back again. */
  shovel(): Promise<void>;
}

/** A client, and how many messages of which kind it moves. */
export interface Bare {
  send(to: string, duty?: Duty): Promise<void>;
  receive(from: string, duty?: Duty): Promise<void>;
}

/** @param duties what to do besides; the next one for each that sends, and the last for all that receive */
export function mover(bare: Bare, duties: readonly Duty[] = []): Mover {
  let turns = 0;
  return {
    send: () => bare.send(destination, duties[turns++]),
    receive: () => bare.receive(destination, duties.at(-1)),
    shovel: async () => {
      await Promise.all([bare.receive(destination), bare.send(elsewhere)]);
      await Promise.all([bare.receive(elsewhere), bare.send(destination)]);
    },
  };
}
