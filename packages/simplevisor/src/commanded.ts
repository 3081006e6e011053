import { setTimeout as sleep } from "node:timers/promises";
import type { Hands } from "./service.js";

/** LSB statuses of a status command. */
export const LSB = Object.freeze({ running: 0, stopped: 3 });

/** While a service comes or goes, it is asked so often, milliseconds. */
const ASK_MS = 200;

/** The ways to a service that runs outside of our hands. Each resolves to an exit status. */
export interface Ways {
  start(): Promise<number>;
  stop(): Promise<number>;
  /** 0: it runs; 3: it does not; all else: it is broken. */
  status(): Promise<number>;
  /** With force. Undefined: there is no such way. */
  kill: (() => Promise<void>) | undefined;
}

/** The part of a Service that is told what was found out. */
export interface Asked {
  readonly phase: string;
  readonly isWanted: boolean;
  /** Its deadline does not run until what is returned is called. */
  pause(): () => void;
  began(): void;
  ready(): void;
  found(): void;
  broken(words: string): void;
  ended(outcome: { readonly isOk: boolean; readonly words: string }): void;
}

/** Starts, stops and asks a service by commands. One thing at a time: a new order ends what an older one waits for. */
export class Commanded implements Hands {
  readonly #ways: Ways;
  readonly #service: Asked;
  #order = 0;
  #isPolling = false;
  /** Its start or restart command, as long as that is at work. */
  #working: Promise<unknown> | undefined;

  constructor(ways: Ways, service: Asked) {
    this.#ways = ways;
    this.#service = service;
  }

  start(): void {
    void this.#obey(async (isCurrent) => {
      const before = await this.#ways.status();
      if (!isCurrent()) return;
      if (before !== LSB.running) {
        // Whatever is left of it would be in the way.
        if (before !== LSB.stopped) await this.#ways.stop();
        if (!isCurrent()) return;
        const status = await this.#work(this.#ways.start());
        if (!isCurrent()) return;
        if (status !== 0) {
          this.#service.ended({ isOk: false, words: `its start command ended with ${status}` });
          return;
        }
        this.#service.began();
        if (!(await this.#wait(LSB.running, isCurrent))) return;
      }
      this.#service.ready();
    });
  }

  stop(): void {
    void this.#obey(async (isCurrent) => {
      // What it still starts would be there after we have stopped it. That has a limit of its own.
      const resume = this.#service.pause();
      await this.#working;
      resume();
      if (!isCurrent()) return;
      const status = await this.#ways.stop();
      if (!(await this.#wait(LSB.stopped, isCurrent))) return;
      this.#service.ended({ isOk: true, words: `its stop command ended with ${status}` });
    });
  }

  kill(): void {
    void this.#obey(async (isCurrent) => {
      await this.#ways.kill?.();
      if (!isCurrent()) return;
      const words = this.#ways.kill ? "killed" : "does not stop, and is left alone";
      this.#service.ended({ isOk: false, words });
    });
  }

  /** Restart it by a command of its own: that it is down meanwhile is no failure. @returns the exit status */
  async restart(run: () => Promise<number>): Promise<number> {
    this.#order++;
    return await this.#work(run());
  }

  /** Look how it is, unless an order is being obeyed. */
  async poll(): Promise<void> {
    if (this.#isPolling || this.#working) return;
    if (this.#service.phase === "starting" || this.#service.phase === "stopping") return;
    this.#isPolling = true;
    const order = this.#order;
    try {
      const status = await this.#ways.status();
      if (order !== this.#order) return;
      if (status === LSB.running) this.#service.found();
      else if (this.#service.phase === "running") {
        if (status === LSB.stopped) this.#service.ended({ isOk: false, words: "does not run any more" });
        else this.#service.broken(`its status is ${status}`);
      } else if (status !== LSB.stopped && !this.#service.isWanted) this.#service.found();
    } finally {
      this.#isPolling = false;
    }
  }

  async #work(command: Promise<number>): Promise<number> {
    this.#working = command;
    try {
      return await command;
    } finally {
      if (this.#working === command) this.#working = undefined;
    }
  }

  async #obey(work: (isCurrent: () => boolean) => Promise<void>): Promise<void> {
    const order = ++this.#order;
    await work(() => order === this.#order);
  }

  /** Ask until the status is that. False: there is a new order. The service's own deadlines see to an end. */
  async #wait(wanted: number, isCurrent: () => boolean): Promise<boolean> {
    while (isCurrent()) {
      const status = await this.#ways.status();
      if (!isCurrent()) return false;
      if (status === wanted) return true;
      await sleep(ASK_MS, undefined, { ref: false });
    }
    return false;
  }
}
