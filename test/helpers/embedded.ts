// The embedded broker as a process of its own, with the life cycle of the real ones.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type TestBroker,
  freePort,
  password,
  privateBroker,
  startChild,
  temporaryDirectory,
  user,
} from "./broker.js";

/** The root of the checkout, for sources (test/helpers) and compiled files (build/test/helpers) alike. */
export const root = join(
  fileURLToPath(new URL(".", import.meta.url)).replace(/build\/test\/helpers\/$/, "test/helpers/"),
  "../..",
);

/** One of the programs under bin/. */
export const program = (name: string): string => join(root, "bin", name);

/** Start an embedded broker that asks for the tests' account. */
export async function startEmbedded(): Promise<TestBroker> {
  const directory = temporaryDirectory("embedded");
  const port = await freePort();
  const launch = () =>
    startChild({
      command: process.execPath,
      args: [
        program("spoolwire-broker"),
        ...["--data", join(directory, "data"), "--port", `${port}`],
        ...["--auth", `plain name=${user} pass=${password}`],
      ],
      directory,
      name: "embedded",
      ready: /listening on/,
    });
  return await privateBroker({ name: "embedded", port, directory, launch });
}
