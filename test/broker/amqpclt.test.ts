// What amqpclt promises, with each AMQP: what all agents do, and what only AMQP has.
import { Message } from "@spoolwire/message";
import amqplib from "amqplib";
import { beforeEach, expect, test } from "vitest";
import { runAgent } from "../helpers/agents.js";
import { startActiveMq } from "../helpers/activemq.js";
import { startFaultProxy } from "../helpers/fault-proxy.js";
import { onRabbitMq } from "../helpers/each-broker.js";
import { requires } from "../helpers/requirements.js";
import { itMoves, ok, take, timeout, useRoad, type Road } from "./moving.js";

onRabbitMq(["amqp10", "amqp091"], (broker, protocol) => {
  let road: Road;
  const useThis = useRoad(broker);
  beforeEach(() => void (road = useThis()));
  itMoves(broker);

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

  test.each([
    ["its heart-beat", ["--heart-beat", "--timeout-client", "1", "--timeout-server", "1"]],
    ["--timeout-broker", ["--timeout-broker", "1"]],
  ])("a broker of a list that falls silent is found out by %s", { timeout }, async (_, how) => {
    await using between = await startFaultProxy(broker().amqpPort);
    between.strikeNext({ direction: "up", after: 20_000, kind: "stall" });
    road.fill(500);
    const place = `${protocol}://127.0.0.1`;
    const list = `failover:(${place}:1,${place}:${between.port})?randomize=false&maxReconnectDelay=100`;
    const sender = road.sender("--reliable", ...how).map((word) => (word === broker().uri ? list : word));
    const { status, stderr } = await runAgent("amqpclt", sender);
    expect(stderr).toMatch(/; connecting again until it is there\n.* is back after [\d.]+ s\n$/);
    expect(status).toBe(0);
    expect(between.connections).toBe(2);
    expect(road.a.count()).toBe(0);
    // What was under way then may come twice.
    const drained = ["--reliable", "--timeout-inactivity", "0.5"];
    expect(await runAgent("amqpclt", road.receiver(...drained))).toMatchObject(ok);
    expect(new Set(take(road.b).map(({ body }) => body)).size).toBe(500);
  });

  if (protocol === "amqp091") {
    test("what a list of forms asks for is declared, bound and used", { timeout }, async () => {
      const name = road.destination.slice("/queue/".length);
      const queue = `name%3D${name}%2Carguments%3Dx-max-length%253D10`;
      const exchange = `exchange=name=e-${name},type=topic,durable=false`;
      const receive = (...more: string[]) => {
        const subscription = `${exchange} queue=${queue} routing_key=data.%23 id=reader`;
        const plain = `destination=${road.destination}`;
        const words = road.receiver(...more);
        return runAgent(
          "amqpclt",
          words.map((word) => (word === plain ? subscription : word)),
        );
      };
      expect(await receive("--duration", "1")).toMatchObject(ok);
      road.destination = `${exchange},routing_key=data.new`;
      road.fill(3);
      expect(await runAgent("amqpclt", road.sender("--reliable"))).toMatchObject(ok);
      const queues = await broker().ctl("list_queues", "name", "durable", "arguments", "messages");
      expect(queues).toContain(`${name}\ttrue\t[{"x-max-length",10}]\t3`);
      road.destination = `/queue/${name}`;
      expect(await receive("--count", "3")).toMatchObject(ok);
      expect(take(road.b).map(({ header }) => header.destination)).toEqual(
        Array<string>(3).fill(`/exchange/e-${name}/data.new`),
      );
    });
  }

  if (protocol === "amqp091") {
    // RabbitMQ ends the whole connection for it.
    const badExchange = () => `exchange=name=e-${road.destination.slice("/queue/".length)},type=nosuch`;

    test(
      "a message that ends the connection is found, named and left, and the others go",
      { timeout },
      async () => {
        road.fill(1);
        const header = { destination: `${badExchange()} queue=x` };
        const bad = road.a.addMessage(new Message({ header, body: "bad" }));
        road.fill(2);
        const { status, stderr } = await runAgent("amqpclt", road.sender("--reliable"));
        expect(stderr).toMatch(
          new RegExp(`${bad}: .*COMMAND_INVALID - unknown exchange type 'nosuch'.*; it stays`),
        );
        expect(status).toBe(65);
        expect([...road.a]).toEqual([bad]);
        expect(await runAgent("amqpclt", road.receiver("--count", "3"))).toMatchObject(ok);
      },
    );

    test("a subscription that ends the connection is told in the broker's words", { timeout }, async () => {
      const plain = `destination=${road.destination}`;
      const words = road.receiver("--count", "1", "--no-reconnect");
      const { status, stderr } = await runAgent(
        "amqpclt",
        words.map((word) => (word === plain ? badExchange() : word)),
      );
      expect(stderr).toMatch(
        /^amqpclt: amqp091:[^\n]*COMMAND_INVALID - unknown exchange type 'nosuch'[^\n]*\n$/,
      );
      expect(status).toBe(76);
    });

    test("what the broker refuses at the end is told, also without --reliable", { timeout }, async () => {
      road.destination = `exchange=name=e-${road.destination.slice("/queue/".length)},type=fanout,internal=true`;
      road.fill(1);
      const { status, stderr } = await runAgent("amqpclt", road.sender());
      expect(stderr).toMatch(/^amqpclt: [^\n]*ACCESS_REFUSED[^\n]*internal exchange[^\n]*\n$/);
      expect(status).toBe(76);
    });

    test("what comes from a queue with arguments can be sent to it again", { timeout }, async () => {
      const name = road.destination.slice("/queue/".length);
      road.destination = `queue=name%3D${name}%2Carguments%3Dx-max-length%253D10`;
      const receive = () =>
        runAgent(
          "amqpclt",
          road
            .receiver("--count", "1", "--reliable")
            .map((word) => (word === `destination=${road.destination}` ? road.destination : word)),
        );
      road.fill(1);
      for (let time = 0; time < 2; time++) {
        expect(await runAgent("amqpclt", road.sender("--reliable"))).toMatchObject(ok);
        expect(await receive()).toMatchObject(ok);
        for (const message of take(road.b)) {
          expect(message.header.destination).toBe(`/amq/queue/${name}`);
          road.a.addMessage(message);
        }
      }
      expect(road.a.count()).toBe(1);
    });
  }

  if (protocol === "amqp10") {
    test("what is no message of AMQP 1.0 stays there, and the others come", { timeout }, async () => {
      const { amqpPort, user, password } = broker();
      const name = road.destination.slice("/queue/".length);
      const other = await amqplib.connect({ port: amqpPort, username: user, password });
      const channel = await other.createConfirmChannel();
      await channel.assertQueue(name);
      channel.sendToQueue(name, Buffer.from([1, 2, 3, 4]), { type: "amqp-1.0" });
      channel.sendToQueue(name, Buffer.from("good"));
      await channel.waitForConfirms();
      await other.close();
      const { status, stderr } = await runAgent(
        "amqpclt",
        road.receiver("--reliable", "--timeout-inactivity", "0.5"),
      );
      expect(stderr).toMatch(/^[^\n]*Expected a message of AMQP 1.0, got [^\n]*; it stays there\n$/);
      expect(status).toBe(65);
      expect(take(road.b).map(({ body }) => String(body))).toEqual(["good"]);
    });

    test(
      "a virtual host is named in the path, or apart; one that is not there is told",
      { timeout },
      async () => {
        const rabbit = broker();
        const name = "in/here";
        await rabbit.ctl("add_vhost", name);
        await rabbit.ctl("set_permissions", "-p", name, rabbit.user, ".*", ".*", ".*");
        for (const [old, expected] of [
          ["amqp10", [77, /The broker refuses the connection: amqp:unauthorized-access/]],
          ["amqp091", [76, /The broker refuses the virtual host "no\/where"\n$/]],
        ] as const) {
          const uri = rabbit.uriOf(old);
          const at = (path: string, words: string[]) =>
            words.map((word) => (word === broker().uri ? `${uri}/${path}` : word));
          road.fill(3);
          expect(await runAgent("amqpclt", at("in%2Fhere", road.sender("--reliable")))).toMatchObject(ok);
          const apart = road.receiver("--count", "3", "--incoming-broker-connect", "host=in%2Fhere");
          expect(await runAgent("amqpclt", at("", apart))).toMatchObject(ok);
          expect(take(road.b)).toHaveLength(3);
          const { status, stderr } = await runAgent(
            "amqpclt",
            at("no%2Fwhere", road.receiver("--count", "1")),
          );
          expect([status, stderr]).toEqual([expected[0], expect.stringMatching(expected[1])]);
        }
        expect(await rabbit.ctl("list_queues", "-p", name, "name")).toContain(
          road.destination.slice("/queue/".length),
        );
      },
    );

    // Each of the three into each, in one way of nine steps. RabbitMQ gives a message back as it was only to who
    // speaks what it has come with.
    const way = [
      "amqp10",
      "amqp10",
      "amqp091",
      "amqp091",
      "stomp",
      "stomp",
      "amqp10",
      "stomp",
      "amqp091",
      "amqp10",
    ];

    test(
      "what goes in with any protocol goes out with any, with either program",
      { timeout: 180_000 },
      async () => {
        const rabbit = broker();
        await using active = requires("activemq") ? await startActiveMq() : undefined;
        const steps = way.map((name, index) => ({
          auth: rabbit.auth,
          uri: rabbit.uriOf(name as "stomp"),
          queue: `/queue/way-${index}`,
        }));
        if (active) steps.unshift({ ...active, queue: "/queue/way" });
        const binary = Buffer.from([0xff, 0, 1]);
        const header = { destination: steps[0]!.queue, persistent: "true", "x-a": "b" };
        for (const body of ["caf\u00e9", "", binary]) road.a.addMessage(new Message({ header, body }));
        const to = ({ uri, auth }: (typeof steps)[0]) => [
          ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth, "--reliable"],
        ];
        const from = ({ uri, auth, queue }: (typeof steps)[0]) => [
          ...["--incoming-broker-uri", uri, "--incoming-broker-auth", auth],
          ...["--subscribe", `destination=${queue}`, "--count", "3", "--reliable"],
        ];
        const sender = ["--incoming-queue", `path=${road.a.path}`, "--remove", ...to(steps[0]!)];
        expect(await runAgent("amqpclt", sender)).toMatchObject(ok);
        for (const [index, step] of steps.slice(1).entries()) {
          const redirect = ["--callback-code", `hdr.destination = "${step.queue}"`];
          const program = index % 2 ? "stompclt" : "amqpclt";
          const words = [
            ...from(steps[index]!),
            ...to(step).filter((word) => word !== "--reliable"),
            ...redirect,
          ];
          expect(await runAgent(program, words), `${steps[index]!.uri} to ${step.uri}`).toMatchObject(ok);
        }
        const last = steps.at(-1)!;
        const receiver = [...from(last), "--outgoing-queue", `path=${road.b.path}`];
        expect(await runAgent("stompclt", receiver)).toMatchObject(ok);
        const came = take(road.b);
        expect(came.map(({ body }) => (body.length > 0 ? body : ""))).toEqual(["caf\u00e9", "", binary]);
        for (const each of came) {
          expect(each.header).toMatchObject({ destination: last.queue, persistent: "true", "x-a": "b" });
        }
      },
    );
  }
});
