import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { BrokerError } from "@spoolwire/message";
import { renewed } from "@spoolwire/program";
import { connectToAny, type BrokerList, type BrokerOptions } from "@spoolwire/transfer";
import type { AmqpError, Connection, ConnectionOptions, EventContext, Session } from "rhea";
import { connectError, endsWithin, gather, tlsOptions, within, type Place } from "./connect.js";
import { rhea } from "./libraries.js";

/** A connection to a broker with AMQP 1.0. */
export class Connection10 {
  readonly #connection: Connection;
  readonly #lost: (error: Error) => void;
  readonly #gone: Promise<void>;
  #isOver = false;
  #tellOver: () => void = () => undefined;

  private constructor(connection: Connection, lost: (error: Error) => void) {
    this.#connection = connection;
    this.#lost = lost;
    this.#gone = new Promise((resolve) => {
      connection.once("connection_close", () => resolve());
      connection.once("disconnected", () => resolve());
    });
  }

  /** To the first that answers. @throws BrokerError; a file's own error if a certificate cannot be read */
  static open(
    list: BrokerList<Place>,
    options: BrokerOptions,
    lost: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<Connection10> {
    return connectToAny(
      list,
      (place, address = place.host) => Connection10.#attempt({ ...place, address }, options, lost, signal),
      { log: options.log, signal },
    );
  }

  static async #attempt(
    place: Place,
    options: BrokerOptions,
    lost: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<Connection10> {
    const { uri } = place;
    const { timeoutConnect } = options;
    let connection: Connection;
    try {
      connection = rhea().create_container().connect(connectOptions(place, options));
    } catch (error) {
      // A certificate that does not go with its key.
      throw connectError(uri, error);
    }
    const self = new Connection10(connection, lost);
    const opened = new Promise<void>((resolve, reject) => {
      let failed: (error: Error) => void = reject;
      let wasUp = false;
      connection.once("connection_open", () => {
        wasUp = true;
        failed = (error) => self.end(error);
        resolve();
      });
      for (const event of ["connection_error", "connection_close"]) {
        connection.on(event, ({ error }: EventContext) => failed(closedBy(uri, error ?? connection.error)));
      }
      connection.on("disconnected", ({ error }: EventContext) =>
        failed(
          wasUp
            ? new BrokerError("BROKER_CLOSED", error?.message ?? "The broker has closed the connection")
            : connectError(uri, error ?? new Error("The broker has closed the connection")),
        ),
      );
      for (const event of ["error", "protocol_error"]) {
        connection.on(event, (error: Error) =>
          failed(new BrokerError("BROKER_PROTOCOL", `${uri}: ${error.message}`)),
        );
      }
      connection.on("session_error", () => undefined);
    });
    try {
      const late = `${uri} did not answer within ${timeoutConnect} s`;
      await within(opened, { ms: timeoutConnect * 1000, signal, late });
      return self;
    } catch (error) {
      self.#isOver = true;
      self.#destroy();
      throw error;
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** What the broker says of itself. */
  get product(): string {
    const { product } = (this.#connection.properties ?? {}) as { readonly product?: unknown };
    return typeof product === "string" ? product : "";
  }

  /** The network has not taken what was sent, and the library would keep whatever it is given. */
  get isCongested(): boolean {
    return this.#socket?.writableNeedDrain ?? false;
  }

  /** How many bytes the network has taken of what was sent. */
  get taken(): number {
    const { bytesWritten = 0, writableLength = 0 } = this.#socket ?? {};
    return bytesWritten - writableLength;
  }

  /** What is sent in this turn goes out as one. */
  gather(): void {
    if (this.#socket) gather(this.#socket);
  }

  /** Told when it is no longer congested. */
  onDrain(drained: () => void): void {
    this.#socket?.on("drain", drained);
  }

  /** Told when it has ended by itself. */
  onOver(over: () => void): void {
    this.#tellOver = over;
  }

  /**
   * A session of its own for a link, so that a link that waits holds up no other.
   * @param mostUnderWay how many messages may be sent in it and not settled
   */
  session(mostUnderWay?: number): Session {
    const connection = this.#connection as unknown as { create_session(size?: number): Session };
    const session = connection.create_session(mostUnderWay);
    session.open();
    return session;
  }

  /** End it with an error. Only the first end counts. */
  end(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#destroy();
    this.#lost(error);
    this.#tellOver();
  }

  /** False: the broker did not answer in time. */
  async close(timeoutMs: number): Promise<boolean> {
    if (this.#isOver) return true;
    this.#isOver = true;
    this.#connection.close();
    const isGone = await endsWithin(this.#gone, timeoutMs);
    this.#destroy();
    return isGone;
  }

  /** With an error, which makes the library stop its timers. */
  #destroy(): void {
    this.#socket?.destroy(new Error("The connection is given up"));
  }

  get #socket(): Socket | undefined {
    return (this.#connection as unknown as { readonly socket?: Socket }).socket;
  }
}

function connectOptions(place: Place, options: BrokerOptions): ConnectionOptions {
  const { virtualHost, host, address, port, isTls, id = `spoolwire-${randomUUID()}` } = place;
  const { heartBeat, log } = options;
  const credential = renewed(options.credential, log);
  const isRabbitMq = options.type === undefined || options.type === "RabbitMQ";
  return {
    host: address,
    port,
    container_id: id,
    // RabbitMQ's way to say it.
    hostname: virtualHost === undefined ? host : isRabbitMq ? `vhost:${virtualHost}` : virtualHost,
    // The name that the library would take by itself is no name where the host is an address.
    ...(isTls && {
      transport: "tls",
      rejectUnauthorized: true,
      servername: "",
      ...tlsOptions(place, options),
    }),
    reconnect: false,
    tcp_no_delay: true,
    ...(heartBeat && { idle_time_out: heartBeat.server * 1000 }),
    sasl_mechanisms: mechanisms(place, credential),
  } as ConnectionOptions;
}

/** The library's own cut a name or a password that is not ASCII. */
function mechanisms({ login }: Place, credential: BrokerOptions["credential"]): Record<string, unknown> {
  const [name, response] =
    credential.scheme === "plain"
      ? ["PLAIN", `\0${credential.name}\0${credential.pass}`]
      : login === "external"
        ? ["EXTERNAL", ""]
        : ["ANONYMOUS", "spoolwire"];
  const start = (answer: (error: undefined, response: Buffer) => void) =>
    answer(undefined, Buffer.from(response));
  return { [name]: () => ({ start, step: start }) };
}

/** In the broker's words. */
export const describe = (error: AmqpError | Error | undefined, otherwise: string): string => {
  const { condition, description, message } = (error ?? {}) as AmqpError & Error;
  return [condition, description ?? message].filter(Boolean).join(": ") || otherwise;
};

function closedBy(uri: string, error: AmqpError | Error | undefined): BrokerError {
  const condition = String((error as AmqpError | undefined)?.condition ?? "");
  const words = describe(error, "The broker has closed the connection");
  if (condition === "amqp:unauthorized-access") {
    return new BrokerError("BROKER_AUTH", `${uri}: The broker refuses the connection: ${words}`);
  }
  const isPassing = condition === "" || condition === "amqp:connection:forced";
  return new BrokerError(isPassing ? "BROKER_CLOSED" : "BROKER_REJECTED", `${uri}: ${words}`);
}
