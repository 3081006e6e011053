// What stompclt promises, on every broker: whatever is in the queue arrives in the other, and nothing is lost.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DqsQueue, Message } from "@spoolwire/message";
import { parseUri, StompConnection } from "@spoolwire/stomp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { inMemory, removeDirectory, temporaryDirectory } from "../helpers/broker.js";
import { onEachBroker } from "../helpers/each-broker.js";
import { run, start } from "../helpers/programs.js";

let directory: string;
let a: DqsQueue;
let b: DqsQueue;
let number = 0;
/** A destination of its own for each test. */
let destination: string;

beforeEach(() => {
  directory = temporaryDirectory("stompclt", inMemory);
  a = new DqsQueue({ path: join(directory, "a") });
  b = new DqsQueue({ path: join(directory, "b") });
  destination = `/queue/test-${process.pid}-${++number}`;
});
afterEach(() => removeDirectory(directory));

const fill = (count: number) => {
  for (let index = 0; index < count; index++) {
    a.addMessage(new Message({ header: { destination, persistent: "true" }, body: `${index}` }));
  }
};

function take(queue: DqsQueue): Message[] {
  return [...queue].map((name) => {
    expect(queue.lock(name)).toBe(true);
    const message = queue.getMessage(name);
    queue.remove(name);
    return message;
  });
}

