import type net from "node:net";
import { BrokerError, deadline, MessageError, watch, type Header } from "@spoolwire/message";
import { protocolError, quote } from "./errors.js";
import { versions, type Frame, type ReceivedFrame, type Version } from "./frame.js";
import { formatHeartBeat, negotiate, noHeartBeat, parseHeartBeat, type HeartBeat } from "./heartbeat.js";
import { defaultLimits, type FrameLimits, type TooLarge } from "./parser.js";
import { Receipts, type Confirmed } from "./receipts.js";
import { connectSocket, type Way } from "./socket.js";
import type { Trace } from "./trace.js";
import { formatUri, type BrokerUri } from "./uri.js";
import { Wire } from "./wire.js";

export interface ConnectionOptions extends Way {
  readonly login?: string;
  readonly passcode?: string;
  /** More headers for CONNECT, such as `host` or `client-id`; `accept-version` narrows the versions. */
  readonly headers?: Readonly<Header>;
  /** What we offer (default: no heart-beats). */
  readonly heartBeat?: HeartBeat;
  /** How long the way to CONNECTED may take, milliseconds (default 60,000). */
  readonly timeoutMs?: number;
  /**
   * How long the broker may take to confirm a request, or to take bytes when many wait, milliseconds (default
   * 60,000). Then the connection is given up.
   */
  readonly answerMs?: number;
  readonly limits?: Partial<FrameLimits>;
  /** Told of all that happens. */
  readonly trace?: Trace;
  /** A MESSAGE came. */
  readonly onMessage?: (frame: ReceivedFrame) => void;
  /** A MESSAGE came whose body is beyond the limit, and was not kept. Without this it ends the connection. */
  readonly onTooLarge?: ((message: TooLarge) => void) | undefined;
  /** The connection is over: called exactly once, with an error unless `close` or `destroy` was called before. */
  readonly onClosed?: (error?: Error) => void;
  /** Gives up connecting, with its own reason; after that it has no meaning. */
  readonly signal?: AbortSignal | undefined;
}

/** So often a broker is asked that closes the connection without an answer. */
const MOST_ATTEMPTS = 3;

/** How long a broker may take for an answer, milliseconds. */
const ANSWER_MS = 60_000;

/**
 * A client's connection to a STOMP broker.
 *
 * What was sent with `request` is confirmed in any order, or fails when the connection ends, with the
 * error that ended it: then it is not known whether the broker has it.
 *
 * @example
 * const connection = await StompConnection.open({ uri: parseUri("stomp://localhost:61613") });
 * await connection.confirm({ command: "SEND", headers: { destination: "/queue/a" }, body: "hello" });
 * await connection.close();
 */
export class StompConnection {
  /** The headers of CONNECTED: `server` and `session` tell which broker this is. */
  headers: Readonly<Header> = {};
  readonly #options: ConnectionOptions;
  readonly #wire: Wire;
  readonly #receipts: Receipts;
  #connected: Confirmed | undefined;
  #closed = false;
  #closing: Promise<boolean> | undefined;
  readonly #over: Promise<void>;
  #end: () => void = () => undefined;

  /**
   * Connect, log in and agree on a version. A broker that closes without an answer is asked again, three
   * times in all: ActiveMQ forgets the ERROR for a wrong password once in a hundred times.
   * @throws BrokerError BROKER_CONNECT, BROKER_AUTH, BROKER_REJECTED, BROKER_TIMEOUT, BROKER_PROTOCOL;
   * MessageError MESSAGE_NOT_SENDABLE for a header that CONNECT cannot hold
   */
  static async open(options: ConnectionOptions): Promise<StompConnection> {
    const { uri, timeoutMs = ANSWER_MS, signal } = options;
    const until = performance.now() + timeoutMs;
    for (let attempt = 1; ; attempt++) {
      signal?.throwIfAborted();
      try {
        return await StompConnection.#attempt(options, until);
      } catch (error) {
        signal?.throwIfAborted();
        const isSilent = error instanceof BrokerError && error.code === "BROKER_CLOSED";
        if (!isSilent || attempt === MOST_ATTEMPTS) throw explain(error as Error, uri);
      }
    }
  }

