import { afterAll, beforeAll, describe } from "vitest";
import { startActiveMq } from "./activemq.js";
import type { TestBroker } from "./broker.js";
import { startEmbedded } from "./embedded.js";
import { startRabbitMq } from "./rabbitmq.js";
import { requires } from "./requirements.js";

const brokers = [
  { name: "embedded", title: "the embedded broker", present: () => true, start: startEmbedded },
  { name: "rabbitmq", title: "RabbitMQ", present: () => requires("rabbitmq"), start: startRabbitMq },
  { name: "activemq", title: "ActiveMQ", present: () => requires("activemq"), start: startActiveMq },
] as const;

/** Start a private instance of one of the brokers. */
export async function startBroker(name: string): Promise<TestBroker> {
  const broker = brokers.find((candidate) => candidate.name === name);
  if (broker) return await broker.start();
  throw new Error(`Expected the broker to be ${brokers.map((one) => one.name).join(", ")}, got "${name}"`);
}

/** The same tests against every broker, each with one private instance for all of them. */
export function onEachBroker(tests: (broker: () => TestBroker, name: TestBroker["name"]) => void): void {
  for (const { name, title, present, start } of brokers) {
    describe.runIf(present())(title, () => {
      let broker: TestBroker | undefined;
      beforeAll(async () => void (broker = await start()), 100_000);
      afterAll(async () => broker?.stop(), 60_000);
      tests(() => {
        if (!broker) throw new Error("The broker has not been started");
        return broker;
      }, name);
    });
  }
}
