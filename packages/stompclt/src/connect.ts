import { checkAll, ConfigError, readTls, renewed } from "@spoolwire/program";
import {
  parseUri,
  StompConnection,
  Trace,
  type BrokerUri,
  type ConnectionOptions,
  type SocketOptions,
  type TraceTopic,
} from "@spoolwire/stomp";
import { connectToAny, parseBrokers, type BrokerList, type BrokerOptions } from "@spoolwire/transfer";
import { brokerTypes } from "./broker-type.js";
import { readSocketOptions, readTraceTopics } from "./details.js";

/** The brokers of one side, and how to talk to each. */
export interface BrokerPlan extends BrokerList<BrokerUri> {
  readonly socket: SocketOptions;
  readonly trace: readonly TraceTopic[];
}

/** Check what can be checked before there is a connection. @throws ConfigError with all that is wrong */
export function checkBroker({ uri, type, sockopts, stompDebug }: BrokerOptions): BrokerPlan {
  const [list, socket, trace] = checkAll(
    () => parseBrokers(uri, parseBroker),
    () => readSocketOptions(sockopts),
    () => readTraceTopics(stompDebug),
    () => checkType(type),
  );
  return { ...list, socket, trace };
}

/** @throws ConfigError */
function checkType(type: string | undefined): void {
  if (type === undefined || type === "UNKNOWN" || brokerTypes.includes(type)) return;
  throw new ConfigError(`Expected the broker type to be ${brokerTypes.join(", ")} or UNKNOWN, got "${type}"`);
}

/** @throws ConfigError */
function parseBroker(uri: string): BrokerUri {
  try {
    return parseUri(uri);
  } catch (error) {
    throw new ConfigError((error as TypeError).message, { cause: error });
  }
}

type Handlers = Required<Pick<ConnectionOptions, "onClosed">> &
  Pick<ConnectionOptions, "onMessage" | "onTooLarge">;

/**
 * Connect one side of the agent: to the first that answers of all brokers and all their addresses.
 * @throws BrokerError of the last that was tried; a file's own error if a certificate cannot be read
 */
export async function connect(
  plan: BrokerPlan,
  options: BrokerOptions,
  handlers: Handlers,
  signal: AbortSignal,
): Promise<StompConnection> {
  const { socket, trace } = plan;
  const { heartBeat, log } = options;
  const credential = renewed(options.credential, log);
  // What users call `version` is the header `accept-version`.
  const { version, ...headers } = options.connect;
  const secrets = [headers.passcode ?? "", credential.scheme === "plain" ? credential.pass : ""];
  const common = {
    limits: { body: options.maxBodySize },
    socket,
    ...(trace.length > 0 && {
      trace: new Trace(trace, (line) => log.debug(`${options.uri}: ${line}`), secrets),
    }),
    ...(credential.scheme === "plain" && { login: credential.name, passcode: credential.pass }),
    headers: { ...headers, ...(version !== undefined && { "accept-version": version }) },
    ...(heartBeat && { heartBeat: { sendMs: heartBeat.client * 1000, receiveMs: heartBeat.server * 1000 } }),
    // Read anew each time: certificates are renewed while agents run.
    ...(options.x509 && { tls: readTls(renewed(options.x509, log)) }),
    timeoutMs: options.timeoutConnect * 1000,
    answerMs: options.timeoutBroker * 1000,
    ...handlers,
    signal,
  };
  return connectToAny(
    plan,
    (uri, address) => StompConnection.open({ ...common, uri, ...(address !== undefined && { address }) }),
    { log, signal, family: socket.family },
  );
}
