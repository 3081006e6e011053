// What operators of RabbitMQ do to agents that run: they need not be started again.
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noCounts } from "../fault/campaign.js";
import { Flow } from "../fault/flow.js";
import { startRabbitMq } from "../helpers/rabbitmq.js";
import { requires } from "../helpers/requirements.js";

describe.runIf(requires("rabbitmq"))("RabbitMQ", { timeout: 180_000 }, () => {
  let broker: Awaited<ReturnType<typeof startRabbitMq>>;
  beforeAll(async () => void (broker = await startRabbitMq()), 100_000);
  afterAll(async () => broker.stop(), 60_000);

  /** All has arrived, once. */
  async function finish(flow: Flow, accepted: number): Promise<void> {
    await flow.finish();
    const counts = noCounts();
    flow.book.addTo(counts);
    expect(counts).toEqual({ ...noCounts(), accepted });
  }

  test("that is short of memory takes nothing, and later everything", async () => {
    await using flow = new Flow(broker);
    flow.send(200);
    await flow.until(() => flow.arrived === 200);
    await broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB");
    // It finds out once a second, and then stops to read.
    await sleep(2500);
    const before = flow.arrived;
    flow.send(2000);
    await sleep(3000);
    expect(flow.arrived - before).toBeLessThan(2000);
    await broker.ctl("set_vm_memory_high_watermark", "absolute", "1GB");
    await finish(flow, 2200);
    // They have waited, and not connected again.
    expect(flow.told).toBe("");
  });

  test("whose password for the agents is put right has them back at once", async () => {
    const wrong = { ...broker, auth: `plain name=${broker.user} pass=later` };
    await using flow = new Flow(wrong);
    flow.send(100);
    await flow.until(() => (flow.told.match(/trying again until it is there/g)?.length ?? 0) === 2);
    expect(flow.told).toMatch(/Bad CONNECT|Access refused/);
    expect(flow.told).not.toContain("later");
    await broker.ctl("change_password", broker.user, "later");
    await finish(flow, 100);
    await broker.ctl("change_password", broker.user, broker.password);
  });
});
