// A server that speaks as much of AMQP 0-9-1 as a sender needs, and treats messages as a test says. What it sends is
// written by hand, and what it gets is read without a library's codec.
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** Types of frames, and the byte behind each. */
const [METHOD, HEADER, BODY, END] = [1, 2, 3, 0xce] as const;

const PROTOCOL_HEADER = 8;
const FRAME_HEADER = 7;

const longString = (text: string) => Buffer.concat([number(text.length, 4), Buffer.from(text)]);
const number = (value: number, bytes: number) =>
  Buffer.from(value.toString(16).padStart(2 * bytes, "0"), "hex");

/** What a method says: class and number of it, then its arguments. */
const method = (of: number, id: number, ...fields: readonly Buffer[]) =>
  Buffer.concat([number(of, 2), number(id, 2), ...fields]);

const START = method(10, 10, number(9, 2), number(0, 4), longString("PLAIN"), longString("en_US"));
const TUNE = method(10, 30, number(2047, 2), number(131_072, 4), number(0, 2));

/** What each request is answered with. A queue that is declared has no name here, which nobody looks at. */
const ANSWERS: Readonly<Record<string, Buffer>> = {
  "10.11": TUNE,
  "10.40": method(10, 41, number(0, 1)),
  "10.50": method(10, 51),
  "20.10": method(20, 11, longString("")),
  "20.40": method(20, 41),
  "40.10": method(40, 11),
  "50.10": method(50, 11, number(0, 9)),
  "50.20": method(50, 21),
  "60.10": method(60, 11),
  "85.10": method(85, 11),
};

/** One client of the server. */
export class Amqp091Client {
  readonly socket: Socket;
  /** Told of each message when all of it is there; their channel, and which it is on that, from 1. */
  onMessage: (channel: number, tag: number) => void = () => undefined;
  /** Whether a request, such as 10.50, is answered. */
  answers: (request: string) => boolean = () => true;
  readonly #published = new Map<number, number>();
  /** Bytes of the message's body that are still to come. */
  #missing = 0;
  #bytes = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.once("data", (bytes) => {
      this.#send(0, START);
      socket.on("data", (more) => this.#read(more));
      this.#read(bytes.subarray(PROTOCOL_HEADER));
    });
  }

  confirm(channel: number, tag: number): void {
    this.#send(channel, method(60, 80, number(tag, 8), number(0, 1)));
  }

  refuse(channel: number, tag: number): void {
    this.#send(channel, method(60, 120, number(tag, 8), number(0, 1)));
  }

  #send(channel: number, payload: Buffer): void {
    const head = [number(METHOD, 1), number(channel, 2), number(payload.length, 4)];
    this.socket.write(Buffer.concat([...head, payload, number(END, 1)]));
  }

  #read(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    while (this.#bytes.length >= FRAME_HEADER) {
      const end = FRAME_HEADER + this.#bytes.readUInt32BE(3);
      if (this.#bytes.length <= end) break;
      const [type, channel] = [this.#bytes.readUInt8(0), this.#bytes.readUInt16BE(1)];
      const payload = this.#bytes.subarray(FRAME_HEADER, end);
      this.#bytes = this.#bytes.subarray(end + 1);
      this.#take(type, channel, payload);
    }
  }

  #take(type: number, channel: number, payload: Buffer): void {
    if (type === METHOD) {
      const request = `${payload.readUInt16BE(0)}.${payload.readUInt16BE(2)}`;
      const answer = ANSWERS[request];
      if (answer && this.answers(request)) this.#send(channel, answer);
    }
    if (type === HEADER) this.#missing = Number(payload.readBigUInt64BE(4));
    if (type === BODY) this.#missing -= payload.length;
    if ((type !== HEADER && type !== BODY) || this.#missing > 0) return;
    const tag = (this.#published.get(channel) ?? 0) + 1;
    this.#published.set(channel, tag);
    this.onMessage(channel, tag);
  }
}

export interface Amqp091Peer {
  readonly uri: string;
  stop(): Promise<void>;
}

/** @param onClient is told of each client before it has said anything */
export async function startAmqp091Peer(onClient: (client: Amqp091Client) => void): Promise<Amqp091Peer> {
  const clients: Amqp091Client[] = [];
  const server = createServer((socket) => {
    const client = new Amqp091Client(socket);
    clients.push(client);
    onClient(client);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    uri: `amqp091://127.0.0.1:${port}`,
    stop: async () => {
      for (const { socket } of clients) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
