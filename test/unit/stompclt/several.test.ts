// An agent that receives from several brokers at once.
import { join } from "node:path";
import { DqsQueue } from "@spoolwire/message";
import { expect, test } from "vitest";
import { freePort, inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { run, start as startProgram } from "../../helpers/programs.js";
import { fill, start, until } from "../broker/helpers.js";

test("what any of them has comes, while one is away and when it is there", async () => {
  const directory = temporaryDirectory("several", inMemory);
  const queue = new DqsQueue({ path: join(directory, "b") });
  await using first = await start();
  await using second = await start();
  const port = await freePort();
  const uris = [first.address, second.address, `stomp://127.0.0.1:${port}`];
  const agent = startProgram("stompclt", [
    ...uris.flatMap((uri) => ["--incoming-broker-uri", uri]),
    ...["--subscribe", "destination=/queue/x", "--reliable", "--outgoing-queue", `path=${queue.path}`],
  ]);
  await fill(first, "/queue/x", "1", "2", "3");
  await fill(second, "/queue/x", "4", "5", "6");
  await until(() => queue.count() === 6);
  await using third = await start({ port });
  await fill(third, "/queue/x", "7");
  await until(() => queue.count() === 7);
  agent.child.kill("SIGTERM");
  const { status, stderr } = await agent.done;
  expect(status, stderr).toBe(0);
  expect(stderr).toMatch(`broker stomp://127.0.0.1:${port} is back after`);
  const bodies = [...queue].map((name) => {
    queue.lock(name);
    return String(queue.getMessage(name).body);
  });
  expect(bodies.sort()).toEqual(["1", "2", "3", "4", "5", "6", "7"]);
  for (const broker of [first, second, third]) expect(broker.status().queues.x?.messages).toBe(0);
  removeDirectory(directory);
});

test("a run that ends by itself needs all of them", async () => {
  const directory = temporaryDirectory("several", inMemory);
  await using broker = await start();
  const port = await freePort();
  const { status, stderr } = await run("stompclt", [
    ...["--incoming-broker-uri", broker.address, "--incoming-broker-uri", `stomp://127.0.0.1:${port}`],
    ...["--subscribe", "destination=/queue/x", "--duration", "60", "--outgoing-queue", `path=${directory}/b`],
  ]);
  expect(stderr).toMatch(`Cannot connect to stomp://127.0.0.1:${port}`);
  expect(status).toBe(69);
  removeDirectory(directory);
});
