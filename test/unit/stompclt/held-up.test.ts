// An agent that is stopped, as by a disk or a machine that hangs, for longer than the broker has patience.
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { start as startProgram } from "../../helpers/programs.js";
import { start, until } from "../broker/helpers.js";

test("an agent that was held up until the broker gave it up goes on, with everything", async () => {
  await using broker = await start({ heartBeat: { sendMs: 100, receiveMs: 100 } });
  const directory = temporaryDirectory("held-up", inMemory);
  const [incoming, outgoing] = ["a", "b"].map((name) => new DqsQueue({ path: join(directory, name) })) as [
    DqsQueue,
    DqsQueue,
  ];
  const heart = ["--reliable", "--heart-beat", "--timeout-client", "0.1", "--timeout-server", "0.1"];
  const agents = [
    startProgram("stompclt", [
      ...["--incoming-queue", `path=${incoming.path}`, "--remove", "--loop", ...heart],
      ...["--outgoing-broker-uri", broker.address],
    ]),
    startProgram("stompclt", [
      ...["--incoming-broker-uri", broker.address, "--subscribe", "destination=/queue/x", ...heart],
      ...["--outgoing-queue", `path=${outgoing.path}`],
    ]),
  ];
  const send = (count: number) => {
    for (let index = 0; index < count; index++) {
      incoming.addMessage(new Message({ header: { destination: "/queue/x" }, body: `${index}` }));
    }
  };
  send(10);
  await until(() => outgoing.count() >= 10);
  for (const { child } of agents) child.kill("SIGSTOP");
  send(10);
  await until(() => broker.status().connections === 0);
  for (const { child } of agents) child.kill("SIGCONT");
  await until(() => outgoing.count() >= 20 && incoming.count() === 0);
  for (const { child } of agents) child.kill("SIGTERM");
  for (const { done } of agents) {
    const { status, stderr } = await done;
    expect(stderr).toMatch(/is back after/);
    expect(status).toBe(0);
  }
  removeDirectory(directory);
});
