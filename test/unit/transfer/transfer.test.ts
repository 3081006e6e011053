import { Message, MessageError } from "@spoolwire/message";
import { createLogger } from "@spoolwire/program";
import {
  Checker,
  Transfer,
  type Arrival,
  type Settle,
  type Sink,
  type Source,
  type TransferOptions,
} from "@spoolwire/transfer";
import { beforeEach, describe, expect, test, vi } from "vitest";

/** Answers what it is told to, then ends (or has nothing more); writes down what is done to it. */
class ScriptedSource implements Source {
  readonly name = "source";
  readonly events: string[] = [];
  wakeUp: () => void = () => undefined;
  readonly arrivals: (Arrival | Error)[];
  readonly atEnd: "end" | "none";
  constructor(arrivals: (Arrival | Error)[], atEnd: "end" | "none" = "end") {
    this.arrivals = arrivals;
    this.atEnd = atEnd;
  }
  start: Source["start"] = async () => {
    this.events.push("start");
  };
  next(waitMs: number): Arrival | Promise<Arrival> {
    const arrival = this.arrivals.shift();
    if (arrival instanceof Error) throw arrival;
    if (arrival) return arrival;
    if (this.atEnd === "end") return { kind: "end" };
    return new Promise((resolve) => {
      this.wakeUp = () => resolve({ kind: "none" });
      setTimeout(this.wakeUp, waitMs);
    });
  }
  wake() {
    this.wakeUp();
  }
  ack(ticket: unknown) {
    this.events.push(`ack ${String(ticket)}`);
  }
  release(ticket: unknown) {
    this.events.push(`release ${String(ticket)}`);
  }
  reject: Source["reject"] = (ticket, reason) => {
    this.events.push(`reject ${String(ticket)}`);
    return `place ${String(ticket)}: ${reason}; it stays`;
  };
  async stop() {
    this.events.push("stop");
  }
}

/** Keeps each message's `settle` until the test calls it, or calls it at once. */
class HeldSink implements Sink {
  readonly name = "sink";
  readonly events: string[] = [];
  readonly held: Settle[] = [];
  room: Promise<void> | undefined;
  onSend: (count: number) => void = () => undefined;
  readonly mode: "held" | "at once";
  constructor(mode: "held" | "at once" = "at once") {
    this.mode = mode;
  }
  start: Sink["start"] = async () => {
    this.events.push("start");
  };
  send(message: Message, settle: Settle): Promise<void> | undefined {
    if (message.body === "unsendable") throw new MessageError("MESSAGE_NOT_SENDABLE", "not this one");
    this.events.push(`send ${String(message.body)}`);
    if (this.mode === "held") this.held.push(settle);
    else settle();
    this.onSend(this.events.filter((event) => event.startsWith("send")).length);
    return this.room;
  }
  async stop() {
    this.events.push("stop");
  }
}

/** A side that is not there until the signal ends the waiting. */
const notThere = (signal: AbortSignal) =>
  new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

const messages = (...bodies: string[]): Arrival[] =>
  bodies.map((body, index) => ({ kind: "message", message: new Message({ body }), ticket: index + 1 }));

let logged: string[];
const log = createLogger("test", 0, (line) => logged.push(line));
beforeEach(() => (logged = []));

const run = (
  source: Source,
  sink: Sink,
  options: TransferOptions = {},
  signal = new AbortController().signal,
) => new Transfer(source, sink, log, options).run(signal);

