import type { Socket } from "node:net";
import { BrokerError, type Header } from "@spoolwire/message";
import { setUp, type Frame, type ReceivedFrame } from "@spoolwire/stomp";
import type { Destinations } from "./destinations.js";
import { Refusal, toldToClient } from "./errors.js";
import { logIn } from "./login.js";
import type { Settings } from "./options.js";
import { ServerWire } from "./server-wire.js";
import { Session, type Counts, type Outlet } from "./session.js";
import type { Task, Turns } from "./turns.js";

/** A client is not read from while so many of its frames wait for their turn, or one with so large a body. */
const MOST_WAITING = 100;
const LARGE = 64 * 1024;

/** A client of a topic may have so many bytes to read before it is given up. */
const MOST_UNREAD = 32 * 1024 * 1024;

/** How long a client may take to read the last frames and to close, milliseconds. */
const LINGER_MS = 3000;

/** What is being done for a frame. */
interface Work {
  readonly steps: Generator;
  readonly frame: ReceivedFrame;
}

/** What all connections share. */
export interface Common {
  readonly settings: Settings;
  readonly destinations: Destinations;
  readonly turns: Turns;
  readonly counts: Counts;
}

/**
 * A client's connection, from its first byte to its last. Its frames are handled in their order, by
 * turns with all others, and what it sent before it closed or broke the protocol still counts.
 */
export class Connection implements Task, Outlet {
  /** Resolves when the client is gone, and all is done that it had asked for. */
  readonly gone: Promise<void>;
  readonly #socket: Socket;
  readonly #common: Common;
  readonly #name: string;
  readonly #wire: ServerWire;
  #setGone: () => void = () => {};
  /** What happened and was not handled yet: a frame, an error, the end. */
  #inbox: (ReceivedFrame | Error | "closed")[] = [];
  #session: Session | undefined;
  #work: Work | undefined;
  /** We say no more, and listen to no more. */
  #isOver = false;
  /** The client does not read as fast as we send. */
  #isCongested = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, common: Common) {
    this.#socket = setUp(socket);
    this.#common = common;
    this.gone = new Promise((resolve) => (this.#setGone = resolve));
    this.#name = `${socket.remoteAddress}:${socket.remotePort}`;
    const { limits, loginMs } = common.settings;
    this.#wire = new ServerWire(
      socket,
      {
        onFrame: (frame) => this.#receive(frame),
        onBroken: (error) => this.#enqueue(error),
        onClosed: (error) => this.#closed(error),
      },
      limits,
    );
    const late = () => this.fail(new Refusal(`Expected CONNECT within ${loginMs / 1000} s`));
    if (loginMs > 0) this.#timer = setTimeout(late, loginMs);
  }

  get canTake(): boolean {
    return !this.#isOver && !this.#isCongested && this.#socket.writable;
  }

  get isStuck(): boolean {
    return this.#wire.backlog > MOST_UNREAD;
  }

  get subscriptionCount(): number {
    return this.#session?.subscriptionCount ?? 0;
  }

  /** Handle one frame, or a part of one. */
  step(): boolean {
    // Who does not read the answers is asked no more questions.
    if (this.#isCongested) return false;
    this.#work ??= this.#next();
    if (!this.#work) {
      this.#wire.resume();
      return false;
    }
    const { steps, frame } = this.#work;
    try {
      if (steps.next().done) this.#work = undefined;
    } catch (error) {
      this.fail(error as Error, frame);
    }
    return true;
  }

  send(frame: Frame): void {
    if (this.#wire.send(frame) || this.#isCongested) return;
    this.#isCongested = true;
    void this.#wire.drained().then(() => {
      this.#isCongested = false;
      this.#common.turns.wake(this);
      this.#session?.wake();
    });
  }

  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#work = undefined;
    // A client that has closed already has nothing more to come.
    this.#inbox = this.#inbox.filter((item) => item === "closed");
    this.#session?.release();
    this.#wire.end();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#wire.destroy(), LINGER_MS);
  }

  /** Tell the client what is wrong, and end the connection, as STOMP has it. */
  fail(error: Error, frame?: ReceivedFrame): void {
    if (this.#isOver) return;
    const what = frame?.command ?? "connection";
    this.#common.settings.log(`${this.#name}: ${what} refused: ${error.message}`);
    const headers: Header = { message: toldToClient(error), "content-type": "text/plain;charset=utf-8" };
    const receipt = frame?.headers.receipt;
    // What was wrong may be that STOMP 1.0 cannot say this.
    if (receipt !== undefined && !receipt.includes("\r")) headers["receipt-id"] = receipt;
    if (error instanceof Refusal) Object.assign(headers, error.headers);
    const body = `The broker refuses this ${frame ? `${what} frame` : what} and closes the connection.\n`;
    this.#wire.send({ command: "ERROR", headers, body });
    this.end();
  }

  #receive(frame: ReceivedFrame): void {
    if (this.#session) this.#enqueue(frame);
    // Not by turns: the frames that follow are read as the version has it that is agreed on here.
    else if (!this.#isOver) this.#logIn(frame);
  }

  #logIn(frame: ReceivedFrame): void {
    const { settings, destinations, counts } = this.#common;
    try {
      const { version, heartBeat, connected } = logIn(frame, settings);
      clearTimeout(this.#timer);
      this.#session = new Session(version, this, { destinations, prefetch: settings.prefetch, counts });
      this.send(connected);
      this.#wire.version = version;
      this.#wire.startHeart(heartBeat);
    } catch (error) {
      this.fail(error as Error, frame);
    }
  }

  #enqueue(item: ReceivedFrame | Error | "closed"): void {
    if (this.#isOver && item !== "closed") return;
    this.#inbox.push(item);
    const isLarge = typeof item === "object" && "body" in item && item.body.length >= LARGE;
    if (isLarge || this.#inbox.length >= MOST_WAITING) this.#wire.pause();
    this.#common.turns.wake(this);
  }

  #next(): Work | undefined {
    const item = this.#inbox.shift();
    if (item === "closed") this.#gone();
    else if (item instanceof Error) this.fail(item);
    else if (item && this.#session) return { steps: this.#session.handle(item), frame: item };
    return undefined;
  }

  #closed(error?: Error): void {
    if (error instanceof BrokerError && error.code === "BROKER_TIMEOUT") {
      this.#common.settings.log(`${this.#name}: ${error.message}`);
    }
    this.#enqueue("closed");
  }

  #gone(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#session?.release();
    this.#setGone();
  }
}
