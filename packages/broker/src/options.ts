import { defaultLimits, type FrameLimits, type HeartBeat } from "@spoolwire/stomp";

/** How to start a broker. The fields that are not given have the values of `defaults`. */
export interface BrokerOptions {
  /** The directory of everything that outlives the broker; made if it is not there. One broker at a time. */
  readonly data: string;
  /** The address to listen on (default 127.0.0.1: this host only). */
  readonly host?: string;
  /** The port to listen on (default 61613; 0: any that is free). */
  readonly port?: number;
  /** What a client must log in with (default: anybody is let in). */
  readonly credential?: { readonly login: string; readonly passcode: string };
  /** What is offered to clients of STOMP 1.1 and later, milliseconds (default 1,000 both ways). */
  readonly heartBeat?: HeartBeat;
  /**
   * Most messages that a subscription has and has not acknowledged (default 100; 0: no limit). The
   * `prefetch-count` header of SUBSCRIBE wins. Nothing to `ack:auto`.
   */
  readonly prefetch?: number;
  /** Bounds on the frames of a client, each as in `FrameLimits`. */
  readonly limits?: Partial<FrameLimits>;
  /** How long a client may take to log in, milliseconds (default 10,000; 0: for ever). */
  readonly loginMs?: number;
  /** Where the broker tells what is wrong, a line each (default: nowhere). No secret comes there. */
  readonly log?: (line: string) => void;
}

export const defaults = Object.freeze({
  host: "127.0.0.1",
  port: 61613,
  heartBeat: Object.freeze({ sendMs: 1000, receiveMs: 1000 }),
  prefetch: 100,
  limits: defaultLimits,
  loginMs: 10_000,
  log: () => {},
});

/** Options with nothing left open but the credential. */
export type Settings = Required<Omit<BrokerOptions, "credential">> & Pick<BrokerOptions, "credential">;

const names = ["data", "credential", ...Object.keys(defaults)];

/**
 * Check options before they are used; unknown names are refused.
 * @throws TypeError, RangeError naming the option, what was expected and what came
 */
export function checkOptions(options: BrokerOptions): Settings {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      throw new TypeError(`Unknown broker option \`${name}\`, expected one of ${names.join(", ")}`);
    }
  }
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const settings = { ...defaults, ...(Object.fromEntries(given) as unknown as BrokerOptions) };
  demandText("data", settings.data);
  demandText("host", settings.host);
  demandInteger("port", settings.port, 65535);
  demandInteger("prefetch", settings.prefetch);
  demandInteger("loginMs", settings.loginMs);
  demandInteger("heartBeat.sendMs", settings.heartBeat.sendMs);
  demandInteger("heartBeat.receiveMs", settings.heartBeat.receiveMs);
  for (const [name, limit] of Object.entries(settings.limits)) demandInteger(`limits.${name}`, limit);
  if (settings.credential) {
    demandText("credential.login", settings.credential.login);
    // A secret is not to be seen in an error, whatever it is.
    if (typeof settings.credential.passcode !== "string") {
      throw new TypeError("Expected `credential.passcode` to be a string");
    }
  }
  return settings;
}

function demandText(name: string, value: unknown): void {
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return;
  throw new TypeError(`Expected \`${name}\` to be a string that is not empty, got ${JSON.stringify(value)}`);
}

function demandInteger(name: string, value: unknown, most = Number.MAX_SAFE_INTEGER): void {
  const range = most === Number.MAX_SAFE_INTEGER ? ">= 0" : `from 0 to ${most}`;
  const text = `Expected \`${name}\` to be an integer ${range}, got ${JSON.stringify(value)} (${typeof value})`;
  if (typeof value !== "number") throw new TypeError(text);
  if (!Number.isInteger(value) || value < 0 || value > most) throw new RangeError(text);
}
