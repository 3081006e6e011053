import {
  openMessageQueue,
  type Message,
  type MessageQueue,
  type MessageQueueOptions,
} from "@spoolwire/message";
import {
  about,
  ConfigError,
  ExitStatus,
  runProgram,
  runService,
  type Credential,
  type Logger,
  type OptionValues,
  type Problem,
  type Properties,
  type Service,
  type Streams,
  type X509,
} from "@spoolwire/program";
import { agentOptions, agentRelations } from "./options.js";
import { Checker, type CallbackPolicy } from "./callback.js";
import { compileCallback, loadCallback } from "./load-callback.js";
import { defaultBackOff, type BackOff } from "./back-off.js";
import { checkBodySize } from "./body-size.js";
import { DirSource, parseDirOptions } from "./dir-source.js";
import { MergedSource } from "./merged-source.js";
import { DrySink } from "./dry-run.js";
import { showLive } from "./live.js";
import { QueueSink } from "./queue-sink.js";
import { QueueSource } from "./queue-source.js";
import { Rate } from "./rate.js";
import { describeProgress, describeReport, transferMetrics } from "./report.js";
import { runWithReload, type Work } from "./reload.js";
import type { Sink } from "./sink.js";
import type { Source } from "./source.js";
import { Transfer } from "./transfer.js";

type Values = OptionValues<typeof agentOptions>;

/** What a broker's side of an agent is told. */
export interface BrokerOptions {
  readonly uri: string;
  readonly credential: Exclude<Credential, X509>;
  /** For TLS: our certificate and whom we trust, by paths. */
  readonly x509: X509 | undefined;
  /** More headers or properties of the connection. */
  readonly connect: Properties;
  /** How to set up the socket, in the words of the command line. */
  readonly sockopts: Properties;
  /** What of the protocol to trace to the log, in the words of the command line. */
  readonly stompDebug: string | undefined;
  /** Which broker it is, if the user said so. */
  readonly type: string | undefined;
  /** A message whose body has more bytes is neither sent nor received. */
  readonly maxBodySize: number;
  readonly reliable: boolean;
  /** What we offer, seconds; undefined: no heart-beats. */
  readonly heartBeat: { readonly client: number; readonly server: number } | undefined;
  /** How to go about a broker that is away, unless its URI says so; undefined: the first failure is the last. */
  readonly backOff: BackOff | undefined;
  /** False: whatever the URI says. */
  readonly mayReconnect: boolean;
  /** So often a message is sent that the broker refuses, before it is rejected (at least 1). */
  readonly maxAttempts: number;
  /** Seconds. */
  readonly timeoutConnect: number;
  /** How long the broker may take to confirm what it is asked for, seconds. */
  readonly timeoutBroker: number;
  /** How long the network may take at the end to take what was sent, seconds. */
  readonly timeoutFlush: number;
  /** Seconds. */
  readonly timeoutDisconnect: number;
  readonly log: Logger;
  /** Told when the broker is away at the start, and is tried until it is there. */
  readonly onAway?: () => void;
}

export interface BrokerSourceOptions extends BrokerOptions {
  /** At least one. */
  readonly subscriptions: readonly Properties[];
  /** Headers to unsubscribe with at the end, in the order of the subscriptions; undefined: do not. */
  readonly unsubscriptions: readonly Properties[] | undefined;
  /** Most messages that the broker sends ahead; undefined: as the broker likes. */
  readonly prefetch: number | undefined;
}

/** One way to talk to brokers: what an agent adds to the loop and the queues. */
export interface Protocol {
  /** The URI schemes that it speaks; of two that speak one the first does, unless a module is named. */
  readonly schemes: readonly string[];
  /** What users may call it with `--…-broker-module`. */
  readonly modules?: readonly string[];
  /** @throws ConfigError or TypeError if the options make no sense to it */
  openSource(options: BrokerSourceOptions): Source;
  /** @throws ConfigError or TypeError if the options make no sense to it */
  openSink(options: BrokerOptions): Sink;
  /** @throws MessageError if no broker could be sent this message */
  checkMessage(message: Message): void;
}

export interface AgentSpec {
  readonly name: string;
  readonly version: string;
  readonly summary: string;
  readonly protocols: readonly Protocol[];
}

/** What both sides of an agent get beside its options. */
interface Surroundings {
  readonly protocols: readonly Protocol[];
  readonly log: Logger;
  readonly onAway: () => void;
  readonly streams: Streams;
}

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

/** How long an agent may take to stop: all that it waits for then, and some more. */
const quitSeconds = (values: Values) =>
  values["timeout-linger"] + values["timeout-flush"] + values["timeout-disconnect"] + 10;

