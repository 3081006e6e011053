import { isIP, type Socket } from "node:net";
import { BrokerError, deadline } from "@spoolwire/message";
import { ConfigError, readTls, renewed, type TlsFiles } from "@spoolwire/program";
import {
  parseBrokers,
  refuseOptions,
  type BrokerList,
  type BrokerOptions,
  type BrokerSourceOptions,
} from "@spoolwire/transfer";
import { parseAmqpUri, type AmqpUri } from "./uri.js";

/** A broker, and how to log in to it. */
export interface Place extends AmqpUri {
  readonly login: "none" | "plain" | "external";
  /** What the connection is to be called, for who looks at the broker. */
  readonly id: string | undefined;
  /** Of the host, or its name. */
  readonly address: string;
}

/**
 * Check what can be checked before there is a connection.
 * @param spoken the scheme of this AMQP alone; `amqp://` may be either
 * @throws ConfigError
 */
export function checkBroker(
  options: BrokerOptions | BrokerSourceOptions,
  spoken: "amqp10" | "amqp091",
): BrokerList<Place> {
  const { uri, credential, x509, connect, sockopts, stompDebug } = options;
  const isSource = "subscriptions" in options;
  const side = isSource ? "incoming" : "outgoing";
  const given = {
    [`${side}-broker-sockopts`]: Object.keys(sockopts).length > 0,
    [`${side}-broker-stomp-debug`]: stompDebug,
    unsubscribe: isSource && options.unsubscriptions,
    "keep-headers": isSource && options.keepHeaders,
  };
  refuseOptions(given, "AMQP");
  const { host: virtualHost, "container-id": id, ...others } = connect;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) {
    throw new ConfigError(`Expected the connection's properties to be host and container-id, got ${unknown}`);
  }
  const hasCertificate = x509?.cert !== undefined;
  return parseBrokers(uri, (each) => {
    const place = parseAmqpUri(each);
    if (!new RegExp(`^(amqp|${spoken})s?://`).test(each)) {
      throw new ConfigError(`Expected all brokers of a list to speak ${spoken}, got ${each}`);
    }
    if (virtualHost !== undefined && place.virtualHost !== undefined) {
      throw new ConfigError("Expected a virtual host in the URI or as host=VHOST, got both");
    }
    if (hasCertificate && !place.isTls) throw new ConfigError("A certificate needs a URI with amqps://");
    return {
      ...place,
      virtualHost: place.virtualHost ?? virtualHost,
      login: credential.scheme === "plain" ? "plain" : hasCertificate ? "external" : "none",
      id,
      address: place.host,
    };
  });
}

/** Read anew each time: certificates are renewed while agents run. */
export function tlsOptions(
  { isTls, host }: Place,
  { x509, log }: BrokerOptions,
): TlsFiles & { servername?: string } {
  if (!isTls) return {};
  return { ...(x509 && readTls(renewed(x509, log))), ...(!isIP(host) && { servername: host }) };
}

/**
 * What is written to a socket until `later` calls back, by default in this turn, goes out as one: the libraries write
 * each frame for itself.
 */
export function gather(
  socket: Socket,
  later: (then: () => void) => void = (then) => process.nextTick(then),
): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  later(() => socket.uncork());
}

/** How long something may take, and what may stop it before. */
export interface Patience {
  readonly ms: number;
  readonly signal?: AbortSignal;
  /** What is said when the time is over. */
  readonly late: string;
}

/**
 * What `work` resolves to, unless it takes too long or the signal is aborted.
 * @throws BrokerError BROKER_TIMEOUT, the signal's reason, or what `work` throws
 */
export async function within<Result>(work: Promise<Result>, { ms, signal, late }: Patience): Promise<Result> {
  let inTime: (() => void) | undefined;
  let abort: (() => void) | undefined;
  try {
    return await Promise.race([
      work,
      new Promise<never>((_resolve, reject) => {
        inTime = deadline(ms, () => reject(new BrokerError("BROKER_TIMEOUT", late)));
        abort = () => reject(signal?.reason as Error);
        signal?.addEventListener("abort", abort);
        if (signal?.aborted) abort();
      }),
    ]);
  } finally {
    inTime?.();
    if (abort) signal?.removeEventListener("abort", abort);
  }
}

/** Whether `work` has ended well within so many milliseconds. */
export const endsWithin = (work: Promise<unknown>, ms: number): Promise<boolean> =>
  within(work, { ms, late: "" }).then(
    () => true,
    () => false,
  );

/** The error for a connection that could not be made, whichever way it failed. */
export function connectError(uri: string, error: unknown): Error {
  if (error instanceof BrokerError) return error;
  const { message, code } = error as NodeJS.ErrnoException;
  const isOurs = typeof code === "string" && /^E(NOENT|ACCES|ISDIR)$/.test(code);
  if (isOurs) return error as Error;
  return new BrokerError("BROKER_CONNECT", `Cannot connect to ${uri}: ${message}`, { cause: error });
}
