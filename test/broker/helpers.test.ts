// The private brokers that the other tests stand on, spoken to without any code of ours.
import { existsSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { type Socket, connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startActiveMq } from "../helpers/activemq.js";
import { type TestBroker, password, user } from "../helpers/broker.js";
import { type RabbitMq, startRabbitMq } from "../helpers/rabbitmq.js";
import { requires } from "../helpers/requirements.js";

interface Frame {
  command: string;
  headers: Record<string, string>;
  body: string;
}

/** Just enough of a STOMP 1.2 client. */
class Wire {
  readonly #socket: Socket;
  #received = "";

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1").setEncoding("utf8");
  }

  send(command: string, headers: Record<string, string>, body = ""): this {
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
    this.#socket.write(`${command}\n${lines.join("")}\n${body}\0`);
    return this;
  }

  async next(): Promise<Frame> {
    while (!this.#received.includes("\0")) {
      for await (const data of this.#socket.iterator({ destroyOnReturn: false })) {
        this.#received += String(data);
        break;
      }
      if (this.#socket.readableEnded) throw new Error("the broker has closed the connection");
    }
    const end = this.#received.indexOf("\0");
    const frame = this.#received.slice(0, end).trimStart(); // end-of-line bytes may stand between frames
    this.#received = this.#received.slice(end + 1);
    const [head = "", ...body] = frame.split("\n\n");
    const [command = "", ...lines] = head.split("\n");
    const headers = lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1)];
    });
    return { command, headers: Object.fromEntries(headers), body: body.join("\n\n") };
  }

  /** The answer to a CONNECT with these credentials. */
  async login(credentials: Record<string, string>): Promise<Frame> {
    return this.send("CONNECT", { "accept-version": "1.2", ...credentials }).next();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

/** The processes whose working directory is that of a broker, its helpers included. */
function processesIn(directory: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === directory;
    } catch {
      return false; // not a process, or not ours, or gone
    }
  });
}

/** A zombie is gone: only its parent has not asked for its status yet. */
function isAlive(pid: string): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const login = { login: user, passcode: password };

const brokers = [
  { name: "rabbitmq", start: startRabbitMq, server: /^RabbitMQ\/\d/ },
  { name: "activemq", start: startActiveMq, server: /^ActiveMQ\/\d/ },
] as const;

for (const { name, start, server } of brokers) {
  describe.runIf(requires(name))(`a private ${name}`, { timeout: 60_000 }, () => {
    let broker: TestBroker;
    beforeAll(async () => {
      broker = await start();
    }, 100_000);
    afterAll(() => broker?.stop());

    test("lets in who has the password", async () => {
      using wire = new Wire(broker.port);
      const answer = await wire.login(login);
      expect(answer.command).toBe("CONNECTED");
      expect(answer.headers.server).toMatch(server);
      expect(broker).toMatchObject({ name, uri: `stomp://127.0.0.1:${broker.port}` });
    });

    test.for([
      { who: "has the wrong password", credentials: { ...login, passcode: "wrong" } },
      { who: "is guest", credentials: { login: "guest", passcode: "guest" } },
      { who: "gives no name", credentials: {} },
    ])("keeps out who $who", { retry: 2 }, async ({ credentials }) => {
      // Again, because ActiveMQ now and then ends the connection without a word.
      using wire = new Wire(broker.port);
      expect(await wire.login(credentials)).toMatchObject({ command: "ERROR" });
    });

    if (name === "rabbitmq") {
      test("obeys rabbitmqctl", async () => {
        expect(await (broker as RabbitMq).ctl("list_users")).toMatch(/^spool\t/m);
      });
    }

    test("leaves no process and no file after a stop, and may be stopped again", async () => {
      const processes = processesIn(broker.directory);
      expect(processes.length).toBeGreaterThan(0);
      await broker.stop();
      await expect.poll(() => processes.filter(isAlive), { timeout: 5000 }).toEqual([]);
      expect(existsSync(broker.directory)).toBe(false);
      await broker.stop();
    });
  });
}
