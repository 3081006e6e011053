// What stompclt promises, on every broker: what all agents do, and what only STOMP has.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Message } from "@spoolwire/message";
import { parseUri, StompConnection } from "@spoolwire/stomp";
import { beforeEach, expect, test } from "vitest";
import { noCounts } from "../fault/campaign.js";
import { Flow } from "../fault/flow.js";
import { runAgent } from "../helpers/agents.js";
import { removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { onEachBroker } from "../helpers/each-broker.js";
import { itMoves, ok, take, timeout, useRoad, type Road } from "./moving.js";

onEachBroker((broker, brokerName) => {
  itMoves(broker);

  const useThis = useRoad(broker);
  let road: Road;
  beforeEach(() => void (road = useThis()));

  test.each(["1.0", "1.1", "1.2"])("speaks STOMP %s", { timeout }, async (version) => {
    road.fill(20);
    const debug = ["--reliable", "--prefetch", "5", "--debug"];
    expect(
      await runAgent(
        "stompclt",
        road.sender("--reliable", "--outgoing-broker-connect", `version=${version}`),
      ),
    ).toMatchObject(ok);
    const connect = ["--incoming-broker-connect", `version=${version}`];
    const { status, stderr } = await runAgent(
      "stompclt",
      road.receiver(...debug, ...connect, "--count", "20"),
    );
    expect(stderr).toContain(`STOMP ${version}`);
    expect(status).toBe(0);
    expect(take(road.b).map(({ body }) => String(body))).toEqual(
      Array.from({ length: 20 }, (_, index) => `${index}`),
    );
  });

  test("acknowledges nothing behind a message that stays, in STOMP 1.0", { timeout }, async () => {
    road.fill(3);
    expect(await runAgent("stompclt", road.sender("--reliable"))).toMatchObject(ok);
    const { uri, auth } = broker();
    const { status, stderr } = await runAgent("stompclt", [
      ...[
        "--incoming-broker-uri",
        uri,
        "--incoming-broker-auth",
        auth,
        "--incoming-broker-connect",
        "version=1.0",
      ],
      ...["--subscribe", `destination=${road.destination}`, "--reliable", "--timeout-inactivity", "1"],
      ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth],
      ...["--callback-code", `if (String(bdy) === "1") throw new Error("no"); hdr.destination += "-there"`],
    ]);
    expect(stderr).toMatch(/check failed: no; it stays there\n$/);
    expect(status).toBe(65);
    const receive = () => runAgent("stompclt", road.receiver("--reliable", "--timeout-inactivity", "1"));
    expect(await receive()).toMatchObject(ok);
    const bodies = () =>
      take(road.b)
        .map(({ body }) => String(body))
        .sort();
    expect(bodies()).toEqual(["1", "2"]);
    road.destination += "-there";
    expect(await receive()).toMatchObject(ok);
    expect(bodies()).toEqual(["0", "2"]);
  });

  // The embedded broker has neither durable topics nor temporary queues.
  if (brokerName !== "embedded") {
    test("keeps a durable topic's subscription until it unsubscribes", { timeout }, async () => {
      const { name } = broker();
      road.destination = road.destination.replace("/queue/", "/topic/");
      const who = road.destination.replace("/topic/", "");
      const durable =
        name === "rabbitmq"
          ? `durable=true auto-delete=false x-queue-name=${who}`
          : `activemq.subscriptionName=${who}`;
      const receive = (...more: string[]) =>
        runAgent(
          "stompclt",
          road
            .receiver(
              "--reliable",
              ...more,
              "--incoming-broker-connect",
              name === "activemq" ? `client-id=${who}` : "",
            )
            .map((word) => (word === `destination=${road.destination}` ? `${word} ${durable}` : word)),
        );
      expect(await receive("--duration", "1")).toMatchObject(ok);
      road.fill(3);
      expect(await runAgent("stompclt", road.sender("--reliable"))).toMatchObject(ok);
      expect(await receive("--count", "3")).toMatchObject(ok);
      expect(take(road.b).map(({ body }) => String(body))).toEqual(["0", "1", "2"]);

      expect(await receive("--duration", "1", "--unsubscribe", durable)).toMatchObject(ok);
      road.fill(3);
      expect(await runAgent("stompclt", road.sender("--reliable"))).toMatchObject(ok);
      expect(await receive("--timeout-inactivity", "1", "--unsubscribe", durable)).toMatchObject(ok);
      expect(road.b.count()).toBe(0);
    });

    test("brings a reply to the temporary queue of who has asked", { timeout }, async () => {
      const { name, uri, user, password } = broker();
      const replies: string[] = [];
      const asker = await StompConnection.open({
        uri: parseUri(uri),
        login: user,
        passcode: password,
        onMessage: ({ body }) => replies.push(body.toString()),
      });
      const mine = "/temp-queue/mine";
      if (name === "activemq") {
        await asker.confirm({ command: "SUBSCRIBE", headers: { id: "1", destination: mine }, body: "" });
      }
      await asker.confirm({
        command: "SEND",
        headers: { destination: road.destination, "reply-to": mine },
        body: "question",
      });
      expect(await runAgent("stompclt", road.receiver("--reliable", "--count", "1"))).toMatchObject(ok);
      const [question] = take(road.b);
      road.a.addMessage(
        new Message({ header: { destination: question?.header["reply-to"] ?? "" }, body: "answer" }),
      );
      expect(await runAgent("stompclt", road.sender("--reliable"))).toMatchObject(ok);
      await expect.poll(() => replies).toEqual(["answer"]);
      await asker.close();
    });
  }

  test("agents are back when the password in their file is put right", { timeout }, async () => {
    const { user, auth } = broker();
    const directory = temporaryDirectory("secret");
    const secret = join(directory, "secret");
    writeFileSync(secret, `plain name=${user} pass=0ld\n`);
    await using flow = new Flow({ ...broker(), auth: `file=${secret}` });
    flow.send(100);
    await flow.until(() => flow.told.match(/trying again until it is there/g)?.length === 2);
    writeFileSync(secret, `${auth}\n`);
    await flow.finish();
    const counts = noCounts();
    flow.book.addTo(counts);
    expect(counts).toEqual({ ...noCounts(), accepted: 100 });
    expect(flow.told).not.toMatch(/0ld/);
    removeDirectory(directory);
  });

  test("traces what is said, but for the password, on a socket that is set up", { timeout }, async () => {
    road.fill(1);
    const details = [
      "--outgoing-broker-stomp-debug",
      "all",
      "--outgoing-broker-sockopts",
      "keepidle=10 family=4",
    ];
    const { status, stderr } = await runAgent("stompclt", road.sender("--reliable", "--debug", ...details));
    expect(status, stderr).toBe(0);
    expect(stderr).not.toContain(broker().password);
    for (const [command, text] of [
      ["CONNECT", '"passcode":"…"'],
      ["SEND", 'with 1 bytes "0"'],
    ]) {
      expect(stderr).toMatch(new RegExp(`# stomp://127.0.0.1:\\d+: sent ${command} {.*${text}`));
    }
    expect(stderr).toMatch(/: received RECEIPT /);
  });
});