describe("a transfer", () => {
  test("starts the sink before the source, moves all in order, and stops the sink before the source", async () => {
    const order: string[] = [];
    const source = new ScriptedSource(messages("a", "b"));
    const sink = new HeldSink();
    source.events.push = (...events) => order.push(...events.map((event) => `source ${event}`));
    sink.events.push = (...events) => order.push(...events.map((event) => `sink ${event}`));
    const report = await run(source, sink);
    expect(order).toEqual([
      ...["sink start", "source start", "sink send a", "source ack 1", "sink send b", "source ack 2"],
      ...["sink stop", "source stop"],
    ]);
    expect(report).toMatchObject({ received: 2, confirmed: 2, rejected: 0, bytes: 4 });
  });

  test("acknowledges nothing before the sink has confirmed it, in whatever order that is", async () => {
    const source = new ScriptedSource(messages("a", "b", "c"));
    const sink = new HeldSink("held");
    sink.onSend = (count) => {
      if (count < 3) return;
      expect(source.events).toEqual(["start"]);
      setImmediate(() => [2, 0, 1].forEach((index) => sink.held[index]?.()));
    };
    await run(source, sink);
    expect(source.events).toEqual(["start", "ack 3", "ack 1", "ack 2", "stop"]);
  });

  test("has at most `window` messages unconfirmed", async () => {
    const source = new ScriptedSource(messages("a", "b", "c", "d", "e"));
    const sink = new HeldSink("held");
    let most = 0;
    sink.onSend = () => {
      most = Math.max(most, sink.held.length);
      setTimeout(() => sink.held.shift()?.(), 5);
    };
    expect(await run(source, sink, { window: 2 })).toMatchObject({ confirmed: 5 });
    expect(most).toBe(2);
  });

  test("stops after `count` messages and leaves the others", async () => {
    const source = new ScriptedSource(messages("a", "b", "c"));
    expect(await run(source, new HeldSink(), { count: 2 })).toMatchObject({ received: 2, confirmed: 2 });
    expect(source.arrivals).toHaveLength(1);
  });

  test("stops after `duration` though the source never ends", async () => {
    const started = Date.now();
    await run(new ScriptedSource([], "none"), new HeldSink(), { duration: 0.1 });
    expect(Date.now() - started).toBeGreaterThanOrEqual(99);
  });

  test("stops after `inactivity` without a message", async () => {
    const report = await run(new ScriptedSource(messages("a"), "none"), new HeldSink(), { inactivity: 0.1 });
    expect(report.received).toBe(1);
    expect(report.seconds).toBeGreaterThanOrEqual(0.099);
  });

  test("opens a lazy sink at the first message, and never without one", async () => {
    const idle = new HeldSink();
    await run(new ScriptedSource([]), idle, { lazy: true });
    expect(idle.events).toEqual([]);
    const busy = new HeldSink();
    await run(new ScriptedSource(messages("a")), busy, { lazy: true });
    expect(busy.events).toEqual(["start", "send a", "stop"]);
  });

  test("stops at once when told to while it waits for a message", async () => {
    const controller = new AbortController();
    const source = new ScriptedSource(messages("a"), "none");
    setTimeout(() => controller.abort(), 20);
    const report = await run(source, new HeldSink(), {}, controller.signal);
    expect(source.events).toEqual(["start", "ack 1", "stop"]);
    expect(report.seconds).toBeLessThan(0.9);
  });

  test("stops when told to while the sink has no room", async () => {
    const controller = new AbortController();
    const sink = new HeldSink();
    sink.room = new Promise(() => undefined);
    sink.onSend = () => setImmediate(() => controller.abort());
    const source = new ScriptedSource(messages("a", "b"));
    await run(source, sink, {}, controller.signal);
    expect(sink.events).toEqual(["start", "send a", "stop"]);
  });

  test("takes no more while the sink has no room", async () => {
    const source = new ScriptedSource(messages("a", "b"));
    const sink = new HeldSink();
    let makeRoom: () => void = () => undefined;
    sink.room = new Promise((resolve) => (makeRoom = resolve));
    sink.onSend = (count) => {
      if (count > 1) return;
      setTimeout(() => {
        expect(source.arrivals).toHaveLength(1);
        sink.room = undefined;
        makeRoom();
      }, 20);
    };
    expect(await run(source, sink)).toMatchObject({ confirmed: 2 });
  });

  test("waits for confirmations when it stops, but no longer than `linger`: then the rest is released and it fails", async () => {
    const source = new ScriptedSource(messages("a", "b", "c"));
    const sink = new HeldSink("held");
    sink.onSend = (count) => {
      if (count === 3) setTimeout(() => sink.held[1]?.(), 20);
    };
    await expect(run(source, sink, { linger: 0.1 })).rejects.toMatchObject({
      code: "TRANSFER_PENDING",
      message: "2 pending messages",
    });
    expect(source.events).toEqual(["start", "ack 2", "release 1", "release 3", "stop"]);
    sink.held[0]?.();
    expect(source.events).not.toContain("ack 1");
  });

  test("releases everything unconfirmed when the sink fails, and throws the sink's error", async () => {
    const source = new ScriptedSource(messages("a", "b"), "none");
    const sink = new HeldSink("held");
    const error = new Error("gone");
    sink.onSend = (count) => {
      if (count === 2) setImmediate(() => sink.held.forEach((settle) => settle(error)));
    };
    await expect(run(source, sink)).rejects.toBe(error);
    expect(source.events).toEqual(["start", "release 1", "release 2", "stop"]);
    expect(sink.events.at(-1)).toBe("stop");
  });

  test("throws the source's error after what came before it was confirmed or released", async () => {
    const error = new Error("gone");
    const source = new ScriptedSource([...messages("a"), error]);
    const sink = new HeldSink();
    await expect(run(source, sink)).rejects.toBe(error);
    expect(source.events).toEqual(["start", "ack 1", "stop"]);
  });

  test("stops both sides when the sink cannot be started", async () => {
    const source = new ScriptedSource(messages("a"));
    const sink = new HeldSink();
    sink.start = () => Promise.reject(new Error("refused"));
    await expect(run(source, sink)).rejects.toThrow("refused");
    expect(source.events).toEqual(["stop"]);
    expect(sink.events).toEqual(["stop"]);
  });

  test("tells of what its source has rejected, puts an unsendable message aside, and goes on", async () => {
    const malformed: Arrival = { kind: "rejected", told: "no message; it stays" };
    const source = new ScriptedSource([malformed, ...messages("unsendable", "b")]);
    const sink = new HeldSink();
    expect(await run(source, sink)).toMatchObject({ received: 2, confirmed: 1, rejected: 2 });
    expect(source.events).toEqual(["start", "reject 1", "ack 2", "stop"]);
    expect(logged).toEqual(["test: no message; it stays\n", "test: place 1: not this one; it stays\n"]);
  });

  test("keeps at the sink what a source has no place for, as it came, and releases it if that fails", async () => {
    const kept: string[] = [];
    const rejecting = new ScriptedSource(messages("unsendable", "b"));
    rejecting.reject = (ticket, reason, elsewhere) => {
      rejecting.events.push(`reject ${String(ticket)}`);
      return `${reason}; ${elsewhere?.() ?? "it stays"}`;
    };
    const sink = Object.assign(new HeldSink(), {
      quarantine: ({ body, header }: Message, reason: string) => {
        kept.push(`${String(body)} ${JSON.stringify(header)} ${reason}`);
        return "it is kept";
      },
    });
    const checker = new Checker({ check: ({ header }) => void (header.changed = "yes") }, log);
    await run(rejecting, sink, { checker });
    expect(kept).toEqual(["unsendable {} not this one"]);
    expect(rejecting.events).toEqual(["start", "reject 1", "ack 2", "stop"]);
    expect(logged).toEqual(["test: not this one; it is kept\n"]);

    const failing = new ScriptedSource(messages("unsendable"));
    failing.reject = (_ticket, _reason, elsewhere) => elsewhere!();
    sink.quarantine = () => {
      throw new Error("disk full");
    };
    await expect(run(failing, sink)).rejects.toThrow("disk full");
    expect(failing.events).toEqual(["start", "release 1", "stop"]);

    const dry = new ScriptedSource(messages("unsendable"));
    dry.reject = (_ticket, _reason, elsewhere) => String(elsewhere);
    await run(dry, sink, { keep: true });
    expect(logged.at(-1)).toBe("test: undefined\n");
  });

  test("a lazy sink that is not there when the run is stopped leaves the message at its source", async () => {
    const controller = new AbortController();
    const source = new ScriptedSource(messages("a"), "none");
    const sink = new HeldSink();
    sink.start = notThere;
    setTimeout(() => controller.abort(), 50);
    const report = await run(source, sink, { lazy: true }, controller.signal);
    expect(report).toMatchObject({ received: 1, confirmed: 0 });
    expect(source.events).toEqual(["start", "release 1", "stop"]);
  });

  test("stopped before its sink is there does not start its source", async () => {
    const controller = new AbortController();
    const source = new ScriptedSource(messages("a"));
    const sink = new HeldSink();
    sink.start = notThere;
    setTimeout(() => controller.abort(), 20);
    expect(await run(source, sink, {}, controller.signal)).toMatchObject({ received: 0 });
    expect(source.events).toEqual(["stop"]);
  });

  test.each(["source", "sink", "lazy sink"])(
    "whose time is over before its %s is there has failed, and says so",
    async (which) => {
      const source = new ScriptedSource(messages("a"), "none");
      const sink = new HeldSink();
      if (which === "source") source.start = notThere;
      else sink.start = notThere;
      const started = Date.now();
      const running = run(source, sink, { duration: 0.1, lazy: which === "lazy sink" });
      await expect(running).rejects.toMatchObject({
        code: "BROKER_TIMEOUT",
        message: `${which.replace("lazy ", "")} was not there when the time of the run was over`,
      });
      expect(Date.now() - started).toBeLessThan(5000);
    },
  );

  test("gives a source a minute to be there, or as long as it may be inactive", async () => {
    vi.useFakeTimers();
    try {
      for (const [inactivity, seconds] of [
        [0, 60],
        [90, 90],
      ] as const) {
        const source = new ScriptedSource([]);
        source.start = notThere;
        let error: unknown;
        void run(source, new HeldSink(), { inactivity }).catch((reason: unknown) => (error = reason));
        await vi.advanceTimersByTimeAsync(seconds * 1000 - 100);
        expect(error).toBeUndefined();
        await vi.advanceTimersByTimeAsync(200);
        expect(error).toMatchObject({ code: "BROKER_TIMEOUT" });
      }
    } finally {
      vi.useRealTimers();
    }
  });

  test("without any patience moves all that is there at once", async () => {
    const source = new ScriptedSource(messages("a", "b", "c"), "none");
    expect(await run(source, new HeldSink(), { inactivity: 0 })).toMatchObject({ confirmed: 3 });
  });

  test.each(["start", "idle", "stop"] as const)(
    "is not held up by a callback whose %s never ends",
    async (hook) => {
      const controller = new AbortController();
      const checker = new Checker({ [hook]: () => new Promise(() => undefined) }, log);
      const source = new ScriptedSource([{ kind: "none" }], "none");
      setTimeout(() => controller.abort(), 50);
      await run(source, new HeldSink(), { checker, linger: 0 }, controller.signal);
      expect(logged).toEqual(
        hook === "stop" ? ["test: warning: The callback's stop has not ended within 10 s\n"] : [],
      );
      if (hook === "idle")
        await run(new ScriptedSource([{ kind: "none" }], "none"), new HeldSink(), {
          checker,
          duration: 0.05,
        });
    },
  );

  test("fails if the start of its callback has not ended in time", async () => {
    const checker = new Checker({ start: () => new Promise(() => undefined) }, log);
    await expect(
      run(new ScriptedSource([], "none"), new HeldSink(), { checker, duration: 0.05 }),
    ).rejects.toMatchObject({ code: "CALLBACK_FAILED" });
  });

  test("waits for the stop of a callback that takes its time", async () => {
    let isStopped = false;
    const stop = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      isStopped = true;
    };
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20);
    await run(
      new ScriptedSource([], "none"),
      new HeldSink(),
      { checker: new Checker({ stop }, log), linger: 0 },
      controller.signal,
    );
    expect(isStopped).toBe(true);
    expect(logged).toEqual([]);
  });

  test("throws why its sink can send nothing any more", async () => {
    const sink = Object.assign(new HeldSink(), { failure: undefined as Error | undefined });
    const failure = new Error("gone for good");
    setTimeout(() => (sink.failure = failure), 20);
    await expect(run(new ScriptedSource([], "none"), sink)).rejects.toBe(failure);
  });

  test("lets timers run while it has a lot to do", async () => {
    const source = new ScriptedSource(
      messages(...Array.from({ length: 20_000 }, (_, index) => String(index))),
    );
    const sink = new HeldSink();
    sink.events.push = () => 0;
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await run(source, sink);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(1);
  });
});
