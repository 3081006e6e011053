import { Message } from "@spoolwire/message";
import { MergedSource, type Arrival, type Source } from "@spoolwire/transfer";
import { expect, test } from "vitest";

const never = new AbortController().signal;
const message = (ticket: string): Arrival => ({ kind: "message", message: new Message(), ticket });

/** Answers what the test gives it, when it does; writes down what is done to it. */
class FedSource implements Source {
  readonly name: string;
  readonly events: string[] = [];
  started: Promise<void> = Promise.resolve();
  stopped: Promise<void> = Promise.resolve();
  #arrivals: (Arrival | Error)[] = [];
  #answer: ((arrival: Arrival | Promise<never>) => void) | undefined;

  constructor(name: string, ...arrivals: (Arrival | Error)[]) {
    this.name = name;
    this.#arrivals = arrivals;
  }

  feed(arrival: Arrival | Error): void {
    if (!this.#answer) this.#arrivals.push(arrival);
    else this.#answer(arrival instanceof Error ? Promise.reject(arrival) : arrival);
    this.#answer = undefined;
  }

  start = () => this.started;
  next(): Arrival | Promise<Arrival> {
    if (this.#answer) throw new Error(`${this.name} was asked again before it has answered`);
    const arrival = this.#arrivals.shift();
    if (arrival instanceof Error) throw arrival;
    return arrival ?? new Promise<Arrival>((resolve) => (this.#answer = resolve));
  }
  wake = () => this.feed({ kind: "none" });
  ack = (ticket: unknown) => void this.events.push(`ack ${String(ticket)}`);
  release = (ticket: unknown) => void this.events.push(`release ${String(ticket)}`);
  reject: Source["reject"] = (ticket, reason, elsewhere) =>
    `${this.name} ${String(ticket)}: ${reason}; ${String(elsewhere?.())}`;
  stop = async () => {
    this.events.push("stop");
    await this.stopped;
  };
}

async function merge(...sources: FedSource[]) {
  const merged = new MergedSource(sources);
  await merged.start(never);
  // Those that start at once have started.
  await new Promise(setImmediate);
  const take = async () => {
    const arrival = await merged.next(60_000);
    if (arrival.kind !== "message") throw new Error(`Expected a message, got ${arrival.kind}`);
    return arrival.ticket;
  };
  return { merged, take };
}

test("sources take turns, and each gets its own tickets back", async () => {
  const a = new FedSource("a", message("1"), message("2"), message("3"));
  const b = new FedSource("b", message("4"), message("5"));
  const { merged, take } = await merge(a, b);
  expect(merged.name).toBe("a, b");
  merged.ack(await take());
  merged.release(await take());
  expect(merged.reject(await take(), "bad", () => "kept")).toBe("a 2: bad; kept");
  merged.ack(await take());
  merged.ack(await take());
  expect([a.events, b.events]).toEqual([
    ["ack 1", "ack 3"],
    ["release 4", "ack 5"],
  ]);
});

test("what a source has rejected is told as it is", async () => {
  const { merged } = await merge(
    new FedSource("a", { kind: "rejected", told: "no message" }),
    new FedSource("b"),
  );
  expect(await merged.next(1000)).toEqual({ kind: "rejected", told: "no message" });
});

test("whoever has something is heard at once, though the others have nothing", async () => {
  const [a, b] = [new FedSource("a"), new FedSource("b")];
  const { merged, take } = await merge(a, b);
  for (const [source, ticket] of [
    [b, "1"],
    [b, "2"],
    [a, "3"],
  ] as const) {
    const taken = take();
    source.feed(message(ticket));
    merged.ack(await taken);
  }
  expect([a.events, b.events]).toEqual([["ack 3"], ["ack 1", "ack 2"]]);
  const answer = merged.next(60_000);
  merged.wake();
  expect(await answer).toEqual({ kind: "none" });
  expect(await merged.next(1)).toEqual({ kind: "none" });
});

test("one that is away holds up nobody, and joins when it is there", async () => {
  const [a, b] = [new FedSource("a", message("1")), new FedSource("b", message("2"))];
  let there: () => void = () => undefined;
  b.started = new Promise((resolve) => (there = resolve));
  const { merged, take } = await merge(a, b);
  merged.ack(await take());
  const taken = take();
  there();
  // Whoever waits is told of it, and asks again.
  merged.ack(await taken.catch(take));
  expect(b.events).toEqual(["ack 2"]);
});

test("it ends with the last of them", async () => {
  const [a, b] = [new FedSource("a", { kind: "end" }), new FedSource("b", message("1"), { kind: "end" })];
  const { merged, take } = await merge(a, b);
  await take();
  expect(merged.next(1)).toEqual({ kind: "end" });
});

test("a failure of one is a failure of all", async () => {
  const [a, b] = [new FedSource("a"), new FedSource("b")];
  const { merged } = await merge(a, b);
  const answer = merged.next(60_000);
  b.feed(new RangeError("mine"));
  await expect(answer).rejects.toThrow("mine");

  const c = new FedSource("c");
  c.started = Promise.reject(new RangeError("no start"));
  const { merged: other } = await merge(new FedSource("d"), c);
  expect(() => other.next(60_000)).toThrow("no start");
  await expect(merge(c)).rejects.toThrow("no start");
});

test("all are stopped, whatever one of them says", async () => {
  const [a, b] = [new FedSource("a"), new FedSource("b")];
  const { merged } = await merge(a, b);
  a.stopped = Promise.reject(new RangeError("no end"));
  await expect(merged.stop()).rejects.toThrow("no end");
  expect([a.events, b.events]).toEqual([["stop"], ["stop"]]);
});
