import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { BrokerError } from "@spoolwire/message";
import { ConfigError, type Logger } from "@spoolwire/program";
import type { BackOff } from "./back-off.js";

/** The brokers that a URI stands for, and how to go about them. */
export interface BrokerList<Broker> {
  /** At least one. */
  readonly brokers: readonly Broker[];
  /** Try them in an order by chance, so that clients spread. */
  readonly randomize: boolean;
  /** How to wait between attempts, if the URI is one that says so: a failover list. */
  readonly failover?: BackOff;
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
 * Read a URI that may stand for several brokers: one, `failover:(URI,URI)?OPTION=VALUE&…` as ActiveMQ has it
 * (milliseconds, a delay of 0: the default; maxReconnectAttempts 0: for ever), with or without the parentheses and
 * `//`, or `file:PATH`, a file with one URI a line.
 * @param parse reads one
 * @throws ConfigError; what `parse` throws, and the error of a file that cannot be read
 */
export function parseBrokers<Broker>(uri: string, parse: (uri: string) => Broker): BrokerList<Broker> {
  const text = uri.startsWith("file:") ? readList(uri.slice("file:".length)) : uri;
  if (!text.startsWith("failover:")) return { brokers: [parse(text)], randomize: true };
  const [, inParentheses, bare, query = ""] = FAILOVER.exec(text) ?? [];
  const list = (inParentheses ?? bare ?? "").split(",").filter((each) => each.trim() !== "");
  if (list.length === 0) throw new ConfigError("Expected a failover URI as failover:(URI,URI)?OPTION=VALUE");
  const given = { ...failoverOptions };
  for (const [name, value] of new URLSearchParams(query)) {
    if (!Object.hasOwn(given, name)) {
      const known = Object.keys(failoverOptions).join(", ");
      throw new ConfigError(`Expected a failover option ${known}, got ${JSON.stringify(name)}`);
    }
    given[name as keyof typeof given] = value;
  }
  const number = (name: keyof typeof given, least: number) => {
    const value = /^\d+(\.\d+)?$/.test(given[name]) ? Number(given[name]) : NaN;
    if (value >= least) return value;
    throw new ConfigError(`Expected ${name} to be a number >= ${least}, got ${JSON.stringify(given[name])}`);
  };
  const flag = (name: keyof typeof given) => {
    if (given[name] === "true" || given[name] === "false") return given[name] === "true";
    throw new ConfigError(`Expected ${name} to be true or false, got ${JSON.stringify(given[name])}`);
  };
  const multiplier = number("backOffMultiplier", 1);
  return {
    brokers: list.map((each) => parse(each.trim())),
    randomize: flag("randomize"),
    failover: {
      initialMs: number("initialReconnectDelay", 0) || Number(failoverOptions.initialReconnectDelay),
      maxMs: number("maxReconnectDelay", 0) || Number(failoverOptions.maxReconnectDelay),
      multiplier: flag("useExponentialBackOff") ? multiplier : 1,
      attempts: number("maxReconnectAttempts", 0) || Infinity,
    },
  };
}

/** A file with one URI a line, as a failover list. */
function readList(path: string): string {
  const lines = readFileSync(path, "utf8").split("\n");
  const uris = lines.map((line) => line.replace(/#.*/, "").trim()).filter((line) => line !== "");
  if (uris.length === 0) throw new ConfigError(`Expected ${path} to have a broker URI a line, got none`);
  return uris.length === 1 ? (uris[0] ?? "") : `failover:(${uris.join(",")})`;
}

/**
 * Connect to the first that answers of all brokers of a list and all addresses of each.
 * @param connect is given a broker and an address of its host; undefined: it is not known, as the attempt will tell
 * @param options.family of the addresses of a name (default 0: either)
 * @throws what `connect` threw for the last, or at once if that is no BrokerError
 */
export async function connectToAny<Broker extends { readonly host: string }, Connection>(
  { brokers, randomize }: BrokerList<Broker>,
  connect: (broker: Broker, address: string | undefined) => Promise<Connection>,
  options: { readonly log: Logger; readonly signal: AbortSignal; readonly family?: 0 | 4 | 6 | undefined },
): Promise<Connection> {
  const { log, signal, family = 0 } = options;
  let last: unknown;
  for (const broker of randomize ? shuffled(brokers) : brokers) {
    for (const address of await addressesOf(broker.host, { randomize, family, signal })) {
      try {
        return await connect(broker, address);
      } catch (error) {
        if (!(error instanceof BrokerError) || signal.aborted) throw error;
        if (last) log.debug(error.message);
        last = error;
      }
    }
  }
  throw last;
}

/** All addresses of a host; undefined: it is not known. */
async function addressesOf(
  host: string,
  { randomize, family, signal }: { randomize: boolean; family: 0 | 4 | 6; signal: AbortSignal },
): Promise<(string | undefined)[]> {
  if (isIP(host)) return [host];
  const known = new AbortController();
  try {
    signal.throwIfAborted();
    // A lookup cannot be ended, but need not be waited for.
    const aborted = once(signal, "abort", { signal: known.signal }).then(() => []);
    const found = await Promise.race([lookup(host, { all: true, verbatim: true, family }), aborted]);
    signal.throwIfAborted();
    const addresses = found.map(({ address }) => address);
    return randomize ? shuffled(addresses) : addresses;
  } catch {
    signal.throwIfAborted();
    return [undefined];
  } finally {
    known.abort();
  }
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  return items
    .map((item) => ({ item, order: Math.random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}
