import type { Socket } from "node:net";
import { BrokerError } from "@spoolwire/message";
import { renewed } from "@spoolwire/program";
import { connectToAny, type BrokerList, type BrokerOptions } from "@spoolwire/transfer";
import type { Channel, ChannelModel } from "amqplib";
import {
  connectError,
  endsWithin,
  gather,
  tlsOptions,
  within,
  type Patience,
  type Place,
} from "./connect.js";
import { amqplib } from "./libraries.js";

/**
 * A connection to a broker with AMQP 0-9-1. It is over as a whole when one of its channels is: what a channel had
 * under way is not known then.
 */
export class Connection091 {
  readonly model: ChannelModel;
  readonly #uri: string;
  readonly #lost: (error: Error) => void;
  readonly #channels = new Set<Channel>();
  #isOver = false;
  /** What the library has said why. */
  #reason: Error | undefined;
  #failure: Error | undefined;
  #tellOver: () => void = () => undefined;
  readonly #over: Promise<void>;

  private constructor(model: ChannelModel, uri: string, lost: (error: Error) => void) {
    this.model = model;
    this.#uri = uri;
    this.#lost = lost;
    this.#over = new Promise((resolve) => model.once("close", () => resolve()));
    for (const event of ["error", "close"]) {
      model.on(event, (error?: Error) => {
        this.#reason ??= error;
        this.end(closedError(error));
      });
    }
  }

  /** To the first that answers. @throws BrokerError; a file's own error if a certificate cannot be read */
  static open(
    list: BrokerList<Place>,
    options: BrokerOptions,
    lost: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<Connection091> {
    return connectToAny(
      list,
      (place, address = place.host) => Connection091.#attempt({ ...place, address }, options, lost, signal),
      { log: options.log, signal },
    );
  }

  static async #attempt(
    place: Place,
    options: BrokerOptions,
    lost: (error: Error) => void,
    signal: AbortSignal,
  ): Promise<Connection091> {
    const { uri } = place;
    const { heartBeat, timeoutConnect } = options;
    const credential = renewed(options.credential, options.log);
    const beats = heartBeat && Math.max(1, Math.round(Math.min(heartBeat.client, heartBeat.server)));
    // The library would wait for ever, and keep the socket of a broker that is silent.
    const givenUp = new AbortController();
    const socket = { ...tlsOptions(place, options), signal: givenUp.signal };
    const { connect, credentials } = amqplib();
    const work = connect(
      {
        protocol: place.isTls ? "amqps" : "amqp",
        hostname: place.address,
        port: place.port,
        vhost: encodeURIComponent(place.virtualHost ?? "/"),
        heartbeat: beats ?? 0,
        ...(credential.scheme === "plain" && { username: credential.name, password: credential.pass }),
      },
      {
        noDelay: true,
        keepAlive: true,
        ...socket,
        credentials:
          place.login === "external"
            ? credentials.external()
            : credential.scheme === "plain"
              ? credentials.plain(credential.name, credential.pass)
              : credentials.plain("guest", "guest"),
        ...(place.id !== undefined && { clientProperties: { connection_name: place.id } }),
      },
    );
    try {
      const late = `${uri} did not answer within ${timeoutConnect} s`;
      return new Connection091(await within(work, { ms: timeoutConnect * 1000, signal, late }), uri, lost);
    } catch (error) {
      // It may have come just now: nobody is to hear of its end.
      work.then(
        (model) => model.on("error", () => undefined),
        () => undefined,
      );
      givenUp.abort();
      signal.throwIfAborted();
      throw refusal(place, error);
    }
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Why it has ended by itself. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Told when it has ended by itself. */
  onOver(over: () => void): void {
    this.#tellOver = over;
  }

  /** What is asked for at the start. Without an answer the connection is over. @throws BrokerError */
  async establish<Result>(work: Promise<Result>, patience: Patience): Promise<Result> {
    try {
      return await within(work, patience);
    } catch (error) {
      const isTold = error instanceof BrokerError || patience.signal?.aborted;
      const told = isTold ? (error as Error) : this.#refused(error as Error);
      this.end(told);
      throw told;
    }
  }

  /** The library may tell who waits for an answer only that none will come. */
  #refused(error: Error): BrokerError {
    const { failure = error } = this;
    const code = failure instanceof BrokerError ? failure.code : "BROKER_REJECTED";
    return new BrokerError(code, `${this.#uri}: ${failure.message}`, { cause: error });
  }

