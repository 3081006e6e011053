import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { BrokerError, MessageError, type Message } from "@spoolwire/message";
import { ConfigError } from "@spoolwire/program";
import { encodeFrame, parseUdpUri, toFrame } from "@spoolwire/stomp";
import {
  checkBodySize,
  refuseOptions,
  type BrokerOptions,
  type Settle,
  type Sink,
} from "@spoolwire/transfer";

/** The most bytes that a datagram over IPv4 can have: 65,535 with the headers of IP and UDP. */
const MOST_BYTES = 65_507;

/** So many datagrams may wait for the system before the source is slowed. */
const MOST_WAITING = 100;

/**
 * Messages as datagrams, each a SEND frame of STOMP 1.0, since no version is agreed on. Whether anybody gets
 * them is not known: a message is settled when the system has taken it.
 */
export class UdpSink implements Sink {
  readonly name: string;
  readonly #options: BrokerOptions;
  readonly #where: ReturnType<typeof parseUdpUri>;
  #socket: Socket | undefined;
  #waiting = 0;
  #ready = Promise.resolve();
  #isReady: () => void = () => undefined;
  #hasWarned = false;

  /** @throws ConfigError */
  constructor(options: BrokerOptions) {
    this.#options = options;
    this.name = `broker ${options.uri}`;
    const { credential, x509, connect, sockopts, stompDebug, heartBeat, reliable } = options;
    const given = {
      reliable,
      "heart-beat": heartBeat,
      "outgoing-broker-auth": credential.scheme !== "none" || x509,
      "outgoing-broker-connect": Object.keys(connect).length > 0,
      "outgoing-broker-sockopts": Object.keys(sockopts).length > 0,
      "outgoing-broker-stomp-debug": stompDebug,
    };
    refuseOptions(given, "udp://: there is no connection");
    try {
      this.#where = parseUdpUri(options.uri);
    } catch (error) {
      throw new ConfigError((error as Error).message, { cause: error });
    }
  }

  /** @throws BrokerError BROKER_CONNECT if there is no way to the host */
  async start(): Promise<void> {
    const { host, port } = this.#where;
    try {
      const { address, family } = await lookup(host);
      const socket = (this.#socket = createSocket(family === 6 ? "udp6" : "udp4"));
      const connected = once(socket, "connect");
      socket.connect(port, address);
      await connected;
      // As when nobody listens there: that is known by chance only, and may change.
      socket.on("error", (error) => this.#warn(error));
    } catch (error) {
      throw new BrokerError("BROKER_CONNECT", `${this.name}: ${(error as Error).message}`, { cause: error });
    }
  }

  send(message: Message, settle: Settle): Promise<void> | undefined {
    const frame = toFrame(message);
    checkBodySize(frame.body, this.#options);
    const bytes = encodeFrame(frame, "1.0");
    if (bytes.length > MOST_BYTES) {
      throw new MessageError(
        "MESSAGE_NOT_SENDABLE",
        `Expected a datagram of at most ${MOST_BYTES} bytes, got ${bytes.length}`,
      );
    }
    if (this.#waiting++ === 0) this.#ready = new Promise((resolve) => (this.#isReady = resolve));
    this.#socket?.send(bytes, (error) => {
      if (error) this.#warn(error);
      if (--this.#waiting === 0) this.#isReady();
      settle();
    });
    return this.#waiting < MOST_WAITING ? undefined : this.#ready;
  }

  async stop(): Promise<void> {
    await this.#ready;
    this.#socket?.close();
  }

  #warn({ message }: Error): void {
    if (this.#hasWarned) this.#options.log.debug(`${this.name}: ${message}`);
    else this.#options.log.warn(`${this.name}: ${message}; going on`);
    this.#hasWarned = true;
  }
}