onEachBroker((broker, brokerName) => {
  const timeout = 60_000;
  const sender = (...more: string[]) => [
    ...["--incoming-queue", `path=${a.path}`, "--remove"],
    ...["--outgoing-broker-uri", broker().uri, "--outgoing-broker-auth", broker().auth, ...more],
  ];
  const receiver = (...more: string[]) => [
    ...["--incoming-broker-uri", broker().uri, "--incoming-broker-auth", broker().auth],
    ...["--subscribe", `destination=${destination}`, "--outgoing-queue", `path=${b.path}`, ...more],
  ];
  const ok = { status: 0, stdout: "", stderr: "" };

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
      for (const body of bodies) a.addMessage(new Message({ header: { destination }, body }));
      expect(await run("stompclt", sender(...reliable))).toMatchObject(ok);
      expect(a.count()).toBe(0);
      expect(await run("stompclt", receiver(...reliable, "--count", `${bodies.length}`))).toMatchObject(ok);
      const received = take(b).map(({ body }) => body);
      // An empty body has no kind of its own: nobody can tell empty text from empty bytes without a type.
      expect(received.map((body) => (body.length === 0 ? "" : body))).toEqual(bodies);
    });

    test("headers arrive as they were, whatever is in them", { timeout }, async () => {
      const header = {
        destination,
        "x-plain": "value",
        "x-colon": "a:b",
        "x-backslash": "C:\\new\\cr",
        "x-utf8": "café ☃",
      };
      const odd = { "x-newline": "two\nlines", "x-spaces": " padded " };
      a.addMessage(new Message({ header: { ...header, ...odd }, body: "x" }));
      await run("stompclt", sender(...reliable));
      await run("stompclt", receiver(...reliable, "--count", "1"));
      expect(take(b)[0]?.header).toMatchObject({ ...header, ...odd });
    });
  });

  test.each(["1.0", "1.1", "1.2"])("speaks STOMP %s", { timeout }, async (version) => {
    fill(20);
    const debug = ["--reliable", "--prefetch", "5", "--debug"];
    expect(
      await run("stompclt", sender("--reliable", "--outgoing-broker-connect", `version=${version}`)),
    ).toMatchObject(ok);
    const connect = ["--incoming-broker-connect", `version=${version}`];
    const { status, stderr } = await run("stompclt", receiver(...debug, ...connect, "--count", "20"));
    expect(stderr).toContain(`STOMP ${version}`);
    expect(status).toBe(0);
    expect(take(b).map(({ body }) => String(body))).toEqual(
      Array.from({ length: 20 }, (_, index) => `${index}`),
    );
  });

  test("moves from broker to broker", { timeout }, async () => {
    fill(10);
    await run("stompclt", sender());
    const { uri, auth } = broker();
    const shovel = [
      ...[
        "--incoming-broker-uri",
        uri,
        "--incoming-broker-auth",
        auth,
        "--subscribe",
        `destination=${destination}`,
      ],
      ...["--outgoing-broker-uri", uri, "--outgoing-broker-auth", auth, "--reliable", "--count", "10"],
    ];
    // The messages go back to where they come from, once.
    expect(await run("stompclt", shovel)).toMatchObject(ok);
    await run("stompclt", receiver("--count", "10"));
    expect(take(b)).toHaveLength(10);
  });

  // The embedded broker has neither durable topics nor temporary queues.
  if (brokerName !== "embedded") {
    test("keeps a durable topic's subscription until it unsubscribes", { timeout }, async () => {
      const { name } = broker();
      destination = destination.replace("/queue/", "/topic/");
      const who = destination.replace("/topic/", "");
      const durable =
        name === "rabbitmq"
          ? `durable=true auto-delete=false x-queue-name=${who}`
          : `activemq.subscriptionName=${who}`;
      const receive = (...more: string[]) =>
        run(
          "stompclt",
          receiver(
            "--reliable",
            ...more,
            "--incoming-broker-connect",
            name === "activemq" ? `client-id=${who}` : "",
          ).map((word) => (word === `destination=${destination}` ? `${word} ${durable}` : word)),
        );
      expect(await receive("--duration", "0.1")).toMatchObject(ok);
      fill(3);
      expect(await run("stompclt", sender("--reliable"))).toMatchObject(ok);
      expect(await receive("--count", "3")).toMatchObject(ok);
      expect(take(b).map(({ body }) => String(body))).toEqual(["0", "1", "2"]);

      expect(await receive("--duration", "0.1", "--unsubscribe", durable)).toMatchObject(ok);
      fill(3);
      expect(await run("stompclt", sender("--reliable"))).toMatchObject(ok);
      expect(await receive("--timeout-inactivity", "1", "--unsubscribe", durable)).toMatchObject(ok);
      expect(b.count()).toBe(0);
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
      await asker.confirm({ command: "SEND", headers: { destination, "reply-to": mine }, body: "question" });
      expect(await run("stompclt", receiver("--reliable", "--count", "1"))).toMatchObject(ok);
      const [question] = take(b);
      a.addMessage(
        new Message({ header: { destination: question?.header["reply-to"] ?? "" }, body: "answer" }),
      );
      expect(await run("stompclt", sender("--reliable"))).toMatchObject(ok);
      await expect.poll(() => replies).toEqual(["answer"]);
      await asker.close();
    });
  }

  test("leaves with the broker what it has not confirmed", { timeout }, async () => {
    fill(10);
    await run("stompclt", sender());
    expect(await run("stompclt", receiver("--reliable", "--count", "4"))).toMatchObject(ok);
    expect(await run("stompclt", receiver("--reliable", "--timeout-inactivity", "2"))).toMatchObject(ok);
    expect(
      take(b)
        .map(({ body }) => String(body))
        .sort(),
    ).toEqual("0123456789".split(""));
  });

  test("does not receive when the queue cannot be written: the broker keeps all", { timeout }, async () => {
    fill(3);
    await run("stompclt", sender());
    writeFileSync(join(directory, "file"), "");
    const elsewhere = receiver("--reliable").map((word) => word.replace(b.path, join(directory, "file")));
    const { status, stderr } = await run("stompclt", elsewhere);
    expect(stderr).toMatch(/^stompclt: E(EXIST|NOTDIR): [^\n]*file'\n$/);
    expect(status).toBeGreaterThan(64);
    await run("stompclt", receiver("--reliable", "--count", "3"));
    expect(take(b)).toHaveLength(3);
  });

  test(
    "stops at SIGTERM with everything acknowledged or left, and loops until then",
    { timeout },
    async () => {
      const sending = start("stompclt", sender("--reliable", "--loop", "--heart-beat"));
      const receiving = start("stompclt", receiver("--reliable", "--heart-beat"));
      fill(50);
      while (b.count() < 50) await new Promise((resolve) => setTimeout(resolve, 20));
      sending.child.kill("SIGTERM");
      receiving.child.kill("SIGTERM");
      expect(await sending.done).toMatchObject(ok);
      expect(await receiving.done).toMatchObject(ok);
      expect([a.count(), b.count()]).toEqual([0, 50]);
    },
  );

  test(
    "a message without a destination stays in the queue, named, and the others go on",
    { timeout },
    async () => {
      const bad = a.addMessage(new Message({ header: { to: "nobody" }, body: "x" }));
      fill(2);
      const { status, stderr } = await run("stompclt", sender("--reliable"));
      const reason = "A message to be sent needs a destination header, got none";
      expect(stderr).toBe(`stompclt: ${a.path}/${bad}: ${reason}; it stays where it is\n`);
      expect(status).toBe(65);
      expect([...a]).toEqual([bad]);
    },
  );

  test("traces what is said, but for the password, on a socket that is set up", { timeout }, async () => {
    fill(1);
    const details = [
      "--outgoing-broker-stomp-debug",
      "all",
      "--outgoing-broker-sockopts",
      "keepidle=10 family=4",
    ];
    const { status, stderr } = await run("stompclt", sender("--reliable", "--debug", ...details));
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

  test("a wrong password is refused in one line, and every message stays", { timeout }, async () => {
    fill(3);
    const before = [...a];
    const auth = "plain name=spool pass=not-the-s3cret";
    const argv = sender("--reliable").map((word) => (word === broker().auth ? auth : word));
    const { status, stderr } = await run("stompclt", argv);
    expect(stderr).toMatch(
      /^stompclt: stomp:\/\/127\.0\.0\.1:\d+: The broker refuses the connection: [^\n]+\n$/,
    );
    expect(stderr).not.toContain("s3cret");
    expect(status).toBe(77);
    expect([...a]).toEqual(before);
    for (const name of a) expect(a.lock(name)).toBe(true);
  });
});
