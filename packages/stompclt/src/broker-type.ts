import type { Header } from "@spoolwire/message";

/** What is known of each broker that speaks STOMP. */
interface BrokerType {
  readonly name: string;
  /** How its CONNECTED frame tells it: by `server`, or else by `session`. */
  readonly server: RegExp;
  readonly session?: RegExp;
  /** The SUBSCRIBE header that limits what it sends ahead. */
  readonly prefetch: string;
}

const types: readonly BrokerType[] = [
  { name: "ActiveMQ", server: /^ActiveMQ(\/|$)/, session: /^ID:/, prefetch: "activemq.prefetchSize" },
  { name: "Artemis", server: /^ActiveMQ-Artemis\b/, prefetch: "consumer-window-size" },
  { name: "Apollo", server: /^apache-apollo\b/i, session: /^\S+-[0-9a-f]{1,5}$/, prefetch: "credit" },
  { name: "RabbitMQ", server: /^RabbitMQ\b/, session: /^session-/, prefetch: "prefetch-count" },
  { name: "Spoolwire", server: /^Spoolwire\b/, prefetch: "prefetch-count" },
];

/** The names of the brokers that are known. */
export const brokerTypes: readonly string[] = types.map(({ name }) => name);

/** The broker that a CONNECTED frame comes from, or undefined. */
export function guessBrokerType({ server, session }: Readonly<Header>): string | undefined {
  const found =
    server === undefined
      ? types.find((type) => session !== undefined && type.session?.test(session))
      : types.find((type) => type.server.test(server));
  return found?.name;
}

/** The header that sets the prefetch of a broker, or undefined if the broker is not known. */
export function prefetchHeader(name: string | undefined): string | undefined {
  return types.find((type) => type.name === name)?.prefetch;
}
