import { ConfigError, parseProperties, type Properties } from "@spoolwire/program";
import { isShort, SHORT } from "./fields.js";

/** What is declared before a queue or an exchange is used; without `declare` it has to be there. */
export interface QueueForm {
  /** Empty: the broker makes a name. */
  readonly name: string;
  readonly declare?: {
    readonly durable: boolean;
    readonly exclusive: boolean;
    readonly autoDelete: boolean;
    readonly arguments: Arguments;
  };
}

export interface ExchangeForm {
  readonly name: string;
  readonly declare?: {
    readonly type: string;
    readonly durable: boolean;
    readonly autoDelete: boolean;
    readonly internal: boolean;
    readonly arguments: Arguments;
  };
}

export type Arguments = Readonly<Record<string, string | number | boolean>>;

/** Where messages are sent to, or come from, in AMQP 0-9-1. */
export interface Address {
  readonly exchange?: ExchangeForm;
  readonly queue?: QueueForm;
  /** Of a message that is sent, and of the binding if there are both an exchange and a queue. */
  readonly routingKey: string;
  /** Of the binding. */
  readonly arguments: Arguments;
}

/** The queue that a subscription gets for itself where it names none. */
const ownQueue: QueueForm = {
  name: "",
  declare: { durable: false, exclusive: true, autoDelete: true, arguments: {} },
};

/** Whether `/queue/NAME` stands for it. */
export const isPlain = ({ declare }: QueueForm): boolean =>
  declare !== undefined &&
  declare.durable &&
  !declare.exclusive &&
  !declare.autoDelete &&
  Object.keys(declare.arguments).length === 0;

const durableQueue = (name: string): QueueForm => ({
  name,
  declare: { durable: true, exclusive: false, autoDelete: false, arguments: {} },
});

/**
 * Read the destination of a message: `/queue/NAME`, `/topic/KEY`, `/exchange/NAME/KEY`, `/amq/queue/NAME` (which is
 * not declared), or `exchange=… queue=… routing_key=… arguments=…`.
 * @throws ConfigError
 */
export function parseDestination(destination: string): Address {
  const what = "a destination";
  return demandShort(parsePath(destination) ?? parseForms(parseProperties(destination, what), what), what);
}

/**
 * Read a subscription: the same forms, the path ones as `destination=…`.
 * @throws ConfigError
 */
export function parseSubscription(properties: Properties): Address {
  const { destination, ...others } = properties;
  if (destination === undefined) {
    const address = demandShort(parseForms(others, "--subscribe"), "--subscribe");
    return address.queue ? address : { ...address, queue: ownQueue };
  }
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) {
    throw new ConfigError(`Expected --subscribe to have destination= and nothing else, got ${unknown}=`);
  }
  const address = parseDestination(destination);
  return address.queue ? address : { ...address, queue: ownQueue };
}

/** AMQP has no longer names: the library would not send them. */
function demandShort(address: Address, what: string): Address {
  const { exchange, queue, routingKey } = address;
  for (const [part, name = ""] of [
    ["exchange", exchange?.name],
    ["queue", queue?.name],
    ["routing key", routingKey],
  ] as const) {
    if (isShort(name)) continue;
    throw new ConfigError(
      `Expected the ${part} of ${what} to have at most ${SHORT} bytes, got ${Buffer.byteLength(name)}`,
    );
  }
  return address;
}

function parsePath(path: string): Address | undefined {
  const [, kind = "", rest = ""] = /^\/(queue|topic|exchange|amq\/queue)\/(.+)$/s.exec(path) ?? [];
  if (kind === "queue") return { queue: durableQueue(rest), routingKey: rest, arguments: {} };
  if (kind === "amq/queue") return { queue: { name: rest }, routingKey: rest, arguments: {} };
  if (kind === "topic") return { exchange: { name: "amq.topic" }, routingKey: rest, arguments: {} };
  if (kind === "exchange") {
    const slash = rest.indexOf("/");
    const [name, routingKey] = slash < 0 ? [rest, ""] : [rest.slice(0, slash), rest.slice(slash + 1)];
    return { exchange: { name }, routingKey, arguments: {} };
  }
  if (!path.startsWith("/") && path.includes("=")) return undefined;
  throw new ConfigError(
    "Expected a destination as /queue/NAME, /topic/KEY, /exchange/NAME/KEY, /amq/queue/NAME or " +
      `exchange=… queue=… routing_key=…, got ${JSON.stringify(path)}`,
  );
}

