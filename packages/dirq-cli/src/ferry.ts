import type { HeldElement } from "@spoolwire/dirq";
import { ConfigError } from "@spoolwire/program";
import { isBadElement, type Outcome } from "./named.js";
import type { Form, Spool } from "./spool.js";

/** So many elements are brought to the disk together. */
const BATCH = 128;

export type Passenger = Pick<HeldElement<string | Buffer>, "name" | "content" | "done" | "release">;

/**
 * Bring locked elements to another queue, some at a time. Each is removed from its own only when it is in the
 * other one, or with `keep` given back. What the other queue cannot take stays.
 */
export async function ferry(
  passengers: AsyncIterable<Passenger>,
  { to, form, keep, outcome }: { to: Spool; form: Form; keep: boolean; outcome: Outcome },
): Promise<void> {
  let aboard: { passenger: Passenger; item: unknown }[] = [];
  const cross = async () => {
    await to.add(aboard.map(({ item }) => item));
    for (const { passenger } of aboard) {
      if (keep) passenger.release();
      else passenger.done();
    }
    outcome.done += aboard.length;
    aboard = [];
  };
  try {
    for await (const passenger of passengers) {
      try {
        aboard.push({ passenger, item: to.encode(Buffer.from(passenger.content), form) });
      } catch (error) {
        passenger.release();
        if (!isBadElement(error)) throw error;
        outcome.malformed(new Error(`${passenger.name}: ${error.message}`));
      }
      if (aboard.length >= BATCH) await cross();
    }
    if (aboard.length > 0) await cross();
  } finally {
    for (const { passenger } of aboard) passenger.release();
  }
}

/** How many may be in hand at a time, for who hands elements to `ferry`. */
export const FERRY_PREFETCH = BATCH;

/** @throws ConfigError if both are the same: nothing would come to an end */
export function demandTwo(from: Spool, to: Spool): void {
  if (from.queue.id !== to.queue.id) return;
  throw new ConfigError(`Expected two queues, got one: ${from.queue.path} and ${to.queue.path}`);
}

/**
 * Lock and read these elements; what cannot be goes to `outcome`. With `isHeld` they are locked already, and
 * stay so when they are released.
 */
export async function* lockNamed(
  spool: Spool,
  names: AsyncIterable<string> | Iterable<string>,
  { form, isHeld, outcome }: { form: Form; isHeld: boolean; outcome: Outcome },
): AsyncIterable<Passenger> {
  const { queue } = spool;
  for await (const name of names) {
    if (!isHeld && !queue.lock(name)) {
      outcome.refused(spool, name);
      continue;
    }
    const release = () => void (isHeld || queue.unlock(name, true));
    try {
      yield { name, content: spool.read(name, form), done: () => queue.remove(name), release };
    } catch (error) {
      release();
      if (!isBadElement(error)) throw error;
      outcome.malformed(error);
    }
  }
}