  /** @throws BrokerError BROKER_CLOSED if the broker closed without an answer */
  static async #attempt(options: ConnectionOptions, until: number): Promise<StompConnection> {
    const { timeoutMs = ANSWER_MS, signal } = options;
    const { uri, address = uri.host, trace } = options;
    trace?.tell("connection", `connecting to ${formatUri(uri)} at ${address}`);
    const socket = connectSocket(options);
    return await new Promise<StompConnection>((resolve, reject) => {
      const done = (error?: Error) => {
        inTime();
        signal?.removeEventListener("abort", aborted);
        socket.off("error", done);
        if (error) {
          socket.destroy();
          reject(error);
        } else resolve(opening);
      };
      const late = () => done(new BrokerError("BROKER_TIMEOUT", `No answer within ${timeoutMs / 1000} s`));
      const aborted = () => done(new BrokerError("BROKER_CLOSED", "Given up"));
      const inTime = deadline(until - performance.now(), late);
      signal?.addEventListener("abort", aborted);
      socket.on("error", done);
      const opening = new StompConnection(socket, options, done);
      try {
        opening.#greet();
      } catch (error) {
        done(error as Error);
      }
    });
  }

  private constructor(socket: net.Socket, options: ConnectionOptions, connected: Confirmed) {
    this.#options = options;
    this.#connected = connected;
    this.#wire = new Wire(
      socket,
      {
        onFrame: (frame) => this.#receive(frame),
        onClosed: (error) => this.#close(error),
        ...(options.onTooLarge && { onTooLarge: options.onTooLarge }),
      },
      { ...defaultLimits, ...options.limits },
      options.trace,
    );
    this.#receipts = new Receipts(options.answerMs ?? ANSWER_MS, (error) => this.destroy(error));
    this.#over = new Promise((resolve) => (this.#end = resolve));
  }

  get version(): Version {
    return this.#wire.version;
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#closed;
  }

  /** Send a frame. False: the sender should await `drained` before the next. */
  send(frame: Frame): boolean {
    this.#options.trace?.tell("api", `${frame.command} without receipt`);
    return this.#wire.send(frame);
  }

  /** Send a frame with a receipt, and call back once the broker has confirmed it. As `send` otherwise. */
  request(frame: Frame, confirmed: Confirmed): boolean {
    return this.#request(this.#receipts.next(), frame, confirmed);
  }

  /**
   * As `request`, as a promise.
   * @param timeoutMs after so long it fails alone, milliseconds (default: it waits for as long as the connection)
   * @throws BrokerError, BROKER_TIMEOUT after `timeoutMs`
   */
  async confirm(frame: Frame, timeoutMs = Infinity): Promise<void> {
    const receipt = this.#receipts.next();
    await new Promise<void>((resolve, reject) => {
      const done = (error?: Error) => {
        inTime();
        if (error) reject(error);
        else resolve();
      };
      const inTime = deadline(timeoutMs, () => {
        this.#receipts.forget(receipt);
        done(
          new BrokerError("BROKER_TIMEOUT", `No receipt for ${frame.command} within ${timeoutMs / 1000} s`),
        );
      });
      try {
        this.#request(receipt, frame, done);
      } catch (error) {
        done(error as Error);
      }
    });
  }

  /** Resolves when there is room for more frames, or the connection is over. */
  async drained(): Promise<void> {
    const { answerMs = ANSWER_MS } = this.#options;
    const inTime = watch(
      answerMs,
      () => this.#wire.backlog,
      () =>
        this.destroy(new BrokerError("BROKER_TIMEOUT", `The broker takes nothing for ${answerMs / 1000} s`)),
    );
    await this.#wire.drained();
    inTime();
  }

  /** Resolves to whether the network has taken all that was sent, before `timeoutMs` and the end of the connection. */
  async flushed(timeoutMs: number): Promise<boolean> {
    let cancel: () => void = () => undefined;
    const late = new Promise<boolean>((resolve) => (cancel = deadline(timeoutMs, () => resolve(false))));
    const isFlushed = await Promise.race([this.#wire.flushed(), late]);
    cancel();
    return isFlushed;
  }

  /** Stop reading; no MESSAGE comes after those that are here already. */
  pause(): void {
    this.#options.trace?.tell("api", "pause");
    this.#wire.pause();
  }

  resume(): void {
    this.#options.trace?.tell("api", "resume");
    this.#wire.resume();
  }

  /**
   * Say goodbye, wait until the broker has seen all that was sent before, and close. Resolves to whether it
   * has: a broker that does not answer within `timeoutMs` (default 60,000) is left. Requests that are not
   * confirmed by then fail. May be called twice, with the same promise.
   * @throws BrokerError BROKER_REJECTED if the broker answers that it refuses something that was sent
   */
  close(timeoutMs = 60_000): Promise<boolean> {
    this.#options.trace?.tell("api", "close");
    return (this.#closing ??= this.#sayGoodbye(timeoutMs));
  }

  /** Close at once, without a word. */
  destroy(error?: Error): void {
    this.#wire.destroy(error);
  }

  #request(receipt: string, frame: Frame, confirmed: Confirmed): boolean {
    this.#options.trace?.tell("api", `${frame.command} with receipt ${receipt}`);
    if (this.#closed) {
      confirmed(new BrokerError("BROKER_CLOSED", "The connection has ended"));
      return true;
    }
    const hasRoom = this.#wire.send(frame, receipt);
    this.#receipts.add(receipt, frame.command, confirmed);
    return hasRoom;
  }

  #greet(): void {
    const { login, passcode, headers, heartBeat = noHeartBeat } = this.#options;
    this.#wire.send({
      command: "CONNECT",
      headers: {
        "accept-version": versions.join(","),
        "heart-beat": formatHeartBeat(heartBeat),
        ...(login !== undefined && { login }),
        ...(passcode !== undefined && { passcode }),
        ...headers,
      },
      body: "",
    });
  }

  async #sayGoodbye(timeoutMs: number): Promise<boolean> {
    if (this.#closed) return false;
    this.resume();
    let failure: unknown;
    try {
      await this.confirm({ command: "DISCONNECT", headers: {}, body: "" }, timeoutMs);
    } catch (error) {
      failure = error;
    }
    // Either way nothing is left to say: waiting for the broker's end could last for ever.
    this.#wire.destroy();
    await this.#over;
    if (failure instanceof BrokerError && failure.code === "BROKER_REJECTED") throw failure;
    // The connection ended first, or the broker is stuck.
    return failure === undefined;
  }

  #receive(frame: ReceivedFrame): void {
    const { command } = frame;
    const isFirst = this.#connected !== undefined;
    if (isFirst !== (command === "CONNECTED") && command !== "ERROR") {
      throw protocolError(`Expected ${isFirst ? "CONNECTED" : "MESSAGE, RECEIPT or ERROR"}, got ${command}`);
    }
    switch (command) {
      case "MESSAGE":
        this.#options.onMessage?.(frame);
        break;
      case "RECEIPT":
        this.#options.trace?.tell("api", `receipt ${quote(frame.headers["receipt-id"] ?? "without an id")}`);
        this.#receipts.settle(frame.headers["receipt-id"]);
        break;
      case "ERROR":
        this.#reject(frame);
        break;
      case "CONNECTED":
        this.#start(frame);
        break;
      default:
        throw protocolError(`Expected MESSAGE, RECEIPT or ERROR, got ${command}`);
    }
  }

  #start(frame: ReceivedFrame): void {
    const version = (frame.headers.version ?? "1.0") as Version;
    if (!versions.includes(version)) {
      throw protocolError(`Expected STOMP ${versions.join(", ")}, got version "${quote(version)}"`);
    }
    this.#wire.version = version;
    this.headers = frame.headers;
    const { heartBeat = noHeartBeat } = this.#options;
    const agreed = negotiate(heartBeat, parseHeartBeat(frame.headers["heart-beat"]));
    this.#wire.startHeart(agreed);
    const { server = "unknown" } = frame.headers;
    this.#options.trace?.tell(
      "connection",
      `connected to ${quote(server)} with STOMP ${version}, heart-beats ${formatHeartBeat(agreed)}`,
    );
    this.#connected?.();
    this.#connected = undefined;
  }

  #reject(frame: ReceivedFrame): void {
    const text = `${frame.headers.message ?? ""} ${frame.body.toString("utf8")}`;
    const secret = this.#options.headers?.passcode ?? this.#options.passcode;
    // Some brokers quote the frame that they refuse.
    const words = quote(secret ? text.replaceAll(secret, "…") : text) || "no reason given";
    if (this.#connected) {
      const isAuth = /access|auth|log ?in|password|passcode|credential|user/i.test(words);
      throw new BrokerError(
        isAuth ? "BROKER_AUTH" : "BROKER_REJECTED",
        `The broker refuses the connection: ${words}`,
      );
    }
    const error = new BrokerError("BROKER_REJECTED", `The broker refuses: ${words}`);
    // Without a receipt-id nobody can tell which frame is meant, so none may count as taken.
    if (!this.#receipts.settle(frame.headers["receipt-id"], error)) throw error;
  }

  #close(error?: Error): void {
    this.#closed = true;
    const why = error ?? new BrokerError("BROKER_CLOSED", "The connection was closed");
    this.#options.trace?.tell("connection", why.message);
    this.#connected?.(why);
    this.#receipts.fail(why);
    if (!this.#connected) this.#options.onClosed?.(this.#closing ? undefined : error);
    this.#end();
  }
}

/** What a failed attempt means, naming the broker. */
function explain(error: Error, uri: BrokerUri): Error {
  if (error instanceof MessageError) return error;
  const where = formatUri(uri);
  if (error instanceof BrokerError && error.code !== "BROKER_CLOSED") {
    const { code, canRetry } = error;
    return new BrokerError(code, `${where}: ${error.message}`, { canRetry, cause: error });
  }
  const why = error.message || (error as NodeJS.ErrnoException).code;
  return new BrokerError("BROKER_CONNECT", `Cannot connect to ${where}: ${why}`, { cause: error });
}
