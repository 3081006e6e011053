// A fake STOMP server that does what a script says: for faults that a real broker does not make on demand. What
// it sends is written by hand, and what it gets is read without the product's codec.
import { once } from "node:events";
import { type AddressInfo, type Socket, createServer } from "node:net";
import type { BrokerUri } from "@spoolwire/stomp";

/** A frame as text; headers and body are sent as they are given. */
export function frame(command: string, headers: Readonly<Record<string, string>> = {}, body = ""): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  return `${command}\n${lines.join("")}\n${body}\0`;
}

export const connected = (headers: Readonly<Record<string, string>> = {}) =>
  frame("CONNECTED", { version: "1.2", ...headers });
export const receipt = (id = "") => frame("RECEIPT", { "receipt-id": id });

/** A frame that the client sent. */
export interface ClientFrame {
  readonly command: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** One client, seen from the server. */
export class Peer {
  /** Ends of line that the client has sent between frames. */
  beats = 0;
  readonly socket: Socket;
  #text = "";
  #hasLeft = false;
  #wake = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    const left = () => {
      this.#hasLeft = true;
      this.#wake();
    };
    socket.setEncoding("utf8");
    socket.on("data", (text) => {
      this.#text += String(text);
      this.#read();
      this.#wake();
    });
    // A client that goes in any way is no fault of the server.
    socket.on("error", left).on("end", left).on("close", left);
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next frame, which must be of this kind. */
  async take(command: string): Promise<ClientFrame> {
    await this.until(() => this.#text.includes("\0"), `a frame ${command}`);
    const taken = this.#next();
    if (taken.command !== command)
      throw new Error(`Expected ${command} from the client, got ${taken.command}`);
    return taken;
  }

  /** Take CONNECT and answer it. */
  async login(headers?: Readonly<Record<string, string>>): Promise<ClientFrame> {
    const connect = await this.take("CONNECT");
    this.send(connected(headers));
    return connect;
  }

  /** All frames until the client leaves. */
  async *frames(): AsyncGenerator<ClientFrame> {
    while (await this.#wait(() => this.#text.includes("\0"))) yield this.#next();
  }

  /** Wait for something that the client does, by what it has sent. */
  async until(condition: () => boolean, what: string): Promise<void> {
    if (!(await this.#wait(condition))) throw new Error(`The client left before ${what}`);
  }

  /** The client is gone. */
  async left(): Promise<void> {
    await this.#wait(() => this.#hasLeft);
  }

  async #wait(condition: () => boolean): Promise<boolean> {
    while (!condition()) {
      if (this.#hasLeft) return false;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return true;
  }

  #next(): ClientFrame {
    const end = this.#text.indexOf("\0");
    const text = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    this.#read();
    const split = text.indexOf("\n\n");
    const [command = "", ...lines] = text.slice(0, split).split("\n");
    const fields = lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]);
    return {
      command,
      headers: Object.fromEntries(fields) as Record<string, string>,
      body: text.slice(split + 2),
    };
  }

  /** Beats are taken at once, wherever a frame may begin. */
  #read(): void {
    const [beats = ""] = /^\n*/.exec(this.#text) ?? [];
    this.beats += beats.length;
    this.#text = this.#text.slice(beats.length);
  }
}

export interface StompServer {
  readonly uri: BrokerUri;
  /** How many clients have come. */
  readonly clients: number;
  /** Let go of all clients and stop listening. Throws what a script has thrown. */
  stop(): Promise<void>;
}

/** Listen on a free port and run the script for each client. */
export async function startStompServer(script: (peer: Peer) => Promise<void> | void): Promise<StompServer> {
  const sockets: Socket[] = [];
  const failures: unknown[] = [];
  let stopping = false;
  // A client that has closed its side may still be answered.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    const run = async () => script(new Peer(socket));
    run().catch((error: unknown) => {
      if (!stopping) failures.push(error);
      socket.destroy();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    uri: { scheme: "stomp", host: "127.0.0.1", port: (server.address() as AddressInfo).port },
    get clients() {
      return sockets.length;
    },
    stop: async () => {
      stopping = true;
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
      if (failures.length > 0)
        throw new AggregateError(failures, `The server's script failed: ${String(failures[0])}`);
    },
  };
}
