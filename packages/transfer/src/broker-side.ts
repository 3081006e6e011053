import { ConfigError, type Logger, type Streams } from "@spoolwire/program";
import { defaultBackOff } from "./back-off.js";
import { parseBrokers } from "./broker-list.js";
import { endsByItself, type AgentValues } from "./options.js";
import type { BrokerOptions, Protocol } from "./protocol.js";

/** What both sides of an agent get beside its options. */
export interface Surroundings {
  readonly protocols: readonly Protocol[];
  readonly log: Logger;
  /** Told when a broker is away at the start, and is tried until it is there. */
  readonly onAway: () => void;
  readonly streams: Streams;
}

/** Who talks to a broker, and what it is told. @throws ConfigError */
export function brokerSide(
  side: "incoming" | "outgoing",
  uri: string,
  values: AgentValues,
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
  const schemeOf = (each: string) => each.slice(0, Math.max(0, each.indexOf(":")));
  // Those of a list are of one protocol: what the first is not, the first's protocol refuses.
  const [scheme = ""] = parseBrokers(uri, schemeOf).brokers;
  const protocol = named.find(({ schemes }) => schemes.includes(scheme));
  if (protocol) return protocol;
  const known = [...new Set(named.flatMap(({ schemes }) => schemes))].map((name) => `${name}://`).join(", ");
  const by = module === undefined ? "" : ` for ${module}`;
  throw new ConfigError(`Expected --${side}-broker-uri to start with ${known}${by}, got "${scheme}"`);
}
