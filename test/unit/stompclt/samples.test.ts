// The sample configurations at work, all three at once: queue -> broker -> broker -> queue, with a tap.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DqnQueue, DqsQueue, Message, type MessageQueue } from "@spoolwire/message";
import { readPidFile } from "@spoolwire/program";
import { expect, test } from "vitest";
import {
  endPidWithUs,
  freePort,
  inMemory,
  removeDirectory,
  temporaryDirectory,
} from "../../helpers/broker.js";
import { makeCertificates } from "../../helpers/certificates.js";
import { run, start as startProgram } from "../../helpers/programs.js";
import { requires } from "../../helpers/requirements.js";
import { samples } from "../../helpers/samples.js";
import { startTlsFront } from "../../helpers/tls-front.js";
import { start, until } from "../broker/helpers.js";

/** What the comment of the sample says of it. */
const TAP_AND_CLEAN = `
let tap;
export async function start(data) {
  const { openMessageQueue } = await import(process.env.MESSAGE_PACKAGE);
  tap = openMessageQueue(data);
}
export function check(message) {
  tap.addMessage(message);
  for (const name of ["message-id", "timestamp", "expires"]) delete message.header[name];
}
`;

/** Bodies, and names of headers, in the order of the elements. */
const contents = (queue: MessageQueue) =>
  [...queue].map((name) => {
    queue.lock(name);
    const { header, body } = queue.getMessage(name);
    return { body: String(body), names: Object.keys(header) };
  });

test.runIf(requires("openssl"))(
  "the sender, the shovel and the receiver run as they stand",
  { timeout: 120_000 },
  async () => {
    const directory = temporaryDirectory("samples", inMemory);
    const spool = join(directory, "spool");
    mkdirSync(spool);
    const certificates = makeCertificates(directory);
    await using site = await start();
    await using secured = await startTlsFront(site.port, certificates.server);
    await using dev = await start();
    // Hosts and paths, and nothing else.
    const places = [
      ["mq.example.org:61613", `127.0.0.1:${site.port}`],
      ["mq.example.org:61614", `127.0.0.1:${secured.port}`],
      ["dev.example.org:61613", `127.0.0.1:${dev.port}`],
      ["mq1.example.org:61613", `127.0.0.1:${await freePort()}`],
      ["mq2.example.org:61613", `127.0.0.1:${dev.port}`],
      ["/var/spool/app", spool],
      ["/run", directory],
    ] as const;
    for (const [name, text] of Object.entries(samples)) {
      const placed = places.reduce<string>((all, [from, to]) => all.replaceAll(from, to), text);
      writeFileSync(join(directory, name), placed);
    }
    writeFileSync(join(directory, "tap-and-clean.mjs"), TAP_AND_CLEAN);
    const env = {
      // The system trusts the site's authority.
      NODE_EXTRA_CA_CERTS: certificates.ca,
      MESSAGE_PACKAGE: import.meta.resolve("@spoolwire/message"),
    };
    const options = { cwd: directory, env };
    const stompclt = (...args: string[]) => run("stompclt", args, options);

    // Not every machine of a test has a syslog, where daemons log.
    for (const name of ["sender", "receiver"]) {
      const outcome = await stompclt("--config", `${name}.conf`, "--logfile", `${name}.log`);
      expect(outcome).toMatchObject({ status: 0, stdout: "", stderr: "" });
      endPidWithUs(readPidFile(join(directory, `app-${name}.pid`))?.pid ?? 0);
    }
    const shovel = startProgram("stompclt", ["--config", "shovel.conf"], options);

    const outgoing = new DqsQueue({ path: join(spool, "outgoing") });
    const header = { expires: `${Date.now() + 1e7}`, timestamp: "1", colour: "red" };
    for (const body of ["1", "2", "3"]) outgoing.addMessage(new Message({ header, body }));
    const incoming = new DqnQueue({ path: join(spool, "incoming") });
    await until(() => incoming.count() === 3 && outgoing.count() === 0);
    const moved = contents(incoming);
    expect(moved.map(({ body }) => body)).toEqual(["1", "2", "3"]);
    for (const { names } of moved) {
      expect(names).toEqual(expect.arrayContaining(["colour", "destination", "persistent"]));
      expect(names).not.toContain("expires");
      expect(names).not.toContain("timestamp");
    }
    const tapped = contents(new DqsQueue({ path: join(spool, "tap") }));
    expect(tapped.map(({ body }) => body)).toEqual(["1", "2", "3"]);
    for (const { names } of tapped) expect(names).toEqual(expect.arrayContaining(["message-id", "expires"]));

    shovel.child.kill("SIGTERM");
    expect(await shovel.done).toMatchObject({ status: 0, stderr: "" });
    for (const name of ["sender", "receiver"]) {
      expect(await stompclt("--config", `${name}.conf`, "--status")).toMatchObject({ status: 0 });
      expect(await stompclt("--config", `${name}.conf`, "--quit")).toMatchObject({ status: 0 });
    }
    // Drained in the foreground.
    const drained = ["--no-daemon", "--timeout-inactivity", "0.1"];
    const outcome = await stompclt("--config", "receiver.conf", ...drained);
    expect(outcome).toMatchObject({ status: 0, stdout: "" });
    removeDirectory(directory);
  },
);
