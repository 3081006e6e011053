/** Where a broker is. */
export interface BrokerUri {
  readonly scheme: "tcp" | "stomp" | "ssl" | "stomp+ssl";
  readonly host: string;
  readonly port: number;
}

/**
 * Read `stomp://host:port`, an IPv6 address standing in brackets.
 * @throws TypeError that says what was expected and what came
 */
export const parseUri = (uri: string): BrokerUri =>
  parse(uri, ["tcp", "stomp", "ssl", "stomp+ssl"], "a broker URI as stomp://host:port");

/**
 * Read `udp://host:port`, for datagrams.
 * @throws TypeError that says what was expected and what came
 */
export function parseUdpUri(uri: string): { readonly host: string; readonly port: number } {
  const { host, port } = parse(uri, ["udp"], "udp://host:port");
  return { host, port };
}

const FORM = /^([a-z+]+):\/\/(\[[0-9a-fA-F:.%]+\]|[^\s/:@[\]]+):(\d{1,5})\/?$/;

function parse<Scheme extends string>(
  uri: string,
  schemes: readonly Scheme[],
  expected: string,
): { scheme: Scheme; host: string; port: number } {
  const match = FORM.exec(uri);
  const scheme = schemes.find((each) => each === match?.[1]);
  const port = Number(match?.[3]);
  if (!match || !scheme || port < 1 || port > 65535) {
    // A password may stand in what was meant as a URI: it is not to be seen in an error.
    const shown = uri.replace(/^([a-z+]*:\/\/)?.*@/s, "$1…@");
    throw new TypeError(`Expected ${expected}, got ${JSON.stringify(shown)}`);
  }
  const host = match[2] ?? "";
  return { scheme, host: host.startsWith("[") ? host.slice(1, -1) : host, port };
}

/** The inverse of `parseUri`. */
export function formatUri({ scheme, host, port }: BrokerUri): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** The brokers that a URI stands for, and how to go about them. */
export interface BrokerList {
  /** At least one. */
  readonly brokers: readonly BrokerUri[];
  /** Try them in an order by chance, so that clients spread. */
  readonly randomize: boolean;
  /** How to wait between attempts, if the URI is one that says so: a failover list. */
  readonly failover?: {
    readonly initialMs: number;
    readonly maxMs: number;
    readonly multiplier: number;
    readonly attempts: number;
  };
}

const FAILOVER = /^failover:(?:\/\/)?(?:\(([^()]*)\)|([^()?]*))(?:\?(.*))?$/;
const failoverOptions = {
  randomize: "true",
  initialReconnectDelay: "10",
  maxReconnectDelay: "30000",
  backOffMultiplier: "2",
  useExponentialBackOff: "true",
  maxReconnectAttempts: "0",
};

/**
 * Read a URI that may stand for several brokers: one as in `parseUri`, or `failover:(URI,URI)?OPTION=VALUE&…`
 * as ActiveMQ has it (milliseconds; maxReconnectAttempts 0: for ever), with or without the parentheses and `//`.
 * @throws TypeError that says what was expected and what came
 */
export function parseBrokers(uri: string): BrokerList {
  if (!uri.startsWith("failover:")) return { brokers: [parseUri(uri)], randomize: true };
  const [, inParentheses, bare, query = ""] = FAILOVER.exec(uri) ?? [];
  const list = (inParentheses ?? bare ?? "").split(",").filter((each) => each.trim() !== "");
  if (list.length === 0) throw new TypeError("Expected a failover URI as failover:(URI,URI)?OPTION=VALUE");
  const given = { ...failoverOptions };
  for (const [name, value] of new URLSearchParams(query)) {
    if (!Object.hasOwn(given, name)) {
      const known = Object.keys(failoverOptions).join(", ");
      throw new TypeError(`Expected a failover option ${known}, got ${JSON.stringify(name)}`);
    }
    given[name as keyof typeof given] = value;
  }
  const number = (name: keyof typeof given, least: number) => {
    const value = /^\d+(\.\d+)?$/.test(given[name]) ? Number(given[name]) : NaN;
    if (value >= least) return value;
    throw new TypeError(`Expected ${name} to be a number >= ${least}, got ${JSON.stringify(given[name])}`);
  };
  const flag = (name: keyof typeof given) => {
    if (given[name] === "true" || given[name] === "false") return given[name] === "true";
    throw new TypeError(`Expected ${name} to be true or false, got ${JSON.stringify(given[name])}`);
  };
  const multiplier = number("backOffMultiplier", 1);
  return {
    brokers: list.map((each) => parseUri(each.trim())),
    randomize: flag("randomize"),
    failover: {
      initialMs: number("initialReconnectDelay", 0),
      maxMs: number("maxReconnectDelay", 0),
      multiplier: flag("useExponentialBackOff") ? multiplier : 1,
      attempts: number("maxReconnectAttempts", 0) || Infinity,
    },
  };
}
