// What every agent promises on every broker: whatever is in the queue arrives in the other, and nothing is lost.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runAgent } from "../helpers/agents.js";
import { inMemory, removeDirectory, temporaryDirectory, type TestBroker } from "../helpers/broker.js";
import { start } from "../helpers/programs.js";

export const timeout = 60_000;
export const ok = { status: 0, stdout: "", stderr: "" };

let number = 0;

/** From a queue through a broker into another queue; new for each test. */
export class Road {
  readonly #broker: () => TestBroker;
  readonly directory = temporaryDirectory("road", inMemory);
  readonly a = new DqsQueue({ path: join(this.directory, "a") });
  readonly b = new DqsQueue({ path: join(this.directory, "b") });
  destination = `/queue/test-${process.pid}-${++number}`;

  constructor(broker: () => TestBroker) {
    this.#broker = broker;
  }

  fill(count: number): void {
    const header = { destination: this.destination, persistent: "true" };
    for (let index = 0; index < count; index++) this.a.addMessage(new Message({ header, body: `${index}` }));
  }

  sender(...more: string[]): string[] {
    const { uri, auth } = this.#broker();
    return [
      ...["--incoming-queue", `path=${this.a.path}`, "--remove"],
      ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth, ...more],
    ];
  }

  receiver(...more: string[]): string[] {
    const { uri, auth } = this.#broker();
    return [
      ...["--incoming-broker-uri", uri, "--incoming-broker-auth", auth],
      ...[
        "--subscribe",
        `destination=${this.destination}`,
        "--outgoing-queue",
        `path=${this.b.path}`,
        ...more,
      ],
    ];
  }
}

/** A road for each test. */
export function useRoad(broker: () => TestBroker): () => Road {
  let road: Road | undefined;
  beforeEach(() => void (road = new Road(broker)));
  afterEach(() => removeDirectory(road!.directory));
  return () => road!;
}

export function take(queue: DqsQueue): Message[] {
  return [...queue].map((name) => {
    expect(queue.lock(name)).toBe(true);
    const message = queue.getMessage(name);
    queue.remove(name);
    return message;
  });
}