const groups = {
  exchange: ["name", "type", "durable", "auto_delete", "internal", "arguments"],
  queue: ["name", "durable", "exclusive", "auto_delete", "passive", "arguments"],
} as const;

/**
 * `exchange=name=app,type=topic queue=name=app.in` comes as one list: what follows `exchange=` or `queue=` belongs
 * to it. A key that both have is written within the value, %XX-encoded, and so are the `arguments` of either: those
 * that stand outside are of the binding.
 */
function parseForms(properties: Properties, what: string): Address {
  const found: { exchange?: Record<string, string>; queue?: Record<string, string> } = {};
  let current: keyof typeof groups | undefined;
  let routingKey: string | undefined;
  let binding: Arguments = {};
  for (const [key, value] of Object.entries(properties)) {
    const known: readonly string[] = current ? groups[current] : [];
    if (key === "exchange" || key === "queue") {
      current = key;
      const given = value.includes("=") ? parseProperties(value, `${key} of ${what}`) : { name: value };
      found[key] = Object.assign(Object.create(null) as Record<string, string>, given);
    } else if (key === "routing_key") routingKey = value;
    else if (key === "arguments") binding = parseArguments(value, what);
    else if (current && known.includes(key)) {
      const group = found[current]!;
      if (key in group) {
        throw new ConfigError(`Expected the ${current} of ${what} to have each key once, got ${key} twice`);
      }
      group[key] = value;
    } else {
      const choices = [...Object.keys(groups), "routing_key", "arguments"].join(", ");
      throw new ConfigError(`Expected ${what} to be made of ${choices}, got ${JSON.stringify(key)}`);
    }
  }
  if (!found.exchange && !found.queue) throw new ConfigError(`Expected ${what} to have exchange= or queue=`);
  if (!found.exchange && properties.arguments !== undefined) {
    throw new ConfigError(
      `Expected arguments of ${what} to be of a binding, which needs exchange=; those of a queue stand within queue=`,
    );
  }
  const queue = found.queue && readQueue(found.queue, what);
  const exchange = found.exchange && readExchange(found.exchange, what);
  return {
    ...(exchange && { exchange }),
    ...(queue && { queue }),
    routingKey: routingKey ?? (exchange ? "" : (queue?.name ?? "")),
    arguments: binding,
  };
}

function readQueue(given: Properties, what: string): QueueForm {
  demandKnown("queue", given, what);
  const { name = "" } = given;
  if (readFlag(given, "passive", false, what)) return { name };
  return {
    name,
    declare: {
      durable: readFlag(given, "durable", name !== "", what),
      exclusive: readFlag(given, "exclusive", name === "", what),
      autoDelete: readFlag(given, "auto_delete", name === "", what),
      arguments: parseArguments(given.arguments, what),
    },
  };
}

/** An exchange without a type has to be there. */
function readExchange(given: Properties, what: string): ExchangeForm {
  demandKnown("exchange", given, what);
  const { name, type } = given;
  if (!name) throw new ConfigError(`Expected the exchange of ${what} to have name=NAME`);
  if (type === undefined) return { name };
  return {
    name,
    declare: {
      type,
      durable: readFlag(given, "durable", true, what),
      autoDelete: readFlag(given, "auto_delete", false, what),
      internal: readFlag(given, "internal", false, what),
      arguments: parseArguments(given.arguments, what),
    },
  };
}

function demandKnown(group: keyof typeof groups, given: Properties, what: string): void {
  const known: readonly string[] = groups[group];
  const unknown = Object.keys(given).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new ConfigError(
    `Expected the ${group} of ${what} to be made of ${known.join(", ")}, got ${JSON.stringify(unknown)}`,
  );
}

function readFlag(given: Properties, key: string, otherwise: boolean, what: string): boolean {
  const text = given[key];
  if (text === undefined) return otherwise;
  if (/^(true|1)$/i.test(text)) return true;
  if (/^(false|0)$/i.test(text)) return false;
  throw new ConfigError(`Expected ${key} in ${what} to be true or false, got ${JSON.stringify(text)}`);
}

/** `x-max-length=10,x-queue-type=quorum`: numbers and flags are what they look like. */
function parseArguments(text: string | undefined, what: string): Arguments {
  const properties = parseProperties(text ?? "", `arguments in ${what}`);
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, argument(value)]));
}

function argument(text: string): string | number | boolean {
  if (/^-?\d{1,15}$/.test(text)) return Number(text);
  return text === "true" ? true : text === "false" ? false : text;
}
