// The sample configurations at work, all three at once: queue -> broker -> broker -> queue, with a tap.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DqnQueue, DqsQueue, Message, type MessageQueue } from "@spoolwire/message";
import { readPidFile } from "@spoolwire/program";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endPidWithUs, freePort, inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { makeCertificates, type Certificates } from "../helpers/certificates.js";
import { run, start as startProgram } from "../helpers/programs.js";
import { startRabbitMq, type RabbitMq } from "../helpers/rabbitmq.js";
import { requires } from "../helpers/requirements.js";
import { samples } from "../helpers/samples.js";
import { startTlsFront } from "../helpers/tls-front.js";
import { start, until } from "../unit/broker/helpers.js";

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

/** What stands in a sample, and what in its place. */
type Places = readonly (readonly [string, string])[];

/** Brokers for the samples to run with. */
interface Site extends AsyncDisposable {
  readonly places: Places;
}

async function startStompSite({ server }: Certificates): Promise<Site> {
  const [site, dev] = [await start(), await start()];
  const secured = await startTlsFront(site.port, server);
  const places = [
    ["mq.example.org:61613", `127.0.0.1:${site.port}`],
    ["mq.example.org:61614", `127.0.0.1:${secured.port}`],
    ["dev.example.org:61613", `127.0.0.1:${dev.port}`],
    ["mq1.example.org:61613", `127.0.0.1:${await freePort()}`],
    ["mq2.example.org:61613", `127.0.0.1:${dev.port}`],
  ] as const;
  const stop = async () => {
    for (const each of [secured, site, dev]) await each[Symbol.asyncDispose]();
  };
  return { places, [Symbol.asyncDispose]: stop };
}

/** The hosts are virtual ones of a RabbitMQ, with the accounts of the samples, and guest's. */
const vhosts = { mq: "vhost", dev: "dev" };
let rabbit: RabbitMq | undefined;
afterAll(() => rabbit?.stop());

async function startAmqpSite(scheme: string, given: Certificates, directory: string): Promise<Site> {
  const first = rabbit === undefined;
  rabbit ??= await startRabbitMq(given);
  if (first) {
    const users = { app: "s3cret", receiver: "s3cret", guest: "guest" };
    const all = { configure: ".*", write: ".*", read: ".*" };
    const definitions = {
      users: Object.entries(users).map(([name, password]) => ({ name, password, tags: "" })),
      vhosts: Object.values(vhosts).map((name) => ({ name })),
      permissions: Object.keys(users).flatMap((user) =>
        Object.values(vhosts).map((vhost) => ({ user, vhost, ...all })),
      ),
    };
    writeFileSync(join(directory, "definitions.json"), JSON.stringify(definitions));
    await rabbit.ctl("import_definitions", join(directory, "definitions.json"));
  }
  const plain = `${scheme}://127.0.0.1:${rabbit.amqpPort}`;
  const places = [
    ["stomp+ssl://mq.example.org:61614", `${scheme}s://127.0.0.1:${rabbit.tlsPorts?.amqp}/${vhosts.mq}`],
    ["stomp://mq.example.org:61613", `${plain}/${vhosts.mq}`],
    ["stomp://dev.example.org:61613", `${plain}/${vhosts.dev}`],
    ["stomp://mq1.example.org:61613", `${scheme}://127.0.0.1:${await freePort()}/${vhosts.dev}`],
    ["stomp://mq2.example.org:61613", `${plain}/${vhosts.dev}`],
  ] as const;
  return { places, [Symbol.asyncDispose]: async () => undefined };
}

const hasRabbitMq = requires("rabbitmq");
const sites = [
  { program: "stompclt", protocol: "STOMP", isPresent: true, startSite: startStompSite },
  ...["amqp", "amqp091"].map((scheme) => ({
    program: "amqpclt",
    protocol: scheme,
    isPresent: hasRabbitMq,
    startSite: (certificates: Certificates, directory: string) =>
      startAmqpSite(scheme, certificates, directory),
  })),
].filter(({ isPresent }) => isPresent);

// The authority that the system trusts is made once: so is the broker that shows its certificate.
const authority = temporaryDirectory("samples-authority", inMemory);
afterAll(() => removeDirectory(authority));

describe.runIf(requires("openssl"))("the samples", () => {
  let certificates: Certificates;
  beforeAll(() => void (certificates = makeCertificates(authority)));

  test.each(sites)(
    "the sender, the shovel and the receiver run as they stand: $program over $protocol",
    { timeout: 120_000 },
    async ({ program, startSite }) => {
      const directory = temporaryDirectory("samples", inMemory);
      const spool = join(directory, "spool");
      mkdirSync(spool);
      await using site = await startSite(certificates, directory);
      // Hosts and paths, and nothing else.
      const places = [...site.places, ["/var/spool/app", spool], ["/run", directory]] as Places;
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
      const agent = (...args: string[]) => run(program, args, options);

      // Not every machine of a test has a syslog, where daemons log.
      for (const name of ["sender", "receiver"]) {
        const outcome = await agent("--config", `${name}.conf`, "--logfile", `${name}.log`);
        expect(outcome).toMatchObject({ status: 0, stdout: "", stderr: "" });
        endPidWithUs(readPidFile(join(directory, `app-${name}.pid`))?.pid ?? 0);
      }
      const shovel = startProgram(program, ["--config", "shovel.conf"], options);

      const outgoing = new DqsQueue({ path: join(spool, "outgoing") });
      const header = { "message-id": "x", expires: `${Date.now() + 1e7}`, timestamp: "1", colour: "red" };
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
      for (const { names } of tapped)
        expect(names).toEqual(expect.arrayContaining(["message-id", "expires"]));

      shovel.child.kill("SIGTERM");
      expect(await shovel.done).toMatchObject({ status: 0, stderr: "" });
      for (const name of ["sender", "receiver"]) {
        expect(await agent("--config", `${name}.conf`, "--status")).toMatchObject({ status: 0 });
        expect(await agent("--config", `${name}.conf`, "--quit")).toMatchObject({ status: 0 });
      }
      // Drained in the foreground.
      const drained = ["--no-daemon", "--timeout-inactivity", "0.1"];
      const outcome = await agent("--config", "receiver.conf", ...drained);
      expect(outcome).toMatchObject({ status: 0, stdout: "" });
      removeDirectory(directory);
    },
  );
});
