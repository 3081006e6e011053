import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { BrokerError } from "@spoolwire/message";
import { ConfigError, readTls, renewed } from "@spoolwire/program";
import {
  parseBrokers,
  StompConnection,
  Trace,
  type BrokerList,
  type BrokerUri,
  type ConnectionOptions,
  type SocketOptions,
  type TraceTopic,
} from "@spoolwire/stomp";
import type { BackOff, BrokerOptions } from "@spoolwire/transfer";
import { brokerTypes } from "./broker-type.js";
import { readSocketOptions, readTraceTopics } from "./details.js";

/** The brokers of one side, and how to talk to each. */
export interface BrokerPlan extends BrokerList {
  readonly socket: SocketOptions;
  readonly trace: readonly TraceTopic[];
}

/** Check what can be checked before there is a connection. @throws ConfigError */
export function checkBroker(options: BrokerOptions): BrokerPlan {
  const { uri, type, sockopts, stompDebug } = options;
  if (type !== undefined && type !== "UNKNOWN" && !brokerTypes.includes(type)) {
    throw new ConfigError(
      `Expected the broker type to be ${brokerTypes.join(", ")} or UNKNOWN, got "${type}"`,
    );
  }
  const socket = readSocketOptions(sockopts);
  const trace = readTraceTopics(stompDebug);
  try {
    const list = parseBrokers(uri.startsWith("file:") ? readList(uri.slice("file:".length)) : uri);
    return { ...list, socket, trace };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ConfigError(error.message, { cause: error });
  }
}

/** How often to try: as the URI says, or else as the agent likes. */
export function backOffOf({ failover }: BrokerList, options: BrokerOptions): BackOff | undefined {
  return options.mayReconnect ? (failover ?? options.backOff) : undefined;
}

/** A file with one URI a line, as a failover list. */
function readList(path: string): string {
  const lines = readFileSync(path, "utf8").split("\n");
  const uris = lines.map((line) => line.replace(/#.*/, "").trim()).filter((line) => line !== "");
  if (uris.length === 0) throw new ConfigError(`Expected ${path} to have a broker URI a line, got none`);
  return uris.length === 1 ? (uris[0] ?? "") : `failover:(${uris.join(",")})`;
}

type Handlers = Required<Pick<ConnectionOptions, "onClosed">> &
  Pick<ConnectionOptions, "onMessage" | "onTooLarge">;

/**
 * Connect one side of the agent: to the first that answers of all brokers and all their addresses.
 * @throws BrokerError of the last that was tried; a file's own error if a certificate cannot be read
 */
export async function connect(
  { brokers, randomize, socket, trace }: BrokerPlan,
  options: BrokerOptions,
  handlers: Handlers,
  signal: AbortSignal,
): Promise<StompConnection> {
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
  let last: unknown;
  for (const uri of randomize ? shuffled(brokers) : brokers) {
    for (const address of await addressesOf(uri, randomize)) {
      try {
        return await StompConnection.open({ ...common, uri, ...(address !== undefined && { address }) });
      } catch (error) {
        if (!(error instanceof BrokerError) || signal.aborted) throw error;
        if (last) log.debug(error.message);
        last = error;
      }
    }
  }
  throw last;
}

/** All addresses of a host; undefined: it is not known, as the attempt to connect will tell. */
async function addressesOf({ host }: BrokerUri, randomize: boolean): Promise<(string | undefined)[]> {
  if (isIP(host)) return [host];
  try {
    const found = await lookup(host, { all: true, verbatim: true });
    const addresses = found.map(({ address }) => address);
    return randomize ? shuffled(addresses) : addresses;
  } catch {
    return [undefined];
  }
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
