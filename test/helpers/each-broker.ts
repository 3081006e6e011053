import { afterAll, beforeAll, describe } from "vitest";
import { startActiveMq } from "./activemq.js";
import type { TestBroker } from "./broker.js";
import { startEmbedded } from "./embedded.js";
import { overAmqp, startRabbitMq, type RabbitMq } from "./rabbitmq.js";
import { requires } from "./requirements.js";

const brokers = [
  { name: "embedded", title: "the embedded broker", present: () => true, start: startEmbedded },
  { name: "rabbitmq", title: "RabbitMQ", present: () => requires("rabbitmq"), start: startRabbitMq },
  { name: "activemq", title: "ActiveMQ", present: () => requires("activemq"), start: startActiveMq },
] as const;

/** What agents and brokers may speak to each other; AMQP with RabbitMQ only. */
export const protocols = ["stomp", "amqp10", "amqp091"] as const;
export type TestProtocol = (typeof protocols)[number];

/** Start a private instance of one of the brokers. */
export async function startBroker(name: string, protocol: TestProtocol = "stomp"): Promise<TestBroker> {
  const broker = brokers.find((candidate) => candidate.name === name);
  if (!broker) {
    throw new Error(`Expected the broker to be ${brokers.map((one) => one.name).join(", ")}, got "${name}"`);
  }
  if (protocol === "stomp") return await broker.start();
  if (name !== "rabbitmq") throw new Error(`Expected a broker that speaks ${protocol}, got "${name}"`);
  return overAmqp(await startRabbitMq(), protocol);
}

/** The same tests against every broker with STOMP, each with one private instance for all of them. */
export function onEachBroker(tests: (broker: () => TestBroker, name: TestBroker["name"]) => void): void {
  for (const { name, title, present, start } of brokers) {
    describe.runIf(present())(title, () => {
      tests(shared<TestBroker>(start), name);
    });
  }
}

/** The same tests against RabbitMQ with each of these protocols, with one private instance for all of them. */
export function onRabbitMq<Protocol extends TestProtocol>(
  these: readonly Protocol[],
  tests: (broker: () => RabbitMq, protocol: Protocol) => void,
): void {
  describe.runIf(requires("rabbitmq"))("RabbitMQ", () => {
    const broker = shared(startRabbitMq);
    describe.each(these)("over %s", (protocol) => {
      tests(() => (protocol === "stomp" ? broker() : overAmqp(broker(), protocol)), protocol);
    });
  });
}

/** One instance for all tests of a describe. */
function shared<Broker extends TestBroker>(start: () => Promise<Broker>): () => Broker {
  let broker: Broker | undefined;
  beforeAll(async () => void (broker = await start()), 100_000);
  afterAll(async () => broker?.stop(), 60_000);
  return () => {
    if (!broker) throw new Error("The broker has not been started");
    return broker;
  };
}