/** Load the callback and open both sides. @throws ConfigError or what a queue throws */
async function prepare(
  values: Values,
  surroundings: Surroundings,
  service: Service,
  show: (transfer: Transfer) => () => void,
): Promise<Work> {
  const { log } = surroundings;
  const checker = await openChecker(values, log);
  const source = about(sideOption("incoming", values), () => openSource(values, surroundings));
  const sink = about(sideOption("outgoing", values), () => openSink(values, surroundings));
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
const sideOption = (side: "incoming" | "outgoing", values: Values) =>
  values[`${side}-queue`] ? `${side}-queue` : `${side}-broker-uri`;

/**
 * Check what can be checked of the callback and both sides without making or connecting anything.
 * @throws ConfigError with all that is wrong
 */
async function check(values: Values, surroundings: Surroundings): Promise<void> {
  const problems: Problem[] = [];
  const note = (error: unknown) => {
    if (!(error instanceof ConfigError)) throw error;
    problems.push(...error.problems);
  };
  await openChecker(values, surroundings.log).catch(note);
  for (const side of ["incoming", "outgoing"] as const) {
    const queue = values[`${side}-queue`];
    try {
      about(sideOption(side, values), () => {
        if (queue?.type === "dir" && side === "incoming") parseDirOptions(queue, "--incoming-queue");
        else if (queue) checkQueue(queue, `--${side}-queue`);
        else if (side === "incoming") openSource(values, surroundings);
        else openSink(values, surroundings);
      });
    } catch (error) {
      note(error);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

function checkQueue(properties: Properties, what: string): void {
  try {
    open({ ...queueOptions(properties, what), create: false }, what);
  } catch (error) {
    // The agent may make it; its options are right.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

async function openChecker(values: Values, log: Logger): Promise<Checker | undefined> {
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

function openSource(values: Values, surroundings: Surroundings): Source {
  const { "incoming-queue": queue, "dry-run": isDry = false } = values;
  if (queue?.type === "dir") {
    const { path, settle, done } = parseDirOptions(queue, "--incoming-queue");
    const goes = isDry ? {} : { done, loop: values.loop, remove: values.remove };
    return new DirSource({ path, settle, ...goes });
  }
  if (queue) {
    const options = queueOptions(queue, "--incoming-queue");
    // An agent that loops may be started before the application's first message; one that does not has
    // nothing to do without a queue, and its path is most likely misspelt.
    const loop = values.loop === true && !isDry;
    const opened = open({ ...options, create: loop }, "--incoming-queue");
    return new QueueSource(opened, surroundings.log, {
      loop,
      remove: values.remove === true && !isDry,
      // A run that ends by itself leaves what it cannot send: its status tells whoever has started it.
      setAside: values.remove === true && loop,
      purgeInterval: isDry ? 0 : purgeInterval(options.maxlock),
    });
  }
  const { reliable, count, prefetch, subscribe = [] } = values;
  const sources = (values["incoming-broker-uri"] ?? []).map((uri) => {
    const side = brokerSide("incoming", uri, values, surroundings);
    return side.protocol.openSource({
      ...side.options,
      // A broker that is not to wait for acknowledgements forgets what it has sent.
      reliable: side.options.reliable || isDry,
      subscriptions: subscribe,
      unsubscriptions: isDry ? undefined : values.unsubscribe,
      prefetch: prefetch ?? (reliable && count ? Math.min(count, 100) : undefined),
    });
  });
  const [first] = sources;
  return first && sources.length === 1 ? first : new MergedSource(sources);
}

/** What an agent that was killed had locked is waited for no longer than it has to be. */
const purgeInterval = (maxlock = 300) => (maxlock === 0 ? 300 : Math.min(maxlock, 300));

function openSink(values: Values, surroundings: Surroundings): Sink {
  const print = (line: string) => void surroundings.streams.stdout.write(`${line}\n`);
  const { "outgoing-queue": queue, "dry-run": isDry } = values;
  if (queue) {
    // So that what a broker is told to forget is on the disk.
    const options: MessageQueueOptions = { durability: "full", ...queueOptions(queue, "--outgoing-queue") };
    if (isDry) return new DrySink(print, () => undefined);
    const backOff = endsByItself(values) ? undefined : defaultBackOff;
    return new QueueSink(open(options, "--outgoing-queue"), surroundings.log, backOff);
  }
  const side = brokerSide("outgoing", values["outgoing-broker-uri"] ?? "", values, surroundings);
  const sink = side.protocol.openSink(side.options);
  if (!isDry) return sink;
  return new DrySink(print, (message) => {
    checkBodySize(message.body, side.options);
    side.protocol.checkMessage(message);
  });
}

/** Whether a run is over some day without being told, so that somebody waits for it: cron, a script. */
const endsByItself = (values: Values) =>
  (values["incoming-queue"] !== undefined && values.loop !== true) ||
  [values.count, values.duration, values["timeout-inactivity"]].some((limit) => limit !== undefined);

function brokerSide(
  side: "incoming" | "outgoing",
  uri: string,
  values: Values,
  { protocols, log, onAway }: Surroundings,
): { protocol: Protocol; options: BrokerOptions } {
  const protocol = chooseProtocol(side, uri, values[`${side}-broker-module`], protocols);
  const credentials = values[`${side}-broker-auth`] ?? [];
  const certificates = credentials.filter((each) => each.scheme === "x509");
  const others = credentials.filter((each) => each.scheme !== "x509");
  if (certificates.length > 1 || others.length > 1) {
    const got = credentials.map(({ scheme }) => scheme).join(", ");
    const message = `Expected --${side}-broker-auth at most once with x509 and once with plain or none, got ${got}`;
    throw new ConfigError([{ message, option: `${side}-broker-auth` }]);
  }
  const options = {
    uri,
    credential: others[0] ?? { scheme: "none" as const },
    x509: certificates[0],
    connect: values[`${side}-broker-connect`] ?? {},
    sockopts: values[`${side}-broker-sockopts`] ?? {},
    stompDebug: values[`${side}-broker-stomp-debug`],
    type: values[`${side}-broker-type`],
    maxBodySize: values["max-body-size"],
    reliable: values.reliable ?? false,
    heartBeat: values["heart-beat"]
      ? { client: values["timeout-client"], server: values["timeout-server"] }
      : undefined,
    backOff: (values.reconnect ?? !endsByItself(values)) ? defaultBackOff : undefined,
    mayReconnect: values.reconnect !== false,
    maxAttempts: values["max-attempts"],
    timeoutConnect: values["timeout-connect"],
    timeoutBroker: values["timeout-broker"],
    timeoutFlush: values["timeout-flush"],
    timeoutDisconnect: values["timeout-disconnect"],
    log,
    onAway,
  };
  return { protocol, options };
}

/** @throws ConfigError */
function chooseProtocol(
  side: "incoming" | "outgoing",
  uri: string,
  module: string | undefined,
  all: readonly Protocol[],
): Protocol {
  const named = module === undefined ? all : all.filter(({ modules = [] }) => modules.includes(module));
  if (named.length === 0) {
    const known = all.flatMap(({ modules = [] }) => modules).join(", ");
    const message = `Expected --${side}-broker-module to be one of ${known}, got "${module}"`;
    throw new ConfigError([{ message, option: `${side}-broker-module` }]);
  }
  const scheme = uri.slice(0, Math.max(0, uri.indexOf(":")));
  const protocol = named.find(({ schemes }) => schemes.includes(scheme));
  if (protocol) return protocol;
  const known = [...new Set(named.flatMap(({ schemes }) => schemes))].map((name) => `${name}://`).join(", ");
  const by = module === undefined ? "" : ` for ${module}`;
  throw new ConfigError(`Expected --${side}-broker-uri to start with ${known}${by}, got "${scheme}"`);
}

/** A queue's options as they are written on a command line: all text. */
function queueOptions(properties: Properties, what: string): MessageQueueOptions {
  const { path, ...others } = properties;
  const isOnDisk = others.type !== "NULL" && others.type !== "ZERO";
  if (path === undefined && isOnDisk) throw new ConfigError(`Expected ${what} to have path=DIRECTORY`);
  const options: Record<string, string | number | boolean> = {};
  for (const [key, value] of Object.entries(others)) options[key] = optionValue(key, value);
  // Whatever is unknown, or of the wrong type, the queue itself refuses by name.
  return { ...options, path } as MessageQueueOptions;
}

function optionValue(key: string, text: string): string | number | boolean {
  if (key === "create" || key === "nlink") return flags.get(text) ?? text;
  return /^\d+$/.test(text) ? Number.parseInt(text, key === "umask" ? 8 : 10) : text;
}

const flags = new Map([
  ["1", true],
  ["true", true],
  ["0", false],
  ["false", false],
]);

function open(options: MessageQueueOptions, what: string): MessageQueue {
  try {
    return openMessageQueue(options);
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new ConfigError(`${what}: ${error.message}`, { cause: error });
  }
}