  /** How many bytes the network has taken of what was sent. */
  get taken(): number {
    const { bytesWritten, writableLength } = streamOf(this.model);
    return bytesWritten - writableLength;
  }

  /** What is acknowledged in this turn goes out as one. */
  gatherAcks(): void {
    gather(streamOf(this.model));
  }

  /** What is published in this turn goes out as one. The library hands it on in the next, behind what is set for now. */
  gatherMessages(): void {
    gather(streamOf(this.model), (then) => setImmediate(() => setImmediate(then)));
  }

  /** Whatever happens to the channel happens to the connection. */
  watch<Kind extends Channel>(channel: Kind): Kind {
    this.#channels.add(channel);
    channel.on("error", (error) =>
      this.end(new BrokerError("BROKER_REJECTED", error.message, { cause: error })),
    );
    // Before the library's own, which says of all that is not confirmed that it is refused.
    channel.prependListener("close", () => {
      if (this.#isOver) return;
      this.#isOver = true;
      // If the connection closes it says why after its channels are closed.
      process.nextTick(() => this.#fail(closedError(this.#reason, "channel")));
    });
    return channel;
  }

  /** End it with an error. Only the first end counts. */
  end(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#fail(error);
  }

  #fail(error: Error): void {
    this.#failure = error;
    destroy(this.model);
    this.#lost(error);
    this.#tellOver();
  }

  /** The channels first: the library lets the end of the connection overtake what they still have to send. */
  async #sayGoodbye(): Promise<void> {
    await Promise.all(Array.from(this.#channels, (channel) => channel.close()));
    await this.model.close();
    await this.#over;
  }

  /** False: the broker did not answer in time. */
  async close(timeoutMs: number): Promise<boolean> {
    if (this.#isOver) return true;
    this.#isOver = true;
    const isGone = await endsWithin(this.#sayGoodbye(), timeoutMs);
    destroy(this.model);
    return isGone;
  }
}

/** The library has no way to give up a connection without a farewell, nor to say how far it is. */
const streamOf = ({ connection }: ChannelModel) =>
  (connection as unknown as { readonly stream: Socket }).stream;

const destroy = (model: ChannelModel) => streamOf(model).destroy();

/** What a broker says when it ends a connection for no fault of ours: all is well, forced, internal error. */
const BLAMELESS: readonly unknown[] = [200, 320, 541];

function closedError(cause: NodeJS.ErrnoException | undefined, what = "connection"): BrokerError {
  const code: unknown = cause?.code;
  const isOurFault = typeof code === "number" && !BLAMELESS.includes(code);
  const words = cause?.message ?? `The broker has closed the ${what}`;
  return new BrokerError(isOurFault ? "BROKER_REJECTED" : "BROKER_CLOSED", words, { cause });
}

function refusal({ uri, virtualHost = "/" }: Place, error: unknown): Error {
  const { message } = error as Error;
  if (message.startsWith("Expected ConnectionOpenOk; got <ConnectionClose")) {
    // The library does not read why.
    const words = `${uri}: The broker refuses the virtual host ${JSON.stringify(virtualHost)}`;
    return new BrokerError("BROKER_REJECTED", words, { cause: error });
  }
  const [, code = "", text = message] = /\b(\d{3}) \([A-Z-]+\) with message "(.*)"/s.exec(message) ?? [];
  const words = `${uri}: The broker refuses the connection: ${text}`;
  if (code === "403") return new BrokerError("BROKER_AUTH", words, { cause: error });
  if (code !== "") return new BrokerError("BROKER_REJECTED", words, { cause: error });
  return connectError(uri, error);
}
