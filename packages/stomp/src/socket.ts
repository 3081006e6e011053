import net from "node:net";
import tls from "node:tls";
import type { BrokerUri } from "./uri.js";

/** What TLS needs besides what the system has: certificates and keys as PEM text. */
export interface TlsOptions {
  /** Whom to trust to vouch for the broker (default: whom Node trusts). */
  readonly ca?: readonly string[];
  /** Our own certificate, and its key. */
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
}

/** How a socket is set up. */
export interface SocketOptions {
  /** Ask the network whether a silent connection is still there (default true). */
  readonly keepAlive?: boolean;
  /** After so long a silence, milliseconds (default 60,000). */
  readonly keepIdleMs?: number;
  /** Send small frames at once (default true; without it each receipt takes 40 ms). */
  readonly noDelay?: boolean;
  /** Our own address (default: as the system likes). */
  readonly localAddress?: string;
  /** The version of IP, for a host that has both (default: as the system likes). */
  readonly family?: 4 | 6;
}

/** Where to, and how. */
export interface Way {
  readonly uri: BrokerUri;
  /** Connect to this address instead of looking up the URI's host. */
  readonly address?: string;
  /** For ssl:// and stomp+ssl://. The broker's certificate must be valid for the URI's host. */
  readonly tls?: TlsOptions;
  readonly socket?: SocketOptions;
}

/** How long a connection may be silent before the network is asked whether it is still there, milliseconds. */
const KEEP_IDLE_MS = 60_000;

/** A socket that is being connected. */
export function connectSocket({ uri, address = uri.host, tls: secure = {}, socket = {} }: Way): net.Socket {
  const { localAddress, family } = socket;
  const where = {
    host: address,
    port: uri.port,
    ...(localAddress !== undefined && { localAddress }),
    ...(family !== undefined && { family }),
  };
  if (uri.scheme !== "ssl" && uri.scheme !== "stomp+ssl") return setUp(net.connect(where), socket);
  const { ca, ...own } = secure;
  const secured = tls.connect({
    ...where,
    ...own,
    ...(ca && { ca: [...ca] }),
    // What is written before the broker's certificate is checked waits until then.
    ...(net.isIP(uri.host) === 0 && { servername: uri.host }),
    // The name that was asked for, and not the address that was found.
    checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(uri.host, certificate),
  });
  return setUp(secured, socket);
}

/** Set up a socket, for either side. */
export function setUp(
  socket: net.Socket,
  { keepAlive = true, keepIdleMs = KEEP_IDLE_MS, noDelay = true }: SocketOptions = {},
): net.Socket {
  // A host that vanished is found in the end, if there are no heart-beats either.
  return socket.setNoDelay(noDelay).setKeepAlive(keepAlive, keepIdleMs);
}
