import {
  about,
  checkAll,
  checkService,
  ExitStatus,
  runProgram,
  runService,
  type Logger,
  type Service,
  type Streams,
} from "@spoolwire/program";
import type { Surroundings } from "./broker-side.js";
import { Checker, type CallbackPolicy } from "./callback.js";
import { checkIncoming, openIncoming } from "./incoming.js";
import { showLive } from "./live.js";
import { compileCallback, loadCallback } from "./load-callback.js";
import { agentOptions, agentRelations, type AgentValues } from "./options.js";
import { checkOutgoing, openOutgoing } from "./outgoing.js";
import type { Protocol } from "./protocol.js";
import { Rate } from "./rate.js";
import { runWithReload, type Work } from "./reload.js";
import { describeProgress, describeReport, transferMetrics } from "./report.js";
import { Transfer } from "./transfer.js";

export interface AgentSpec {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
  readonly protocols: readonly Protocol[];
}

/**
 * The program of an agent.
 * @param others protocols beside its own that either side may speak
 * @returns the exit status
 */
export type AgentMain = (
  argv: readonly string[],
  others?: readonly Protocol[],
  streams?: Streams,
) => Promise<number>;

/** Run a transfer agent's command line. @returns the exit status */
export function runAgent(
  spec: AgentSpec,
  argv: readonly string[],
  streams: Streams = process,
): Promise<number> {
  const { protocols, ...program } = spec;
  return runProgram(
    {
      ...program,
      options: agentOptions,
      relations: agentRelations,
      configuration: { root: program.name },
      check: (options, log) => check(options, { protocols, log, streams, onAway: () => undefined }),
    },
    argv,
    (invocation) =>
      runService(invocation, quitSeconds(invocation.options), (service) => {
        const { log } = invocation;
        const surroundings = { protocols, log, streams, onAway: () => service.up() };
        const show = (transfer: Transfer) => showLive(transfer, log, streams.stderr);
        return runWithReload(invocation, service, (options) => prepare(options, surroundings, service, show));
      }),
    streams,
  );
}

/** How long an agent may take to stop before it is ended: what it waits for as a rule, and some more. */
const quitSeconds = (values: AgentValues) =>
  values["timeout-linger"] + values["timeout-flush"] + values["timeout-disconnect"] + 10;

/** Load the callback and open both sides. @throws ConfigError or what a queue throws */
async function prepare(
  values: AgentValues,
  surroundings: Surroundings,
  service: Service,
  show: (transfer: Transfer) => () => void,
): Promise<Work> {
  const { log } = surroundings;
  const checker = await openChecker(values, log);
  const source = about(sideOption("incoming", values), () => openIncoming(values, surroundings));
  const sink = about(sideOption("outgoing", values), () => openOutgoing(values, surroundings));
  const transfer = new Transfer(source, sink, log, {
    window: values.window ?? 0,
    count: values.count ?? 0,
    duration: values.duration,
    inactivity: values["timeout-inactivity"],
    linger: values["timeout-linger"],
    lazy: values.lazy ?? false,
    checker,
    rate: values.rate === undefined ? undefined : new Rate(values.rate),
    keep: values["dry-run"] ?? false,
    onStarted: () => service.up(),
  });
  return async (signal) => {
    service.status = () => describeProgress(transfer.report);
    service.metrics = () => transferMetrics(transfer);
    service.isReady = () => transfer.up.incoming && transfer.up.outgoing;
    const hide = show(transfer);
    try {
      await transfer.run(signal);
    } finally {
      hide();
      if (values.statistics) for (const line of describeReport(transfer.report)) log.info(line);
    }
    return transfer.report.rejected > 0 ? ExitStatus.dataError : ExitStatus.ok;
  };
}

/** The option that says what a side is. */
const sideOption = (side: "incoming" | "outgoing", values: AgentValues) =>
  values[`${side}-queue`] ? `${side}-queue` : `${side}-broker-uri`;

/**
 * Check what can be checked of the process, the callback and both sides without making or connecting anything.
 * @throws ConfigError with all that is wrong
 */
async function check(values: AgentValues, surroundings: Surroundings): Promise<void> {
  const [checker] = await Promise.allSettled([openChecker(values, surroundings.log)]);
  checkAll(
    () => checkService(values),
    () => {
      if (checker.status === "rejected") throw checker.reason;
    },
    () => about(sideOption("incoming", values), () => checkIncoming(values, surroundings)),
    () => about(sideOption("outgoing", values), () => checkOutgoing(values, surroundings)),
  );
}

async function openChecker(values: AgentValues, log: Logger): Promise<Checker | undefined> {
  const { "callback-path": path, "callback-code": code, "callback-data": data } = values;
  const policy = values["callback-error"] as CallbackPolicy | undefined;
  if (path === undefined && code === undefined) return undefined;
  const [option, loading] =
    path === undefined
      ? ["callback-code", compileCallback(code ?? "")]
      : ["callback-path", loadCallback(path)];
  const callback = await loading.catch((error: unknown) =>
    about(option, () => {
      throw error;
    }),
  );
  return new Checker(callback, log, { policy, data });
}
