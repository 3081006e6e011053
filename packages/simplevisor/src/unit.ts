import type { Logger } from "@spoolwire/program";
import { isUp, type Surroundings } from "./child.js";
import { Commanded } from "./commanded.js";
import type { ServiceSpec } from "./entry.js";
import { Monitor, type Watched } from "./monitor.js";
import type { ServiceOutput } from "./output.js";
import { Notified } from "./notified.js";
import { Owner } from "./owner.js";
import type { Place } from "./place.js";
import { runCommand, type Slots } from "./run.js";
import { Service, type Hands } from "./service.js";
import { waysOf } from "./ways.js";

/** What units share. */
export interface Workshop extends Surroundings {
  readonly log: Logger;
  readonly place: Place;
  /** What the service of a path writes; one for all that have the path one after the other. */
  readonly output: (path: string) => ServiceOutput;
  /** For all commands of all services. */
  readonly slots: Slots;
  /** Lets starts take turns. */
  readonly turn: (work: () => void) => void;
  /** Something has happened to a service: the tree must decide. */
  readonly settle: () => void;
}

/** A service with what does its work. */
export class Unit {
  readonly spec: ServiceSpec;
  readonly service: Service;
  readonly output: ServiceOutput | undefined;
  readonly #workshop: Workshop;
  readonly #monitor: Monitor;
  readonly #hands: Owner | Commanded;
  readonly #notified: Notified | undefined;
  /** Whose place it takes, as long as that may still be there. */
  #before: Unit | undefined;

  constructor(spec: ServiceSpec, path: string, workshop: Workshop, before?: Unit) {
    this.spec = spec;
    this.#before = before;
    this.#workshop = workshop;
    const { form } = spec;
    const { settle } = workshop;
    if (form.kind === "run") {
      this.output = workshop.output(path);
    }
    if (spec.ready?.kind === "notify") this.#notified = new Notified(workshop.place.notifyOf(path));
    let hands: Owner | Commanded | undefined;
    const policy = { ...spec, path };
    this.service = new Service(policy, workshop, (service): Hands => {
      hands = form.kind === "run" ? this.#owner(form.words, path, service) : this.#commanded(form, service);
      return hands;
    });
    this.#hands = hands!;
    const context = {
      timeout: spec.timeout,
      run: (words: readonly string[]) => this.#run(words),
      isNotified: () => this.#notified?.isReady ?? false,
      lines: () => this.output?.lines ?? [],
    };
    this.#monitor = new Monitor({ ...spec, context }, settling(this.service, settle));
  }

  /** Find out whether it runs already: started by our forerunner, or by somebody else. */
  async look(): Promise<void> {
    if (this.#hands instanceof Commanded) return await this.#hands.poll();
    const process = this.#workshop.place.recordOf(this.service.path).read();
    if (process && this.#hands.adopt(process)) {
      this.service.found(process.pid);
      this.#monitor.watch();
      // It runs, and has said that it is ready: that it is not heard any more is no reason to leave all of them alone.
      await this.#notified?.listen().catch(({ message: words }: Error) => {
        this.#workshop.report({ type: "problem", path: this.service.path, words });
      });
    }
  }

  /** Nobody may be in the way of what is started. @param writers groups by the path of what they write to */
  clear(writers: ReadonlyMap<string, Iterable<number>>): void {
    const groups = this.output && writers.get(this.output.path);
    if (groups && this.#hands instanceof Owner) this.#hands.clear(groups);
  }

  /** A cycle of supervision: look at what would not tell by itself. */
  async poll(): Promise<void> {
    if (!this.#hasPlace()) return;
    if (this.#hands instanceof Commanded) await this.#hands.poll();
    else this.#hands.record();
  }

  /** Run its own restart command. Undefined: it has none; else the exit status. */
  async restartByCommand(): Promise<number | undefined> {
    const { form } = this.spec;
    const hands = this.#hands;
    if (form.kind !== "commands" || !form.restart || !(hands instanceof Commanded)) return undefined;
    if (this.service.phase !== "running") return undefined;
    const { restart } = form;
    return await hands.restart(() => this.#run(restart));
  }

  /** What is found before that is not ours, and about to be stopped. */
  #hasPlace(): boolean {
    if (this.#before && !isUp(this.#before.service) && this.#before.#hasPlace()) this.#before = undefined;
    return !this.#before;
  }

  /** Let go of it, whether it runs or not. */
  close(): void {
    this.#monitor.close();
    this.#notified?.close();
  }

  #owner(words: readonly string[], path: string, service: Service): Owner {
    const { place, turn, settle, report } = this.#workshop;
    const { env, cwd } = this.spec;
    const record = place.recordOf(path);
    const notified = this.#notified;
    const socket = notified && { NOTIFY_SOCKET: notified.path };
    const prepare = notified && (() => notified.listen());
    return new Owner(
      { words, env: { ...process.env, ...socket, ...env }, cwd, output: this.output!, record, prepare, turn },
      {
        began: (pid) => {
          service.began(pid);
          this.#monitor.begin();
          settle();
        },
        ended: (outcome) => {
          notified?.close();
          service.ended(outcome);
          settle();
        },
        problem: (words) => report({ type: "problem", path, words }),
      },
    );
  }

  #commanded(form: Exclude<ServiceSpec["form"], { kind: "run" }>, service: Service): Commanded {
    const { settle } = this.#workshop;
    const ways = waysOf(
      form,
      (words) => this.#run(words),
      this.spec.timeout,
      (line) => this.#debug(line),
    );
    return new Commanded(ways, {
      get phase() {
        return service.phase;
      },
      get isWanted() {
        return service.isWanted;
      },
      pause: () => this.#pause(),
      began: () => service.began(),
      ready: () => this.#monitor.begin(),
      found: () => (service.found(), this.#monitor.watch(), settle()),
      broken: (words) => (service.broken(words), settle()),
      ended: (outcome) => (service.ended(outcome), settle()),
    });
  }

  async #run(words: readonly string[]): Promise<number> {
    const { slots, place } = this.#workshop;
    const { timeout, cwd } = this.spec;
    const env = { ...process.env, ...this.spec.env };
    const began = (pid: number) => place.noteCommand(pid);
    const line = (text: string) => this.#debug(text);
    const run = () => runCommand(words, { timeout, cwd, env, began, line });
    if (!slots.isBusy) return await slots.with(run);
    const resume = this.#pause();
    return await slots.with(() => (resume(), run()));
  }

  /** Its deadline does not run until what is returned is called. */
  #pause(): () => void {
    const resume = this.service.pause();
    return () => (resume(), this.#workshop.settle());
  }

  /** What its commands say. */
  #debug(line: string): void {
    this.#workshop.log.debug(`${this.service.path}| ${line}`);
  }
}

/** The service as its monitor sees it: whatever it tells, the tree decides at once. */
function settling(service: Service, settle: () => void): Watched {
  return {
    get phase() {
      return service.phase;
    },
    ready: () => (service.ready(), settle()),
    broken: (words) => (service.broken(words), settle()),
  };
}
