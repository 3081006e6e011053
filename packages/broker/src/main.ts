import { once } from "node:events";
import {
  ConfigError,
  exactlyOne,
  ExitStatus,
  parseCredential,
  runProgram,
  type Invocation,
  type OptionEntry,
} from "@spoolwire/program";
import { startBroker } from "./broker.js";
import { defaults } from "./options.js";

const entries = [
  { name: "data", type: "string", value: "DIR", help: "where the queues are" },
  {
    name: "host",
    type: "string",
    value: "ADDRESS",
    default: defaults.host,
    help: "the address to listen on",
  },
  {
    name: "port",
    type: "integer",
    value: "N",
    max: 65535,
    default: defaults.port,
    help: "the port to listen on; 0: any that is free",
  },
  {
    name: "auth",
    type: "string",
    value: "CREDENTIAL",
    help: "what clients must log in with: `plain name=N pass=P` or `file=PATH` (default: nothing)",
  },
  {
    name: "prefetch",
    type: "integer",
    value: "N",
    default: defaults.prefetch,
    help: "most unacknowledged messages of a subscription that does not say; 0: no limit",
  },
] as const satisfies readonly OptionEntry[];

/** The program `spoolwire-broker`. @returns the exit status */
export function main(argv: readonly string[]): Promise<number> {
  const spec = {
    name: "spoolwire-broker",
    version: "0.1.0",
    summary: "A STOMP broker for first runs, tests and single hosts.",
    options: entries,
    relations: [exactlyOne("data")],
  };
  return runProgram(spec, argv, serve);
}

async function serve({ options, log, signal }: Invocation<typeof entries>): Promise<number> {
  const { data = "", host, port, auth, prefetch } = options;
  const credential = parseCredential(auth ?? "none");
  if (credential.scheme !== "plain" && credential.scheme !== "none") {
    throw new ConfigError(
      `Expected --auth to be \`plain name=N pass=P\` or \`none\`, got ${credential.scheme}`,
    );
  }
  const broker = await startBroker({
    ...{ data, host, port, prefetch, log: (line) => log.warn(line) },
    ...(credential.scheme === "plain" && {
      credential: { login: credential.name, passcode: credential.pass },
    }),
  });
  log.info(`listening on ${broker.address}`);
  if (!signal.aborted) await once(signal, "abort");
  await broker.stop();
  return ExitStatus.ok;
}
