// What operators of RabbitMQ do to agents that run: they need not be started again.
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { noCounts } from "../fault/campaign.js";
import { Flow } from "../fault/flow.js";
import { onRabbitMq } from "../helpers/each-broker.js";

const timeout = 180_000;

onRabbitMq(["stomp", "amqp10", "amqp091"], (broker, protocol) => {
  /** All has arrived, once. */
  async function finish(flow: Flow, accepted: number): Promise<void> {
    await flow.finish();
    const counts = noCounts();
    flow.book.addTo(counts);
    expect(counts).toEqual({ ...noCounts(), accepted });
  }

  test("short of memory it takes nothing, and later everything", { timeout }, async () => {
    const rabbit = broker();
    // AMQP 0-9-1 is told, and so does not take it for a broker that has fallen silent.
    const more = protocol === "amqp091" ? ["--timeout-broker", "2"] : [];
    await using flow = new Flow(rabbit, { more });
    flow.send(200);
    await flow.until(() => flow.arrived === 200);
    try {
      await rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1MB");
      // It finds out once a second, and then stops to read.
      await sleep(2500);
      const before = flow.arrived;
      flow.send(2000);
      await sleep(3000);
      // Of AMQP 1.0 RabbitMQ takes them all the same, or not, as it happens.
      if (protocol !== "amqp10") expect(flow.arrived - before).toBeLessThan(2000);
    } finally {
      await rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1GB");
    }
    await finish(flow, 2200);
    // They have waited, and not connected again; AMQP 0-9-1 is told why.
    const words = /^[^\n]* takes no messages now: [^\n]*\n[^\n]* takes messages again\n$/;
    expect(flow.told).toMatch(protocol === "amqp091" ? words : /^$/);
  });

  test("agents whose password is put right are back at once", { timeout }, async () => {
    const rabbit = broker();
    const { user, password } = rabbit;
    await using flow = new Flow({ ...rabbit, auth: `plain name=${user} pass=later` });
    flow.send(100);
    await flow.until(() => (flow.told.match(/trying again until it is there/g)?.length ?? 0) === 2);
    expect(flow.told).toMatch(/Bad CONNECT|Access refused|The broker refuses the connection/);
    expect(flow.told).not.toContain("later");
    try {
      await rabbit.ctl("change_password", user, "later");
      await finish(flow, 100);
    } finally {
      await rabbit.ctl("change_password", user, password);
    }
  });

  if (protocol === "amqp091") {
    test("connections that an operator closes, saying why, are made again", { timeout }, async () => {
      await using flow = new Flow(broker());
      for (let time = 1; time <= 4; time++) {
        flow.send(500);
        await flow.until(() => flow.arrived > 500 * time - 400);
        await broker().ctl("close_all_connections", "bye now");
        const back = () => flow.told.match(/CONNECTION_FORCED - bye now.*; connecting again/g)?.length ?? 0;
        await flow.until(() => back() === 2 * time);
      }
      await flow.finish();
      const counts = noCounts();
      flow.book.addTo(counts);
      // What was under way may come twice; what was refused would be missing.
      expect({ ...counts, duplicates: 0 }).toEqual({ ...noCounts(), accepted: 2000 });
      expect(flow.told).not.toContain("does not take");
    });
  }

  if (protocol !== "stomp") {
    // With STOMP RabbitMQ confirms what it then has nowhere to put.
    test("a queue that is deleted is declared again", { timeout }, async () => {
      await using flow = new Flow(broker());
      flow.send(100);
      await flow.until(() => flow.arrived === 100);
      await broker().ctl("delete_queue", flow.destination.replace("/queue/", ""));
      await flow.until(() => flow.told.includes("is back after"));
      flow.send(100);
      await finish(flow, 200);
    });
  }
});