/** The promises that have nothing to do with a protocol. */
export function itMoves(broker: () => TestBroker): void {
  const useThis = useRoad(broker);
  let road: Road;
  let agent: TestBroker["agent"];
  beforeEach(() => {
    road = useThis();
    agent = broker().agent;
  });

  describe.each([[[]], [["--reliable"]], [["--reliable", "--window", "1"]]])("with %j", (reliable) => {
    test("bodies of every kind arrive as they were, in order", { timeout }, async () => {
      const bodies = [
        ...[
          "text",
          "",
          "two\nlines\r\n",
          "caf\u00e9 \u2603 \u{1f600}",
          "NUL \0 inside",
          "\ufeffBOM",
          "x".repeat(100_000),
        ],
        ...[
          Buffer.from([0xff, 0, 0xfe, 10]),
          Buffer.from("bytes that could be text"),
          Buffer.alloc(100_000, 1),
        ],
      ];
      for (const body of bodies)
        road.a.addMessage(new Message({ header: { destination: road.destination }, body }));
      expect(await runAgent(agent, road.sender(...reliable))).toMatchObject(ok);
      expect(road.a.count()).toBe(0);
      expect(await runAgent(agent, road.receiver(...reliable, "--count", `${bodies.length}`))).toMatchObject(
        ok,
      );
      const received = take(road.b).map(({ body }) => body);
      // An empty body has no kind of its own: nobody can tell empty text from empty bytes without a type.
      expect(received.map((body) => (body.length === 0 ? "" : body))).toEqual(bodies);
    });

    test("headers arrive as they were, whatever is in them", { timeout }, async () => {
      const header = {
        destination: road.destination,
        "x-plain": "value",
        "x-colon": "a:b",
        "x-backslash": "C:\\new\\cr",
        "x-utf8": "café ☃",
      };
      const odd = { "x-newline": "two\nlines", "x-spaces": " padded " };
      road.a.addMessage(new Message({ header: { ...header, ...odd }, body: "x" }));
      await runAgent(agent, road.sender(...reliable));
      await runAgent(agent, road.receiver(...reliable, "--count", "1"));
      expect(take(road.b)[0]?.header).toMatchObject({ ...header, ...odd });
    });
  });

  test("moves from broker to broker", { timeout }, async () => {
    road.fill(10);
    await runAgent(agent, road.sender());
    const { uri, auth } = broker();
    const shovel = [
      ...[
        "--incoming-broker-uri",
        uri,
        "--incoming-broker-auth",
        auth,
        "--subscribe",
        `destination=${road.destination}`,
      ],
      ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth, "--reliable", "--count", "10"],
    ];
    // The messages go back to where they come from, once.
    expect(await runAgent(agent, shovel)).toMatchObject(ok);
    await runAgent(agent, road.receiver("--count", "10"));
    expect(take(road.b)).toHaveLength(10);
  });

  test("leaves with the broker what it has not confirmed", { timeout }, async () => {
    road.fill(10);
    await runAgent(agent, road.sender());
    expect(await runAgent(agent, road.receiver("--reliable", "--count", "4"))).toMatchObject(ok);
    expect(await runAgent(agent, road.receiver("--reliable", "--timeout-inactivity", "2"))).toMatchObject(ok);
    expect(
      take(road.b)
        .map(({ body }) => String(body))
        .sort(),
    ).toEqual("0123456789".split(""));
  });

  test("does not receive when the queue cannot be written: the broker keeps all", { timeout }, async () => {
    road.fill(3);
    await runAgent(agent, road.sender());
    writeFileSync(join(road.directory, "file"), "");
    const elsewhere = road
      .receiver("--reliable")
      .map((word) => word.replace(road.b.path, join(road.directory, "file")));
    const { status, stderr } = await runAgent(agent, elsewhere);
    expect(stderr).toMatch(/^\w+: E(EXIST|NOTDIR): [^\n]*file'\n$/);
    expect(status).toBeGreaterThan(64);
    await runAgent(agent, road.receiver("--reliable", "--count", "3"));
    expect(take(road.b)).toHaveLength(3);
  });

  test(
    "stops at SIGTERM with everything acknowledged or left, and loops until then",
    { timeout },
    async () => {
      const sending = start(agent, road.sender("--reliable", "--loop", "--heart-beat"));
      const receiving = start(agent, road.receiver("--reliable", "--heart-beat"));
      road.fill(50);
      while (road.b.count() < 50) await new Promise((resolve) => setTimeout(resolve, 20));
      sending.child.kill("SIGTERM");
      receiving.child.kill("SIGTERM");
      expect(await sending.done).toMatchObject(ok);
      expect(await receiving.done).toMatchObject(ok);
      expect([road.a.count(), road.b.count()]).toEqual([0, 50]);
    },
  );

  test(
    "a message without a destination stays in the queue, named, and the others go on",
    { timeout },
    async () => {
      const bad = road.a.addMessage(new Message({ header: { to: "nobody" }, body: "x" }));
      road.fill(2);
      const { status, stderr } = await runAgent(agent, road.sender("--reliable"));
      const reason = "A message to be sent needs a destination header, got none";
      expect(stderr).toBe(`${agent}: ${road.a.path}/${bad}: ${reason}; it stays where it is\n`);
      expect(status).toBe(65);
      expect([...road.a]).toEqual([bad]);
    },
  );

  test("a wrong password is refused in one line, and every message stays", { timeout }, async () => {
    road.fill(3);
    const before = [...road.a];
    const auth = "plain name=spool pass=not-the-s3cret";
    const argv = road.sender("--reliable").map((word) => (word === broker().auth ? auth : word));
    const { status, stderr } = await runAgent(agent, argv);
    expect(stderr).toMatch(/^\w+: \w+:\/\/127\.0\.0\.1:\d+: The broker refuses the connection: [^\n]+\n$/);
    expect(stderr).not.toContain("s3cret");
    expect(status).toBe(77);
    expect([...road.a]).toEqual(before);
    for (const name of road.a) expect(road.a.lock(name)).toBe(true);
  });
}
