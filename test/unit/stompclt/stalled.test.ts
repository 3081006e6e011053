// A broker that stops reading: what is in the queue stays there, and does not pile up in the agent.
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { formatUri } from "@spoolwire/stomp";
import { expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { start as startProgram } from "../../helpers/programs.js";
import { startStompServer } from "../../helpers/stomp-server.js";
import { until } from "../broker/helpers.js";

/** Far more than sockets and an agent may hold: 40 MB. */
const MESSAGES = 2000;
const SIZE = 20_000;

test.each([[[]], [["--reliable"]]])("with %j most of it stays in the queue", async (reliable) => {
  const directory = temporaryDirectory("stalled", inMemory);
  const server = await startStompServer(async (peer) => {
    await peer.login();
    peer.socket.pause();
  });
  const queue = new DqsQueue({ path: join(directory, "queue") });
  const message = new Message({ header: { destination: "/queue/x" }, body: "x".repeat(SIZE) });
  for (let index = 0; index < MESSAGES; index++) queue.addMessage(message);
  const left = () => [...queue].filter((name) => queue.lock(name) && queue.unlock(name)).length;
  const agent = startProgram("stompclt", [
    ...["--incoming-queue", `path=${queue.path}`, "--remove", "--loop", ...reliable],
    ...["--outgoing-broker-uri", formatUri(server.uri), "--timeout-linger", "0", "--timeout-flush", "0"],
  ]);
  let before = MESSAGES;
  await until(() => left() < MESSAGES);
  // Until it takes no more.
  for (let now = left(); now !== before; now = left()) {
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  expect(before).toBeGreaterThan(MESSAGES / 2);
  agent.child.kill("SIGTERM");
  expect((await agent.done).status).not.toBe(0);
  await server.stop();
  // Reliable, nothing is gone; else what was handed over is.
  if (reliable.length > 0) expect(queue.count()).toBe(MESSAGES);
  else expect(queue.count()).toBeGreaterThan(MESSAGES / 2);
  removeDirectory(directory);
});
