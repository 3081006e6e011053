import { ExitStatus, runService, type Metric, type Service as Running } from "@spoolwire/program";
import { isThere, type ChildReport } from "./child.js";
import { ControlServer } from "./control.js";
import type { Spec } from "./entry.js";
import { Orders } from "./orders.js";
import { entriesOf, type Simplevisor } from "./options.js";
import { Place, socketOf } from "./place.js";
import { Store } from "./store.js";
import { isMoving, Tree } from "./tree.js";

/** How long a tree may take to stop whose configuration cannot be read any more, seconds. */
const PATIENCE = 60;

/** Ask or stop the supervisor of the pid file, whatever is wrong with the configuration by now. @returns the exit status */
export async function askPidFile(invocation: Simplevisor): Promise<number> {
  let patience = PATIENCE;
  try {
    patience = patienceOf(entriesOf(invocation.tree));
  } catch (error) {
    invocation.log.warn((error as Error).message);
  }
  return await runService(invocation, patience, () =>
    Promise.reject(new Error("Expected --quit or --status")),
  );
}

/** Supervise until we are told to stop, as `start` does. @returns the exit status */
export async function supervise(invocation: Simplevisor, spec: Spec, path: string): Promise<number> {
  const { options, log, signal } = invocation;
  return await runService(invocation, patienceOf(spec), async (service) => {
    const place = Place.take(path);
    const tree = openTree(invocation, spec, place);
    const orders = new Orders(tree, { reload: () => reload(invocation, tree) });
    let server: ControlServer | undefined;
    try {
      server = await ControlServer.listen(socketOf(path), (...order) => orders.obey(...order));
      await tree.begin();
      tell(service, tree, () => reload(invocation, tree).then(() => undefined));
      service.up();
      log.info(`supervises ${tree.root.path}`);
      await cycles(tree, options.interval, AbortSignal.any([signal, orders.stopping]), orders);
      if (!orders.leavesChildren) {
        await tree.stop();
      }
      tree.save();
    } finally {
      orders.done();
      await server?.close();
      tree.close();
      place.release();
    }
    return ExitStatus.ok;
  });
}

/** One cycle: see to it that all are as they should be, and leave. @returns the exit status: 0, or 1 if they are not */
export async function single(invocation: Simplevisor, spec: Spec, path: string): Promise<number> {
  return await runService(
    { ...invocation, options: { ...invocation.options, daemon: false } },
    60,
    async () => {
      const place = Place.take(path);
      const tree = openTree(invocation, spec, place);
      try {
        await tree.begin();
        await tree.until(
          () => !leaves(tree.describe()).some(({ phase }) => isMoving(phase)),
          tree.patience(tree.root),
        );
        await tree.cycle();
        return leaves(tree.describe()).every(isAsWanted) ? ExitStatus.ok : ExitStatus.nothing;
      } finally {
        tree.close();
        place.release();
      }
    },
  );
}

export function openTree({ options, log }: Simplevisor, spec: Spec, place: Place): Tree {
  const store = options.store === undefined ? undefined : new Store(options.store, log);
  return new Tree(spec, { place, store, log, jobs: options.jobs });
}

/** The services of a tree. */
export const leaves = (report: ChildReport): ChildReport[] =>
  report.children ? report.children.flatMap(leaves) : [report];

const isAsWanted = (report: ChildReport) => (report.wanted ? isThere(report) : report.phase !== "running");

async function cycles(tree: Tree, interval: number, stopping: AbortSignal, orders: Orders): Promise<void> {
  while (!stopping.aborted) {
    // One that does not answer holds up the cycle, but no stop.
    await orAborted(tree.cycle(), stopping);
    await orders.pause(interval, stopping);
  }
}

/** Resolves when work is done, or its signal is aborted; keeps nothing of it then. */
async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let abort = () => undefined as void;
  const aborted = new Promise<void>((resolve) => (abort = resolve));
  signal.addEventListener("abort", abort);
  await Promise.race([work, aborted]).finally(() => signal.removeEventListener("abort", abort));
}

/** Read the configuration again. @returns whether it was right, and is in effect */
async function reload(invocation: Simplevisor, tree: Tree): Promise<boolean> {
  const isDone = await invocation.reread((_, config) => {
    const spec = entriesOf(config);
    if (spec.name !== tree.root.name) {
      invocation.log.error(
        `the root entry is called ${spec.name} now, not ${tree.root.name}: that needs a restart`,
      );
      return false;
    }
    tree.use(spec);
    invocation.log.info("the configuration was read again");
    return true;
  });
  return isDone ?? false;
}

/** What whoever looks at the process is told. */
function tell(service: Running, tree: Tree, reload: () => Promise<void>): void {
  const services = () => leaves(tree.describe());
  const isWell = (report: ChildReport) => !report.wanted || isThere(report);
  service.reload = reload;
  service.isReady = () => services().every(isWell);
  service.status = () => {
    const all = services();
    return `${all.filter(({ phase }) => phase === "running").length} of ${all.length} services run`;
  };
  service.metrics = () => services().flatMap(metricsOf);
}

function metricsOf({ path, phase, restarts }: ChildReport): Metric[] {
  const labels = { path };
  return [
    {
      name: "simplevisor_service_up",
      type: "gauge",
      help: "Whether a service runs.",
      value: phase === "running" ? 1 : 0,
      labels,
    },
    {
      name: "simplevisor_service_restarts_total",
      type: "counter",
      help: "How often a service was started again after a failure.",
      value: restarts,
      labels,
    },
  ];
}

/** How long a whole tree may take to stop, seconds: each after the other, and each killed at its end. */
export function patienceOf(spec: Spec): number {
  if (spec.kind === "service") {
    // A start command that is at work is waited for.
    return spec.stopTimeout + (spec.form.kind === "run" ? 0 : spec.timeout) + 1;
  }
  return spec.children.reduce((sum, child) => sum + patienceOf(child), 10);
}
