/** Where a broker is. */
export interface BrokerUri {
  readonly scheme: "tcp" | "stomp" | "ssl" | "stomp+ssl";
  readonly host: string;
  readonly port: number;
}

const FORM = /^(tcp|stomp|ssl|stomp\+ssl):\/\/(\[[0-9a-fA-F:.%]+\]|[^\s/:@[\]]+):(\d{1,5})\/?$/;

/**
 * Read `stomp://host:port`, an IPv6 address standing in brackets.
 * @throws TypeError that says what was expected and what came
 */
export function parseUri(uri: string): BrokerUri {
  const match = FORM.exec(uri);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65535) {
    // A password may stand in what was meant as a URI: it is not to be seen in an error.
    const shown = uri.replace(/^([a-z+]*:\/\/)?.*@/s, "$1…@");
    throw new TypeError(`Expected a broker URI as stomp://host:port, got ${JSON.stringify(shown)}`);
  }
  const host = match[2] ?? "";
  return {
    scheme: match[1] as BrokerUri["scheme"],
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port,
  };
}

/** The inverse of `parseUri`. */
export function formatUri({ scheme, host, port }: BrokerUri): string {
  return `${scheme}://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
