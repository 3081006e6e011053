// What a side of an agent that has a broker is told, where a test does not say more.
import { createLogger } from "@spoolwire/program";
import type { BrokerOptions } from "@spoolwire/transfer";
import type { TestBroker } from "./broker.js";

/** A reliable side that gives up at the first loss of its connection (no `backOff`), has patience, and logs nothing. */
export const brokerOptions = (uri: string, own: Partial<BrokerOptions> = {}): BrokerOptions => ({
  uri,
  credential: { scheme: "none" },
  x509: undefined,
  connect: {},
  sockopts: {},
  stompDebug: undefined,
  type: undefined,
  maxBodySize: 1e9,
  reliable: true,
  heartBeat: undefined,
  backOff: undefined,
  mayReconnect: true,
  maxAttempts: 3,
  timeoutConnect: 30,
  timeoutBroker: 30,
  timeoutFlush: 30,
  timeoutDisconnect: 10,
  log: createLogger("test", 0, () => undefined),
  ...own,
});

/** The tests' account. */
export const accountOf = ({ user, password }: TestBroker) =>
  ({ scheme: "plain", name: user, pass: password }) as const;
