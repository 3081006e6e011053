import { ConfigError, type Properties } from "@spoolwire/program";
import { traceTopics, type SocketOptions, type TraceTopic } from "@spoolwire/stomp";

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

/** What Node can set of a socket, by the names of the command line. */
const settings: Readonly<Record<string, (options: Mutable<SocketOptions>, value: string) => void>> = {
  keepalive: (options, value) => (options.keepAlive = flag("keepalive", value)),
  keepidle: (options, value) => (options.keepIdleMs = seconds("keepidle", value) * 1000),
  nodelay: (options, value) => (options.noDelay = flag("nodelay", value)),
  localaddr: (options, value) => (options.localAddress = value),
  family: (options, value) => {
    if (value !== "4" && value !== "6") throw wrong("family", "4 or 6", value);
    options.family = value === "4" ? 4 : 6;
  },
};

/** @throws ConfigError naming the socket option */
export function readSocketOptions(sockopts: Properties): SocketOptions {
  const options: Mutable<SocketOptions> = {};
  for (const [name, value] of Object.entries(sockopts)) {
    const set = Object.hasOwn(settings, name) ? settings[name] : undefined;
    if (!set) {
      const known = Object.keys(settings).join(", ");
      throw new ConfigError(`Expected a socket option ${known}, got ${JSON.stringify(name)}`);
    }
    set(options, value);
  }
  return options;
}

function flag(name: string, value: string): boolean {
  if (/^(1|true|on|yes)$/.test(value)) return true;
  if (/^(0|false|off|no)$/.test(value)) return false;
  throw wrong(name, "true or false", value);
}

function seconds(name: string, value: string): number {
  if (/^\d+(\.\d+)?$/.test(value) && Number(value) >= 1) return Number(value);
  throw wrong(name, "a number of seconds >= 1", value);
}

const wrong = (name: string, expected: string, value: string) =>
  new ConfigError(`Expected the socket option ${name} to be ${expected}, got ${JSON.stringify(value)}`);

/** The topics of a trace, `all` being all of them. @throws ConfigError naming the word that is none */
export function readTraceTopics(words = ""): TraceTopic[] {
  const topics = new Set<TraceTopic>();
  for (const word of words.split(/[\s,+]+/).filter((each) => each !== "")) {
    const meant = word === "all" ? traceTopics : traceTopics.filter((topic) => topic === word);
    if (meant.length === 0) {
      const known = traceTopics.join(", ");
      throw new ConfigError(
        `Expected a STOMP trace to be made of ${known} and all, got ${JSON.stringify(word)}`,
      );
    }
    for (const topic of meant) topics.add(topic);
  }
  return [...topics];
}
