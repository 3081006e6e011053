// An embedded broker for one test, and a client that says exactly what it is told to.
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { vi } from "vitest";
import { startBroker, type Broker, type BrokerOptions } from "@spoolwire/broker";
import { DqsQueue, type Header } from "@spoolwire/message";
import { encodeFrame, FrameParser, versions, type ReceivedFrame, type Version } from "@spoolwire/stomp";

export { versions };

/** How long a test waits for what must come, milliseconds. A disk that others use too may make 200 files a second. */
const PATIENCE = 20_000;
vi.setConfig({ testTimeout: 30_000 });

/** A data directory that is removed with the last broker on it. */
export function makeData(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), "spoolwire-broker-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

export interface TestBroker extends Broker, AsyncDisposable {
  readonly data: string;
  /** What it has told. */
  readonly log: string[];
}

/** Start a broker on a free port: `await using broker = await start()`. */
export async function start(options: Partial<BrokerOptions> = {}): Promise<TestBroker> {
  const own = options.data === undefined ? makeData() : undefined;
  const data = options.data ?? own?.path ?? "";
  const log: string[] = [];
  const broker = await startBroker({ port: 0, log: (line) => log.push(line), ...options, data });
  return {
    ...broker,
    data,
    log,
    [Symbol.asyncDispose]: async () => {
      await broker.stop();
      own?.[Symbol.dispose]();
    },
  };
}

/** The directory queue behind `/queue/NAME`, for a look; what is added comes after what is there. */
export const store = (broker: { readonly data: string }, file: string): DqsQueue =>
  new DqsQueue({ path: join(broker.data, "queue", file), create: false, granularity: 1 });

/** Wait until something is true. */
export async function until(what: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!what()) {
    if (Date.now() > end) throw new Error(`Still not: ${what.toString()}`);
    await sleep(2);
  }
}

export type Received = Omit<ReceivedFrame, "body"> & { readonly body: Buffer; readonly text: string };

/** A socket that speaks STOMP, without any help from the client library. */
export class RawClient implements Disposable {
  version: Version = "1.2";
  readonly socket: net.Socket;
  /** What came and was not taken by `next`. */
  readonly frames: Received[] = [];
  /** When bytes came, heart-beats too, milliseconds. */
  readonly arrivals: number[] = [];
  isClosed = false;
  readonly #parser = new FrameParser(({ command, headers, body }) => {
    this.frames.push({ command, headers, body, text: body.toString() });
    if (command === "CONNECTED") this.#parser.version = (headers.version ?? "1.0") as Version;
  });
  #receipts = 0;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.arrivals.push(performance.now());
      this.#parser.push(chunk);
    });
    socket.on("error", () => {}).on("close", () => (this.isClosed = true));
  }

  /** A connection on which nothing was said. */
  static async open(broker: { readonly port: number }): Promise<RawClient> {
    const socket = net.connect(broker.port, "127.0.0.1");
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** A connection that is logged in. */
  static async connect(
    broker: { readonly port: number },
    version: Version = "1.2",
    headers: Header = {},
  ): Promise<RawClient> {
    const client = await RawClient.open(broker);
    client.send("CONNECT", { "accept-version": version, ...headers });
    client.version = version;
    await client.next("CONNECTED");
    return client;
  }

  write(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  send(command: string, headers: Header = {}, body: string | Buffer = ""): void {
    this.write(encodeFrame({ command, headers, body }, this.version));
  }

  /** Send a frame and wait for its receipt. */
  async confirm(command: string, headers: Header = {}, body: string | Buffer = ""): Promise<void> {
    const receipt = `r${++this.#receipts}`;
    this.send(command, { ...headers, receipt }, body);
    const { headers: answer } = await this.next("RECEIPT");
    if (answer["receipt-id"] !== receipt) throw new Error(`Expected receipt ${receipt}`);
  }

  async subscribe(destination: string, headers: Header = {}): Promise<void> {
    await this.confirm("SUBSCRIBE", { id: "s", destination, ...headers });
  }

  /** The next frame of a kind; an ERROR that was not asked for fails the test. */
  async next(command = "MESSAGE"): Promise<Received> {
    const end = Date.now() + PATIENCE;
    for (;;) {
      const index = this.frames.findIndex((frame) => frame.command === command);
      const [frame] = index < 0 ? [] : this.frames.splice(index, 1);
      if (frame) return frame;
      const error = this.frames.find((other) => other.command === "ERROR");
      if (error) throw new Error(`Expected ${command}, got ERROR ${error.headers.message} ${error.text}`);
      if (this.isClosed || Date.now() > end) {
        throw new Error(`Expected ${command}, got ${this.isClosed ? "the end" : "nothing"}`);
      }
      await sleep(1);
    }
  }

  async take(count: number): Promise<Received[]> {
    const frames: Received[] = [];
    while (frames.length < count) frames.push(await this.next());
    return frames;
  }

  /** The ERROR that came, and after it the end of the connection. */
  async refused(): Promise<Received> {
    const frame = await this.next("ERROR");
    await until(() => this.isClosed);
    return frame;
  }

  /** Acknowledge as this version has it; `command` may be NACK. */
  ack(message: Received, command = "ACK", headers: Header = {}): void {
    const { "message-id": id = "", subscription = "", ack = "" } = message.headers;
    if (this.version === "1.2") this.send(command, { id: ack, ...headers });
    else if (this.version === "1.1") this.send(command, { "message-id": id, subscription, ...headers });
    else this.send(command, { "message-id": id, ...headers });
  }

  /** Everything that was sent before has been handled, and delivered what it could. */
  async settle(): Promise<void> {
    // Each trip takes a turn, and so does each delivery before it.
    for (let trip = 0; trip < 3; trip++) await this.confirm("SEND", { destination: "/topic/nobody" });
  }

  close(): void {
    this.socket.destroy();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Send texts to a queue, each confirmed. */
export async function fill(broker: { readonly port: number }, destination: string, ...bodies: string[]) {
  using client = await RawClient.connect(broker);
  for (const body of bodies) client.send("SEND", { destination }, body);
  await client.confirm("DISCONNECT");
}

export const texts = (frames: readonly Received[]): string[] => frames.map((frame) => frame.text);
