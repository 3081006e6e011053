import { LONGEST_MS, timerMs } from "@spoolwire/program";
import type { Logger } from "@spoolwire/program";
import type { Child, ChildReport, Phase, Surroundings } from "./child.js";
import type { ServiceSpec, Spec } from "./entry.js";
import { logEvents } from "./event.js";
import type { Place } from "./place.js";
import { ServiceOutput } from "./output.js";
import { Pool } from "./pool.js";
import { isThere, signal, writersIn } from "./proc.js";
import { Slots } from "./run.js";
import type { Store } from "./store.js";
import { Supervisor, type SupervisorPolicy } from "./supervisor.js";
import { Unit, type Workshop } from "./unit.js";

/** A tree is let alone for so long when a timer is due at once: the clock of timers is coarse. */
const LEAST_MS = 1;

/** Whoever is in the configuration no more has so long to stop before it is killed: nothing else is known of it. */
const DISMISS_MS = 10_000;

export interface TreeOptions {
  readonly place: Place;
  readonly store: Store | undefined;
  readonly log: Logger;
  /** Commands that run at once. */
  readonly jobs: number;
}

/** A supervision tree at work: builds it from its entries, and lets the decisions meet the processes. */
export class Tree {
  readonly #options: TreeOptions;
  readonly #workshop: Workshop;
  readonly #units = new Map<string, Unit>();
  readonly #supervisors = new Map<string, Supervisor>();
  readonly #outputs = new Map<string, ServiceOutput>();
  readonly #pools = new Map<string, Pool>();
  /** Above the root entry: starts it again if it fails, for ever. */
  readonly #top: Supervisor;
  readonly #turns: (() => void)[] = [];
  readonly #observers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(spec: Spec, options: TreeOptions) {
    this.#options = options;
    const around: Surroundings = {
      clock: () => performance.now(),
      random: Math.random,
      report: logEvents(options.log),
    };
    this.#workshop = {
      ...around,
      ...{ log: options.log, place: options.place, slots: new Slots(options.jobs) },
      output: (path) => this.#output(path),
      turn: (work) => this.#takeTurn(work),
      settle: () => this.settle(),
    };
    this.#top = new Supervisor(topPolicy, [], around);
    this.use(spec);
  }

  /** The root entry. */
  get root(): Child {
    return this.#top.children[0]!;
  }

  /** Take over what runs, and begin to supervise. */
  async begin(): Promise<void> {
    const state = this.#options.store?.load();
    if (state?.name === this.root.name) this.root.load(state);
    await this.look();
    // Left by a service that died while nobody looked, or was started in the moment when our forerunner was killed.
    const writers = writersIn(this.#options.place.pipes);
    for (const unit of this.#units.values()) unit.clear(writers);
    for (const { service } of this.#units.values()) service.missed();
    for (const path of this.#options.place.recorded())
      if (!this.#units.get(path)?.output) this.#dismiss(path);
    this.#top.start();
    this.settle();
  }

  /** Be as these entries say from now on: what has not changed is not touched. */
  use(spec: Spec): void {
    this.#options.place.outputs(Array.from(ownedPaths(spec, "")));
    const child = this.#build(spec, "");
    this.#top.replace(topPolicy, [child]);
    // What is gone from the configuration is stopped by the tree; it is asked no more, nor if a supervisor has its name.
    for (const [path, unit] of this.#units) if (this.find(path) !== unit.service) this.#units.delete(path);
    for (const [path, pool] of this.#pools) {
      if (this.find(path)) continue;
      pool.close();
      this.#pools.delete(path);
    }
    this.settle();
  }

  /** A cycle of supervision: ask those that do not tell by themselves. */
  async cycle(): Promise<void> {
    await Promise.all(Array.from(this.#units.values(), (unit) => unit.poll()));
    if (this.#isClosed) return;
    this.settle();
    this.#top.endCycle();
    this.save();
  }

  save(): void {
    this.#options.store?.save(this.root.dump());
  }

  /** Let the tree decide, now and whenever something is due. */
  settle(): void {
    if (this.#isClosed) return;
    this.#top.step();
    clearTimeout(this.#timer);
    const { wakeMs } = this.#top;
    if (wakeMs !== Infinity) {
      const ms = Math.max(LEAST_MS, wakeMs - performance.now());
      this.#timer = setTimeout(() => this.settle(), Math.min(ms, LONGEST_MS));
    }
    for (const observer of this.#observers) observer();
  }

  /** Wait until something holds, at most so many seconds, or until we close. @returns whether it does */
  async until(condition: () => boolean, seconds: number): Promise<boolean> {
    if (condition()) return true;
    return await new Promise((resolve) => {
      const done = (holds: boolean) => {
        clearTimeout(timer);
        this.#observers.delete(look);
        resolve(holds);
      };
      const look = () => {
        if (condition() || this.#isClosed) done(condition());
      };
      const timer = setTimeout(() => done(condition()), timerMs(seconds));
      this.#observers.add(look);
    });
  }

  /** Stop all children, in order; resolves when none is left. */
  async stop(): Promise<void> {
    this.#top.stop();
    this.settle();
    await this.until(() => this.#top.phase === "stopped", Infinity);
  }

  /** Stop all children, and supervise on: they stay stopped until they are wanted again. */
  stopChildren(): void {
    this.#top.halt(this.root);
    this.settle();
  }

  /** Leave everything as it is: those that are ours are taken over by the next start. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const pool of this.#pools.values()) pool.close();
    for (const unit of this.#units.values()) unit.close();
    for (const output of this.#outputs.values()) output.close();
    for (const observer of this.#observers) observer();
  }

  /** Undefined: there is none of that path. */
  find(path: string): Child | undefined {
    return this.#locate(path)?.child;
  }

  /** The first of the supervisors above a child that shall not run: until it is started nothing below it is. */
  stoppedAbove(child: Child): Child | undefined {
    let above: Child | undefined = this.root;
    while (above && above !== child && above.isWanted) {
      above = above.children.find((each) => each === child || child.path.startsWith(`${each.path}/`));
    }
    return above === child ? undefined : above;
  }

  unit(path: string): Unit | undefined {
    return this.#units.get(path);
  }

  /** Find out what runs, and do nothing. */
  async look(): Promise<void> {
    await Promise.all(Array.from(this.#units.values(), (unit) => unit.look()));
  }

  startChild(child: Child): void {
    child.hold(undefined);
    if (!child.isWanted) child.hold(true);
    this.settle();
  }

  stopChild(child: Child): void {
    this.#locate(child.path)?.parent.halt(child);
    this.settle();
  }

  /** @returns the exit status of its own restart command, if it has one */
  async restartChild(child: Child): Promise<number | undefined> {
    const unit = this.#units.get(child.path);
    const status = await unit?.restartByCommand();
    if (status === undefined) this.#locate(child.path)?.parent.restart(child);
    // It may take a while to be there again; whoever could not be restarted is looked at now.
    else if (status !== 0) await unit?.poll();
    this.settle();
    return status;
  }

  describe(): ChildReport {
    return this.root.describe();
  }

  /** The longest that a child may take to come and to go, seconds. */
  patience(child: Child): number {
    const own = this.#units.get(child.path)?.spec;
    const below = child.children.map((other) => this.patience(other));
    return own
      ? own.startTimeout + own.stopTimeout + own.timeout
      : below.reduce((sum, each) => sum + each, 0);
  }

  #locate(path: string): { readonly child: Child; readonly parent: Supervisor } | undefined {
    const search = (parent: Child): { child: Child; parent: Child } | undefined => {
      for (const child of parent.children) {
        if (child.path === path) return { child, parent };
        if (path.startsWith(`${child.path}/`)) return search(child);
      }
      return undefined;
    };
    const found = search(this.#top);
    if (!found) return undefined;
    const parent = this.#supervisors.get(found.parent.path) ?? this.#top;
    return { child: found.child, parent };
  }

  #build(spec: Spec, parent: string): Child {
    const path = parent === "" ? spec.name : `${parent}/${spec.name}`;
    if (spec.kind === "supervisor") {
      const children = spec.children.map((child) => this.#build(child, path));
      return this.#supervisor({ ...spec, path }, children);
    }
    if (!spec.instances) return this.#unit(spec, path);
    const pool = this.#pools.get(path);
    if (pool?.digest === spec.digest) return pool.supervisor;
    pool?.close();
    this.#pools.delete(path);
    const { least, most } = spec.instances;
    const instances = Array.from({ length: most }, (_, index) => {
      const name = `${index + 1}`;
      return this.#unit({ ...spec, name, depends: [] }, `${path}/${name}`);
    });
    for (const instance of instances.slice(least)) instance.hold(false);
    const { name, depends } = spec;
    const supervisor = this.#supervisor({ ...topPolicy, name, path, depends }, instances);
    if (spec.scale) {
      const { digest, instances, scale, scaleInterval } = spec;
      const options = { ...instances, digest, condition: scale, interval: scaleInterval };
      this.#pools.set(path, new Pool(options, supervisor, this.#workshop));
    }
    return supervisor;
  }

  #unit(spec: ServiceSpec, path: string): Child {
    const old = this.#units.get(path);
    if (old?.spec.digest === spec.digest && old.spec.isExpected === spec.isExpected) return old.service;
    const unit = new Unit(spec, path, this.#workshop, old);
    if (old) {
      // What an operator has said holds, and counters do not go back. Which instances are held is not said by operators.
      const { held, ...state } = old.service.dump();
      unit.service.load({ ...state, up: false, ...(held !== undefined && !spec.instances && { held }) });
    }
    this.#units.set(path, unit);
    return unit.service;
  }

  #supervisor(policy: SupervisorPolicy, children: readonly Child[]): Supervisor {
    const { name, path, depends, isExpected, strategy, window, adjustments, intensity, period } = policy;
    const own = { name, path, depends, isExpected, strategy, window, adjustments, intensity, period };
    const old = this.#supervisors.get(path);
    old?.replace(own, children);
    const supervisor = old ?? new Supervisor(own, children, this.#workshop);
    this.#supervisors.set(path, supervisor);
    return supervisor;
  }

  /** Stop what runs of a service that is in the configuration no more, since our forerunner was here. */
  #dismiss(path: string): void {
    const record = this.#options.place.recordOf(path);
    const process = record.read();
    if (!process || !isThere(process)) return record.remove();
    const words = "is in the configuration no more: it is stopped";
    this.#workshop.report({ type: "note", path, words });
    signal(-process.pid, "SIGTERM");
    // Until then the record stays: if we end before, our successor sees to it.
    setTimeout(() => {
      if (isThere(process)) signal(-process.pid, "SIGKILL");
      if (record.read()?.pid === process.pid) record.remove();
    }, DISMISS_MS).unref();
  }

  #output(path: string): ServiceOutput {
    const { place, log } = this.#options;
    const output =
      this.#outputs.get(path) ??
      new ServiceOutput(place.outputOf(path), (line) => log.info(`${path}| ${line}`));
    this.#outputs.set(path, output);
    return output;
  }

  /** One start a turn of the event loop: what else happens does not wait for all of them. */
  #takeTurn(work: () => void): void {
    this.#turns.push(work);
    if (this.#turns.length > 1) return;
    const next = () => {
      if (this.#isClosed) return;
      this.#turns[0]?.();
      this.#turns.shift();
      if (this.#turns.length > 0) setImmediate(next);
    };
    setImmediate(next);
  }
}

/** Phases in which something is on its way. */
export const isMoving = (phase: Phase): boolean => phase === "starting" || phase === "stopping";

const topPolicy: SupervisorPolicy = {
  name: "",
  path: "",
  depends: [],
  isExpected: true,
  strategy: "one_for_one",
  window: 1,
  adjustments: Infinity,
  intensity: Infinity,
  period: 1,
};

/** The services that write into a pipe of ours. */
function* ownedPaths(spec: Spec, parent: string): Iterable<string> {
  const path = parent === "" ? spec.name : `${parent}/${spec.name}`;
  if (spec.kind === "supervisor") for (const child of spec.children) yield* ownedPaths(child, path);
  else if (spec.instances) for (let n = 1; n <= spec.instances.most; n++) yield `${path}/${n}`;
  else if (spec.form.kind === "run") yield path;
}
