import type { Message } from "@spoolwire/message";
import type { Credential, Logger, Properties, X509 } from "@spoolwire/program";
import type { BackOff } from "./back-off.js";
import type { Sink } from "./sink.js";
import type { Source } from "./source.js";

/** What a broker's side of an agent is told. */
export interface BrokerOptions {
  readonly uri: string;
  readonly credential: Exclude<Credential, X509>;
  /** For TLS: our certificate and whom we trust, by paths. */
  readonly x509: X509 | undefined;
  /** More headers or properties of the connection. */
  readonly connect: Properties;
  /** How to set up the socket, in the words of the command line. */
  readonly sockopts: Properties;
  /** What of the protocol to trace to the log, in the words of the command line. */
  readonly stompDebug: string | undefined;
  /** Which broker it is, if the user said so. */
  readonly type: string | undefined;
  /** A message whose body has more bytes is neither sent nor received. */
  readonly maxBodySize: number;
  readonly reliable: boolean;
  /** What we offer, seconds; undefined: no heart-beats. */
  readonly heartBeat: { readonly client: number; readonly server: number } | undefined;
  /** How to go about a broker that is away, unless its URI says so; undefined: the first failure is the last. */
  readonly backOff: BackOff | undefined;
  /** False: whatever the URI says. */
  readonly mayReconnect: boolean;
  /** So often a message is sent that the broker refuses, before it is rejected (at least 1). */
  readonly maxAttempts: number;
  /** Seconds. */
  readonly timeoutConnect: number;
  /** How long the broker may take to confirm what it is asked for, seconds. */
  readonly timeoutBroker: number;
  /** How long the network may take at the end to take what was sent, seconds. */
  readonly timeoutFlush: number;
  /** Seconds. */
  readonly timeoutDisconnect: number;
  readonly log: Logger;
  /** Told when the broker is away at the start, and is tried until it is there. */
  readonly onAway?: () => void;
}

export interface BrokerSourceOptions extends BrokerOptions {
  /** At least one. */
  readonly subscriptions: readonly Properties[];
  /** Headers to unsubscribe with at the end, in the order of the subscriptions; undefined: do not. */
  readonly unsubscriptions: readonly Properties[] | undefined;
  /** Most messages that the broker sends ahead; undefined: as the broker likes. */
  readonly prefetch: number | undefined;
  /** Keep what a header says of one delivery and not of the message, where the protocol has such (default false). */
  readonly keepHeaders?: boolean | undefined;
}

/** One way to talk to brokers: what an agent adds to the loop and the queues. */
export interface Protocol {
  /** The URI schemes that it speaks; of two that speak one the first does, unless a module is named. */
  readonly schemes: readonly string[];
  /** What users may call it with `--…-broker-module`. */
  readonly modules?: readonly string[];
  /** @throws ConfigError or TypeError if the options make no sense to it */
  openSource(options: BrokerSourceOptions): Source;
  /** @throws ConfigError or TypeError if the options make no sense to it */
  openSink(options: BrokerOptions): Sink;
  /** @throws MessageError if no broker could be sent this message */
  checkMessage(message: Message): void;
}
