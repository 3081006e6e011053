import { setTimeout as sleep } from "node:timers/promises";
import { timerMs } from "@spoolwire/program";
import type { Child, ChildReport } from "./child.js";
import type { Answer, Order } from "./control.js";
import { checkTree } from "./draw.js";
import type { Tree } from "./tree.js";

const done = (status: number, words?: string): Answer => ({
  done: true,
  status,
  ...(words !== undefined && { words }),
});

/** Does what comes through the control socket. */
export class Orders {
  readonly #tree: Tree;
  readonly #reload: () => Promise<boolean>;
  readonly #stopping = new AbortController();
  readonly #began = performance.now();
  readonly #ended: Promise<void>;
  #end: () => void = () => undefined;
  #wake: AbortController | undefined;
  /** Told to stop without the children. */
  leavesChildren = false;

  constructor(tree: Tree, { reload }: { readonly reload: () => Promise<boolean> }) {
    this.#tree = tree;
    this.#reload = reload;
    this.#ended = new Promise((resolve) => (this.#end = resolve));
  }

  /** Aborted when the supervisor is told to stop. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** All is stopped that was to be: whoever waits for that is answered. */
  done(): void {
    this.#end();
  }

  /** Wait until the next cycle is due, or somebody wants it now. */
  async pause(seconds: number, stopping: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    const signal = AbortSignal.any([stopping, this.#wake.signal]);
    await sleep(timerMs(seconds), undefined, { signal }).catch(() => undefined);
  }

  async obey(order: Order, tell: (answer: Answer) => void, gone: AbortSignal): Promise<Answer> {
    const { command, path } = order;
    const tree = this.#tree;
    if (path !== undefined) {
      const child = tree.find(path);
      if (!child) return done(64, `Expected the path of a child, got "${path}"`);
      return await this.#obeyFor(child, order, tell, gone);
    }
    switch (command) {
      case "status":
        tell({ report: { pid: process.pid, ...tree.describe() } });
        return done(0, `simplevisor (pid ${process.pid}) is running, for ${this.#seconds} s`);
      case "tree":
        tell({ report: tree.describe() });
        return done(0);
      case "check":
        return this.#check(tree.describe(), tell);
      case "wake_up":
        tree.root.hold(undefined);
        this.#wake?.abort();
        return done(0, `simplevisor (pid ${process.pid}) looks now`);
      case "reload":
        return (await this.#reload())
          ? done(0, "The configuration was read again")
          : done(64, "The configuration is wrong, and the old one stays: the log says why");
      case "stop_children":
        tree.stopChildren();
        tree.save();
        await tree.until(() => tree.root.phase === "stopped", tree.patience(tree.root));
        return done(0, "All children are stopped, until wake_up");
      case "stop":
      case "stop_supervisor":
        this.leavesChildren = command === "stop_supervisor";
        this.#stopping.abort();
        await this.#ended;
        return done(0, `simplevisor (pid ${process.pid}) stops`);
      default:
        return done(64, `Expected a command, got "${command}"`);
    }
  }

  get #seconds(): number {
    return Math.round((performance.now() - this.#began) / 1000);
  }

  async #obeyFor(
    child: Child,
    { command, follow = false }: Order,
    tell: (answer: Answer) => void,
    gone: AbortSignal,
  ): Promise<Answer> {
    const tree = this.#tree;
    const above = tree.stoppedAbove(child);
    if (above && (command === "start" || command === "restart")) {
      tell({ report: child.describe() });
      return done(
        1,
        `${child.path} cannot be started: its supervisor ${above.path} is stopped, and has to be started first`,
      );
    }
    switch (command) {
      case "start":
        tree.startChild(child);
        tree.save();
        return await this.#settled(child, tell, "running", "finished");
      case "stop":
        tree.stopChild(child);
        tree.save();
        return await this.#settled(child, tell, "stopped");
      case "restart": {
        const status = (await tree.restartChild(child)) ?? 0;
        tree.save();
        if (status === 0) return await this.#settled(child, tell, "running", "finished");
        tell({ report: child.describe() });
        return done(1, `${child.path} is ${child.phase}: its restart command ended with ${status}`);
      }
      case "status":
        tell({ report: child.describe() });
        return done(
          child.phase === "running" ? 0 : child.phase === "waiting" ? 1 : 3,
          `${child.path} is ${child.phase}`,
        );
      case "check":
        return this.#check(child.describe(), tell);
      case "tree":
        tell({ report: child.describe() });
        return done(0);
      case "logs":
        return await this.#logs(child, follow, tell, gone);
      default:
        return done(64, `Expected a command for a child, got "${command}"`);
    }
  }

  async #settled(child: Child, tell: (answer: Answer) => void, ...wanted: string[]): Promise<Answer> {
    const tree = this.#tree;
    const isDone = () => wanted.includes(child.phase) || child.phase === "waiting";
    await tree.until(isDone, tree.patience(child));
    const isGood = wanted.includes(child.phase);
    const { failure } = child.describe();
    tell({ report: child.describe() });
    return isGood
      ? done(0, `${child.path} is ${child.phase}`)
      : done(1, `${child.path} is ${child.phase}${failure === undefined ? "" : `: ${failure}`}`);
  }

  #check(report: ChildReport, tell: (answer: Answer) => void): Answer {
    tell({ report });
    return done(checkTree(report).isOk ? 0 : 1);
  }

  async #logs(
    child: Child,
    follow: boolean,
    tell: (answer: Answer) => void,
    gone: AbortSignal,
  ): Promise<Answer> {
    const output = this.#tree.unit(child.path)?.output;
    if (!output) return done(64, `Expected a service with run, got ${child.path}: its output is in the log`);
    for (const line of output.lines) tell({ line });
    if (!follow) return done(0);
    const unfollow = output.follow((line) => tell({ line }));
    const over = AbortSignal.any([gone, this.stopping]);
    await new Promise<void>((resolve) => {
      if (over.aborted) resolve();
      else over.addEventListener("abort", () => resolve(), { once: true });
    });
    unfollow();
    return done(0);
  }
}
