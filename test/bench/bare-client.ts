// A STOMP client that moves frames and does nothing else: what the network and the broker cost, and nearly
// nothing of its own. It knows no escapes, no errors but the end of the connection, and no NUL in a body.
import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** Small frames are written together, up to so many bytes and frames at once. */
const JOIN = 64 * 1024;
const MOST_JOINED = 100;

const LF = 10;
const ACK = Buffer.from("\nack:");

/** What else is to be done with each message, on either side; without it nothing. */
export interface Duty {
  /** Have it in hand: the first, the second, and so on. */
  readonly take?: (index: number) => void;
  /** It is safe elsewhere. */
  readonly done?: (index: number) => void;
  /** Keep so many; they are safe when it resolves. */
  readonly keep?: (count: number) => Promise<void>;
}

/** A frame as it came: the bytes from `start` to the NUL at `end`. */
type OnFrame = (bytes: Buffer, start: number, end: number) => void;

export class BareClient {
  readonly #socket: Socket;
  #onFrame: OnFrame = () => undefined;
  #onChunk: (error?: Error) => void = () => undefined;
  #rest: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", () => this.#fail(new Error("The broker has closed the connection")));
  }

  static async open(port: number, login: string, passcode: string): Promise<BareClient> {
    const client = new BareClient(connect(port, "127.0.0.1"));
    await client.#ask(`CONNECT\naccept-version:1.2\nlogin:${login}\npasscode:${passcode}\n\n\0`, "CONNECTED");
    return client;
  }

  /** Send a frame so many times, `window` of them at most without its receipt (0: it asks for none). */
  async send(frame: Buffer, count: number, window: number, { take, done }: Duty = {}): Promise<void> {
    const joined = Math.max(1, Math.min(MOST_JOINED, Math.floor(JOIN / frame.length)));
    const bytes = Buffer.concat(Array.from({ length: joined }, () => frame));
    let sent = 0;
    let confirmed = 0;
    this.#onFrame = () => {
      done?.(confirmed);
      confirmed++;
    };
    while (sent < count) {
      const next = Math.min(joined, count - sent);
      if (window > 0 && sent + next - confirmed > window) {
        await this.#chunk();
        continue;
      }
      if (take) for (let index = sent; index < sent + next; index++) take(index);
      const hasRoom = this.#socket.write(bytes.subarray(0, next * frame.length));
      if (done && window === 0) for (let index = sent; index < sent + next; index++) done(index);
      sent += next;
      if (!hasRoom) await once(this.#socket, "drain");
    }
    while (window > 0 && confirmed < count) await this.#chunk();
  }

  /** Receive so many messages, and acknowledge each if the broker wants that. */
  async receive(destination: string, count: number, prefetch: number, { keep }: Duty = {}): Promise<void> {
    let received = 0;
    let kept = 0;
    let acks = "";
    this.#onFrame = (bytes, start) => {
      received++;
      if (prefetch === 0) return;
      const id = bytes.indexOf(ACK, start) + ACK.length;
      acks += `ACK\nid:${bytes.toString("latin1", id, bytes.indexOf(LF, id))}\n\n\0`;
    };
    const mode = prefetch === 0 ? "ack:auto" : `ack:client-individual\nprefetch-count:${prefetch}`;
    this.#socket.write(`SUBSCRIBE\nid:0\ndestination:${destination}\n${mode}\n\n\0`);
    while (kept < count) {
      if (received === kept) await this.#chunk();
      // What comes while these are kept is for the next time.
      const [now, those] = [received, acks];
      acks = "";
      await keep?.(now - kept);
      kept = now;
      if (those !== "") this.#socket.write(those);
    }
  }

  /** Be told of each message of a destination; none is to be acknowledged. */
  subscribe(destination: string, onMessage: () => void): void {
    this.#onFrame = onMessage;
    this.#socket.write(`SUBSCRIBE\nid:0\ndestination:${destination}\nack:auto\n\n\0`);
  }

  /** When it resolves, the broker has seen all that was sent. */
  async close(): Promise<void> {
    await this.#ask("DISCONNECT\nreceipt:bye\n\n\0", "RECEIPT");
    this.#socket.end();
    await once(this.#socket, "close");
  }

  /** Send a frame that is answered by one of this command. */
  async #ask(frame: string, command: string): Promise<void> {
    let answer: string | undefined;
    this.#onFrame = (bytes, start, end) => (answer ??= bytes.toString("utf8", start, end));
    this.#socket.write(frame);
    while (answer === undefined) await this.#chunk();
    if (!answer.startsWith(`${command}\n`)) throw new Error(`Expected ${command}, got ${answer}`);
  }

  /** Resolves when the broker has sent something more. */
  #chunk(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onChunk = (error) => (error ? reject(error) : resolve());
      if (this.#failure) reject(this.#failure);
    });
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#onChunk(this.#failure);
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let start = 0;
    for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
      while (bytes[start] === LF) start++;
      this.#onFrame(bytes, start, end);
      start = end + 1;
    }
    this.#rest = bytes.subarray(start);
    this.#onChunk();
  }
}
