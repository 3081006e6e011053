/** What the signals to a process ask of the program. */
export interface Signals {
  /** Aborted at the first SIGTERM or SIGINT, or by `stop`. */
  readonly stopping: AbortSignal;
  /** As SIGTERM does. */
  stop(): void;
  /** At the second SIGTERM or SIGINT, or the first after `stop`: what must be done before the system ends us at once. */
  onSecond(work: () => void): void;
  /** At each SIGHUP (without any: the system's effect). */
  onHangUp(work: () => void): void;
  /** At each SIGUSR1 (without any: the effect that Node has given it, a debugger). */
  onUser(work: () => void): void;
  /** Listen no more. */
  done(): void;
}

/** Listen to the signals of this process. One that has no listener keeps its effect. */
export function listenToSignals(): Signals {
  const controller = new AbortController();
  const listeners: [NodeJS.Signals, (name: NodeJS.Signals) => void][] = [];
  const lastWork: (() => void)[] = [];
  const on = (name: NodeJS.Signals, listener: (name: NodeJS.Signals) => void) => {
    listeners.push([name, listener]);
    process.on(name, listener);
  };
  const done = () => {
    for (const [name, listener] of listeners.splice(0)) process.off(name, listener);
  };
  const stop = (name: NodeJS.Signals) => {
    if (!controller.signal.aborted) {
      controller.abort();
      return;
    }
    for (const work of lastWork) work();
    done();
    process.kill(process.pid, name);
  };
  on("SIGTERM", stop);
  on("SIGINT", stop);
  return {
    stopping: controller.signal,
    stop: () => controller.abort(),
    onSecond: (work) => lastWork.push(work),
    onHangUp: (work) => on("SIGHUP", work),
    onUser: (work) => on("SIGUSR1", work),
    done,
  };
}
