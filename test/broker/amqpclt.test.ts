// What amqpclt promises, with each AMQP: what all agents do, and what only AMQP has.
import { Message } from "@spoolwire/message";
import { beforeEach, expect, test } from "vitest";
import { runAgent } from "../helpers/agents.js";
import { startActiveMq } from "../helpers/activemq.js";
import { onRabbitMq } from "../helpers/each-broker.js";
import { requires } from "../helpers/requirements.js";
import { itMoves, ok, take, timeout, useRoad, type Road } from "./moving.js";

onRabbitMq(["amqp10", "amqp091"], (broker, protocol) => {
  itMoves(broker);

  const useThis = useRoad(broker);
  let road: Road;
  beforeEach(() => void (road = useThis()));

  test(
    "a message that cannot go anywhere is tried, named and left, and the others go",
    { timeout },
    async () => {
      // With AMQP 1.0 RabbitMQ accepts what it cannot route, but not a link to an exchange that is not there.
      const isOld = protocol === "amqp091";
      const add = (to: string) => road.a.addMessage(new Message({ header: { destination: to }, body: "x" }));
      const lost = add(isOld ? "/exchange/amq.direct/nowhere" : "/exchange/nowhere");
      const missing = add("/exchange/missing/x");
      road.fill(2);
      const { status, stderr } = await runAgent("amqpclt", road.sender("--reliable"));
      expect(stderr).toMatch(new RegExp(`${lost}: .*(NO_ROUTE|amqp:not-found).*; it stays where it is\n`));
      expect(stderr).toMatch(
        new RegExp(`${missing}: .*(NOT_FOUND|amqp:not-found).*; it stays where it is\n`),
      );
      expect(status).toBe(65);
      expect([...road.a].sort()).toEqual([lost, missing].sort());
      expect(await runAgent("amqpclt", road.receiver("--count", "2"))).toMatchObject(ok);
    },
  );

  test("a subscription to a queue that is not there is an error in one line", { timeout }, async () => {
    road.destination = "/amq/queue/nowhere";
    const { status, stderr } = await runAgent("amqpclt", road.receiver("--count", "1", "--no-reconnect"));
    expect(stderr).toMatch(/^amqpclt: [^\n]*nowhere[^\n]*\n$/);
    expect(status).toBe(76);
  });
  if (protocol === "amqp10" && requires("activemq")) {
    test(
      "a shovel goes from STOMP to AMQP 1.0 to AMQP 0-9-1, with either program",
      { timeout: 180_000 },
      async () => {
        await using active = await startActiveMq();
        const rabbit = broker();
        const sent = [
          new Message({
            header: { destination: "/queue/first", persistent: "true", "x-a": "b" },
            body: "caf\u00e9",
          }),
          new Message({ header: { destination: "/queue/first" }, body: Buffer.from([0xff, 0, 1]) }),
        ];
        for (const message of sent) road.a.addMessage(message);
        const toActive = road.sender("--reliable").map((word) => (word === rabbit.uri ? active.uri : word));
        expect(await runAgent("amqpclt", toActive)).toMatchObject(ok);
        const old = rabbit.uri.replace("amqp10", "amqp091");
        const hops = [
          {
            program: "stompclt",
            from: active,
            uri: active.uri,
            to: rabbit.uri,
            queue: "first",
            next: "second",
          },
          { program: "amqpclt", from: rabbit, uri: rabbit.uri, to: old, queue: "second", next: "third" },
        ] as const;
        for (const { program, from, uri, to, queue, next } of hops) {
          const shovel = [
            ...["--incoming-broker-uri", uri, "--incoming-broker-auth", from.auth],
            ...["--subscribe", `destination=/queue/${queue}`, "--reliable", "--count", "2"],
            ...["--outgoing-broker-uri", to, "--outgoing-broker-auth", rabbit.auth],
            ...["--callback-code", `hdr.destination = "/queue/${next}"`],
          ];
          expect(await runAgent(program, shovel)).toMatchObject(ok);
        }
        const last = [
          ...[
            "--incoming-broker-uri",
            old,
            "--incoming-broker-auth",
            rabbit.auth,
            "--count",
            "2",
            "--reliable",
          ],
          ...["--subscribe", "destination=/queue/third", "--outgoing-queue", `path=${road.b.path}`],
        ];
        expect(await runAgent("amqpclt", last)).toMatchObject(ok);
        const came = take(road.b);
        expect(came.map(({ body }) => body)).toEqual(sent.map(({ body }) => body));
        expect(came[0]?.header).toMatchObject({
          destination: "/queue/third",
          persistent: "true",
          "x-a": "b",
        });
      },
    );
  }
});
