import { once } from "node:events";
import { mkdirSync } from "node:fs";
import net, { type AddressInfo } from "node:net";
import { resolve } from "node:path";
import { formatUri } from "@spoolwire/stomp";
import { Connection } from "./connection.js";
import { Destinations } from "./destinations.js";
import { oneLine } from "./errors.js";
import { guard } from "./guard.js";
import { checkOptions, type BrokerOptions } from "./options.js";
import type { QueueStatus } from "./queue.js";
import { Turns } from "./turns.js";

/** How often empty directories are looked for, milliseconds. */
const TIDY_MS = 60_000;

/** How a broker is doing. */
export interface BrokerStatus {
  readonly connections: number;
  readonly subscriptions: number;
  /** SEND frames taken since the start. */
  readonly received: number;
  /** MESSAGE frames sent since the start, a message that is delivered again counting again. */
  readonly delivered: number;
  /** By the names of the queues. */
  readonly queues: Readonly<Record<string, QueueStatus>>;
}

/** A broker that is running. */
export interface Broker {
  /** The port it listens on. */
  readonly port: number;
  /** Where clients find it, as `stomp://127.0.0.1:61613`. */
  readonly address: string;
  /**
   * Close all connections and leave the data directory to others. What clients have not acknowledged stays
   * in the queues. May be called twice.
   */
  stop(): Promise<void>;
  status(): BrokerStatus;
}

/**
 * Start a STOMP broker in this process. Its queues are directory queues, which are found again at the
 * next start; what a RECEIPT has confirmed is in them.
 * @throws TypeError, RangeError naming the option; BusyError BROKER_BUSY if another broker has the data
 * directory; Node's own error if the directory cannot be used or the port cannot be listened on
 *
 * @example
 * const broker = await startBroker({ data: "/var/spool/broker", port: 0 });
 * console.log(broker.address);
 * await broker.stop();
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const checked = checkOptions(options);
  const log = (line: string) => checked.log(oneLine(line));
  const settings = { ...checked, log };
  const { host } = settings;
  const data = resolve(settings.data);
  let address = formatUri({ scheme: "stomp", host, port: settings.port });
  mkdirSync(data, { recursive: true });
  const release = await guard(data, () => `pid ${process.pid}, ${address}`);

  const stopped = new AbortController();
  const turns = new Turns(log);
  const destinations = new Destinations(data, turns, log);
  const counts = { received: 0, delivered: 0 };
  const connections = new Set<Connection>();
  const server = net.createServer((socket) => {
    const connection = new Connection(socket, { settings, destinations, turns, counts });
    connections.add(connection);
    void connection.gone.then(() => connections.delete(connection));
  });
  try {
    await destinations.open(stopped.signal);
    await once(server.listen(settings.port, host), "listening");
  } catch (error) {
    await release();
    throw error;
  }
  server.on("error", (error) => log(error.message));
  const { port } = server.address() as AddressInfo;
  address = formatUri({ scheme: "stomp", host, port });

  let tidying: Promise<void> | undefined;
  const timer = setInterval(() => {
    tidying ??= destinations
      .tidy(stopped.signal)
      .catch((error: Error) => {
        if (!stopped.signal.aborted) log(error.message);
      })
      .then(() => (tidying = undefined));
  }, TIDY_MS);

  const stop = async () => {
    clearInterval(timer);
    stopped.abort();
    await tidying;
    const closed = once(server, "close");
    server.close();
    for (const connection of connections) connection.end();
    await Promise.all([closed, ...Array.from(connections, (connection) => connection.gone)]);
    turns.stop();
    await release();
  };
  let stopping: Promise<void> | undefined;
  return {
    port,
    address,
    stop: () => (stopping ??= stop()),
    status: () => {
      let subscriptions = 0;
      for (const connection of connections) subscriptions += connection.subscriptionCount;
      return { connections: connections.size, subscriptions, ...counts, queues: destinations.status() };
    },
  };
}
