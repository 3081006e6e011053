import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { BrokerError, type Header } from "@spoolwire/message";
import {
  formatHeartBeat,
  negotiate,
  noHeartBeat,
  parseHeartBeat,
  versions,
  type Frame,
  type HeartBeat,
  type ReceivedFrame,
  type Version,
} from "@spoolwire/stomp";
import { Refusal } from "./errors.js";
import type { Settings } from "./options.js";

/** What CONNECTED says of us. */
const SERVER = "Spoolwire/0.1.0";

/** What holds for a connection from now on. */
export interface Agreement {
  readonly version: Version;
  readonly heartBeat: HeartBeat;
  readonly connected: Frame;
}

/**
 * Answer the first frame of a client.
 * @throws Refusal, BrokerError BROKER_AUTH
 */
export function logIn({ command, headers }: ReceivedFrame, settings: Settings): Agreement {
  if (command !== "CONNECT" && command !== "STOMP") {
    throw new Refusal(`Expected CONNECT or STOMP first, got ${command}`);
  }
  const version = agree(headers["accept-version"]);
  checkCredential(headers, settings.credential);
  // STOMP 1.0 knows no heart-beats.
  const mine = version === "1.0" ? noHeartBeat : settings.heartBeat;
  return {
    version,
    heartBeat: negotiate(mine, parseHeartBeat(headers["heart-beat"])),
    connected: {
      command: "CONNECTED",
      headers: {
        version,
        server: SERVER,
        session: `session-${randomBytes(8).toString("hex")}`,
        "heart-beat": formatHeartBeat(mine),
      },
      body: "",
    },
  };
}

/** The newest version that both know; a client that names none has 1.0. */
function agree(accepted: string | undefined): Version {
  const theirs = accepted === undefined ? ["1.0"] : accepted.split(",").map((version) => version.trim());
  const version = versions.findLast((ours) => theirs.includes(ours));
  if (version !== undefined) return version;
  const ours = versions.join(",");
  throw new Refusal(`Expected one of STOMP ${ours}`, { version: ours });
}

function checkCredential(headers: Header, credential: Settings["credential"]): void {
  if (!credential) return;
  // Both are compared, and in full: the time that it takes tells nothing of how much was right.
  const isLogin = isSame(headers.login, credential.login);
  const isPasscode = isSame(headers.passcode, credential.passcode);
  if (!(isLogin && isPasscode)) throw new BrokerError("BROKER_AUTH", "Access refused");
}

const isSame = (given = "", expected: string): boolean => timingSafeEqual(digest(given), digest(expected));

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
