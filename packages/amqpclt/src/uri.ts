import { ConfigError } from "@spoolwire/program";

/** Where an AMQP broker is. */
export interface AmqpUri {
  /** As it was given. */
  readonly uri: string;
  readonly isTls: boolean;
  readonly host: string;
  readonly port: number;
  /** Undefined: the default one. */
  readonly virtualHost: string | undefined;
}

const FORM =
  /^amqp(?:10|091)?(s?):\/\/(\[[0-9a-fA-F:.%]+\]|[^\s/:@?#[\]]+)(?::(\d{1,5}))?(?:\/([^\s/?#]*))?$/;

/**
 * Read `amqp://HOST:PORT/VHOST`: the port is 5672, or 5671 with TLS, if it is not given; the virtual host may be
 * %XX-encoded (`%2F` is the one that RabbitMQ calls `/`).
 * @throws ConfigError that says what was expected and what came, without a password
 */
export function parseAmqpUri(uri: string): AmqpUri {
  const [, s = "", host = "", digits, path = ""] = FORM.exec(uri) ?? [];
  const port = digits === undefined ? (s ? 5671 : 5672) : Number(digits);
  if (host === "" || port < 1 || port > 65535) {
    const shown = uri.replace(/^([a-z0-9+]*:\/\/)?.*@/s, "$1…@");
    throw new ConfigError(`Expected a broker URI as amqp://HOST:PORT/VHOST, got ${JSON.stringify(shown)}`);
  }
  return {
    uri,
    isTls: s !== "",
    host: host.startsWith("[") ? host.slice(1, -1) : host,
    port,
    virtualHost: path === "" ? undefined : decode(path),
  };
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw new ConfigError(`Expected the virtual host to be %XX-encoded UTF-8, got ${JSON.stringify(path)}`, {
      cause: error,
    });
  }
}
