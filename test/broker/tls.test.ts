// The agent over TLS, against RabbitMQ: whom it trusts, and who it is.
import { DqsQueue, Message } from "@spoolwire/message";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { makeCertificates, type Certificates } from "../helpers/certificates.js";
import { run } from "../helpers/programs.js";
import { startRabbitMq, type RabbitMq } from "../helpers/rabbitmq.js";
import { requires } from "../helpers/requirements.js";

const timeout = 60_000;

describe.runIf(requires("rabbitmq") && requires("openssl"))("agents over TLS", () => {
  let directory: string;
  let certificates: Certificates;
  let broker: RabbitMq;
  let queue: DqsQueue;

  beforeAll(async () => {
    directory = temporaryDirectory("tls");
    certificates = makeCertificates(directory);
    broker = await startRabbitMq(certificates);
  }, 100_000);
  afterAll(async () => {
    await broker.stop();
    removeDirectory(directory);
  }, 60_000);
  beforeEach(() => void (queue = new DqsQueue({ path: temporaryDirectory("tls-queue") })));
  afterEach(() => removeDirectory(queue.path));

  describe.each([
    { agent: "stompclt", scheme: "stomp+ssl", port: "stomp" },
    { agent: "amqpclt", scheme: "amqp10s", port: "amqp" },
    { agent: "amqpclt", scheme: "amqp091s", port: "amqp" },
  ] as const)("$scheme", ({ agent, scheme, port }) => {
    const destination = `/queue/tls-${agent}-${scheme.replace("+", "-")}`;
    const add = (body: string) => queue.addMessage(new Message({ header: { destination }, body }));
    beforeEach(() => void add("over TLS"));

    const uri = (host = "127.0.0.1") => `${scheme}://${host}:${broker.tlsPorts?.[port]}`;
    const send = (to: string, ...auth: string[]) =>
      run(agent, [
        ...["--incoming-queue", `path=${queue.path}`, "--remove", "--reliable", "--outgoing-broker-uri", to],
        ...auth.flatMap((credential) => ["--outgoing-broker-auth", credential]),
      ]);

    test("sends and receives, with a password or with a certificate", { timeout }, async () => {
      const { ca, client } = certificates;
      const trust = `x509 ca=${ca}`;
      const certificate = `x509 cert=${client.cert} key=${client.key} ca=${ca}`;
      expect(await send(uri(), trust, broker.auth)).toMatchObject({ status: 0, stderr: "" });
      add("by certificate");
      expect(await send(uri(), certificate)).toMatchObject({ status: 0, stderr: "" });
      expect(queue.count()).toBe(0);
      const received = await run(agent, [
        ...["--incoming-broker-uri", uri(), "--incoming-broker-auth", certificate],
        ...["--subscribe", `destination=${destination}`, "--count", "2", "--reliable"],
        ...["--outgoing-queue", `path=${queue.path}`],
      ]);
      expect(received).toMatchObject({ status: 0, stderr: "" });
      const bodies = [...queue].map((name) => queue.lock(name) && String(queue.getMessage(name).body));
      expect(bodies).toEqual(["over TLS", "by certificate"]);
    });

    test("trusts nobody whom it was not told to", { timeout }, async () => {
      for (const auth of [[broker.auth], [`x509 ca=${certificates.otherCa}`, broker.auth]]) {
        const { status, stderr } = await send(uri(), ...auth);
        expect(stderr).toMatch(/^\w+: Cannot connect to [\w+]+:\/\/127\.0\.0\.1:\d+: .*certificate.*\n$/);
        expect(stderr).not.toContain(broker.password);
        expect(status).toBe(69);
      }
      expect(queue.count()).toBe(1);
    });

    test("takes no certificate for another host", { timeout }, async () => {
      const { status, stderr } = await send(uri("localhost"), `x509 ca=${certificates.ca}`, broker.auth);
      expect(stderr).toMatch(/does not match certificate's altnames/);
      expect(status).toBe(69);
      expect(queue.count()).toBe(1);
    });

    if (scheme === "stomp+ssl") {
      test("goes to the broker of a list that is there", { timeout }, async () => {
        const list = `failover:(stomp://127.0.0.1:1,${uri()})?randomize=false`;
        const { status, stderr } = await send(list, `x509 ca=${certificates.ca}`, broker.auth);
        expect(stderr).toBe("");
        expect(status).toBe(0);
        expect(queue.count()).toBe(0);
      });
    }
  });
});
