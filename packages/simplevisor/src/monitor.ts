import { timerMs } from "@spoolwire/program";
import { holds, type Probe, type ProbeContext } from "./probe.js";
import type { Service } from "./service.js";

/** While a service becomes ready it is looked at so often, milliseconds. */
const READY_MS = 100;

/** A service is broken when it was found ill so often in a row. */
const ILL = 3;

export interface MonitorOptions {
  readonly ready: Probe | undefined;
  readonly health: Probe | undefined;
  /** Seconds between two looks at its health. */
  readonly healthInterval: number;
  readonly context: ProbeContext;
}

/** The part of a service that is told what was found out. */
export type Watched = Pick<Service, "phase" | "ready" | "broken">;

/** Finds out whether a service is ready, and whether it stays well. */
export class Monitor {
  readonly #options: MonitorOptions;
  readonly #service: Watched;
  #timer: NodeJS.Timeout | undefined;
  #ill = 0;

  constructor(options: MonitorOptions, service: Watched) {
    this.#options = options;
    this.#service = service;
  }

  /** Its process is there: see when it is ready. */
  begin(): void {
    clearTimeout(this.#timer);
    this.#ill = 0;
    if (!this.#options.ready) {
      this.#service.ready();
      this.watch();
    } else void this.#lookReady(this.#options.ready);
  }

  /** It is ready: see that it stays well. */
  watch(): void {
    clearTimeout(this.#timer);
    if (this.#options.health) this.#later(timerMs(this.#options.healthInterval), () => this.#lookHealth());
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #lookReady(probe: Probe): Promise<void> {
    const isReady = await holds(probe, this.#options.context);
    if (this.#service.phase !== "starting") return;
    if (!isReady) return this.#later(READY_MS, () => this.#lookReady(probe));
    this.#service.ready();
    this.watch();
  }

  async #lookHealth(): Promise<void> {
    const { health } = this.#options;
    if (!health || this.#service.phase !== "running") return;
    this.#ill = (await holds(health, this.#options.context)) ? 0 : this.#ill + 1;
    if (this.#ill < ILL) return this.watch();
    this.#ill = 0;
    this.#service.broken(`was found ill ${ILL} times in a row`);
  }

  #later(ms: number, look: () => Promise<void>): void {
    this.#timer = setTimeout(() => void look(), ms).unref();
  }
}
