import { inspect } from "node:util";
import { Message } from "@spoolwire/message";
import type { Logger, Properties } from "@spoolwire/program";
import { CallbackError } from "./errors.js";

/**
 * A user's own code on the way of the messages. Every function is optional and may be async; messages wait for
 * `check`, so that they keep their order.
 */
export interface Callback {
  /** Before anything else; `data` is what `--callback-data` says. */
  start?(data: Properties): unknown;
  /**
   * For each message: what it returns is sent instead. Nothing: the message, which may have been changed. A
   * string: the message is dropped, for that reason, and its source told that it is done.
   */
  check?(message: Message): unknown;
  /** When no message came for a second, and each second after that. */
  idle?(): unknown;
  /** When all is done, whatever it was; only after a `start` that did not fail. */
  stop?(): unknown;
}

/** What becomes of a message for which `check` fails: it is put aside, dropped, or the last one of the run. */
export const callbackPolicies = ["quarantine", "skip", "stop"] as const;
export type CallbackPolicy = (typeof callbackPolicies)[number];

/** What to do with a message. */
export type Verdict =
  | { readonly kind: "send"; readonly message: Message }
  | { readonly kind: "drop" }
  | { readonly kind: "reject"; readonly error: CallbackError };

export interface CheckerOptions {
  /** Default "quarantine". */
  readonly policy?: CallbackPolicy | undefined;
  /** For the callback's start. */
  readonly data?: Properties | undefined;
}

/** A callback, and what is to be done when it fails. */
export class Checker {
  readonly #callback: Callback;
  readonly #policy: CallbackPolicy;
  readonly #data: Properties;
  readonly #log: Logger;
  #isStarted = false;

  constructor(callback: Callback, log: Logger, { policy = "quarantine", data = {} }: CheckerOptions = {}) {
    this.#callback = callback;
    this.#policy = policy;
    this.#data = data;
    this.#log = log;
  }

  /** @throws CallbackError */
  async start(): Promise<void> {
    await this.#call("start", () => this.#callback.start?.(this.#data));
    this.#isStarted = true;
  }

  /** Ask about a message; a promise only if `check` is async. @throws CallbackError if that is to stop the run */
  check(message: Message): Verdict | Promise<Verdict> {
    try {
      const answer = this.#callback.check?.(message);
      return answer instanceof Promise ? this.#later(answer, message) : this.#verdict(answer, message);
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** @throws CallbackError if that is to stop the run */
  async idle(): Promise<void> {
    try {
      await this.#call("idle", () => this.#callback.idle?.());
    } catch (error) {
      if (this.#policy === "stop") throw error;
      this.#log.error((error as Error).message);
    }
  }

  /** May be called without a start that went well. @throws CallbackError */
  async stop(): Promise<void> {
    if (this.#isStarted) await this.#call("stop", () => this.#callback.stop?.());
  }

  async #call(name: string, work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw failed(name, error);
    }
  }

  async #later(answer: Promise<unknown>, message: Message): Promise<Verdict> {
    try {
      return this.#verdict(await answer, message);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #verdict(answer: unknown, message: Message): Verdict {
    if (typeof answer === "string") {
      this.#log.debug(`dropped: ${answer}`);
      return { kind: "drop" };
    }
    if (answer === undefined || answer === message) return { kind: "send", message: checked(message) };
    if (typeof answer !== "object" || answer === null || !("header" in answer && "body" in answer)) {
      throw new TypeError(`Expected a message, a string or nothing, got ${show(answer)}`);
    }
    return {
      kind: "send",
      message: checked(answer instanceof Message ? answer : new Message(answer as Message)),
    };
  }

  #failed(cause: unknown): Verdict {
    const error = failed("check", cause);
    if (this.#policy === "stop") throw error;
    if (this.#policy === "quarantine") return { kind: "reject", error };
    this.#log.error(`${error.message}; the message is dropped`);
    return { kind: "drop" };
  }
}

const show = (value: unknown) => inspect(value, { depth: 0, breakLength: Infinity });

function failed(name: string, cause: unknown): CallbackError {
  const words = cause instanceof Error ? cause.message : String(cause);
  return new CallbackError(`The callback's ${name} failed: ${words}`, { cause });
}

/** Code without types easily makes a header of numbers and booleans; anything else is a mistake. */
function checked(message: Message): Message {
  const { header, body } = message as { header: Record<string, unknown>; body: unknown };
  for (const name in header) {
    const value = header[name];
    if (typeof value === "string") continue;
    if (typeof value !== "number" && typeof value !== "boolean") {
      throw new TypeError(`Expected header ${name} to be a string, got ${show(value)}`);
    }
    header[name] = String(value);
  }
  if (typeof body !== "string" && !Buffer.isBuffer(body)) {
    throw new TypeError(`Expected the body to be a string or a Buffer, got ${show(body)}`);
  }
  return message;
}
