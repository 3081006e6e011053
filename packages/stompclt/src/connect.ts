import { ConfigError } from "@spoolwire/program";
import { parseUri, StompConnection, type BrokerUri, type ConnectionOptions } from "@spoolwire/stomp";
import type { BrokerOptions } from "@spoolwire/transfer";
import { brokerTypes } from "./broker-type.js";

/** Check what can be checked before there is a connection. @throws ConfigError */
export function checkBroker(options: BrokerOptions): BrokerUri {
  let uri: BrokerUri;
  try {
    uri = parseUri(options.uri);
  } catch (error) {
    throw new ConfigError((error as Error).message, { cause: error });
  }
  if (uri.scheme === "ssl" || uri.scheme === "stomp+ssl") {
    throw new ConfigError(
      `Expected a broker URI with tcp:// or stomp://, got ${uri.scheme}://: TLS is not there yet`,
    );
  }
  const { type } = options;
  if (type !== undefined && type !== "UNKNOWN" && !brokerTypes.includes(type)) {
    throw new ConfigError(
      `Expected the broker type to be ${brokerTypes.join(", ")} or UNKNOWN, got "${type}"`,
    );
  }
  return uri;
}

type Handlers = Required<Pick<ConnectionOptions, "onClosed">> & Pick<ConnectionOptions, "onMessage">;

/** Connect one side of the agent. @throws BrokerError */
export async function connect(
  uri: BrokerUri,
  options: BrokerOptions,
  handlers: Handlers,
  signal: AbortSignal,
): Promise<StompConnection> {
  const { credential, heartBeat } = options;
  // What users call `version` is the header `accept-version`.
  const { version, ...headers } = options.connect;
  return await StompConnection.open({
    uri,
    ...(credential.scheme === "plain" && { login: credential.name, passcode: credential.pass }),
    headers: { ...headers, ...(version !== undefined && { "accept-version": version }) },
    ...(heartBeat && { heartBeat: { sendMs: heartBeat.client * 1000, receiveMs: heartBeat.server * 1000 } }),
    timeoutMs: options.timeoutConnect * 1000,
    ...handlers,
    signal,
  });
}
