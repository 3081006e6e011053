/** Where a broker is. */
export interface BrokerUri {
  readonly scheme: "tcp" | "stomp" | "ssl" | "stomp+ssl";
  readonly host: string;
  readonly port: number;
}

/**
 * Read `stomp://host:port`, an IPv6 address standing in brackets.
 * @throws TypeError that says what was expected and what came
 */
export const parseUri = (uri: string): BrokerUri =>
  parse(uri, ["tcp", "stomp", "ssl", "stomp+ssl"], "a broker URI as stomp://host:port");

/**
 * Read `udp://host:port`, for datagrams.
 * @throws TypeError that says what was expected and what came
 */
export function parseUdpUri(uri: string): { readonly host: string; readonly port: number } {
  const { host, port } = parse(uri, ["udp"], "udp://host:port");
  return { host, port };
}

const FORM = /^([a-z+]+):\/\/(\[[0-9a-fA-F:.%]+\]|[^\s/:@[\]]+):(\d{1,5})\/?$/;

function parse<Scheme extends string>(
  uri: string,
  schemes: readonly Scheme[],
  expected: string,
): { scheme: Scheme; host: string; port: number } {
  const match = FORM.exec(uri);
  const scheme = schemes.find((each) => each === match?.[1]);
  const port = Number(match?.[3]);
  if (!match || !scheme || port < 1 || port > 65535) {
    // A password may stand in what was meant as a URI: it is not to be seen in an error.
    const shown = uri.replace(/^([a-z+]*:\/\/)?.*@/s, "$1…@");
    throw new TypeError(`Expected ${expected}, got ${JSON.stringify(shown)}`);
  }
  const host = match[2] ?? "";
  return { scheme, host: host.startsWith("[") ? host.slice(1, -1) : host, port };
}

/** The inverse of `parseUri`. */
export function formatUri({ scheme, host, port }: BrokerUri): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
