import { once } from "node:events";
import { chmodSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { LineCutter } from "./lines.js";

/** An order to a supervisor that runs: one line of JSON. */
export interface Order {
  readonly command: string;
  readonly path?: string;
  /** `logs`: go on with what is written from now on. */
  readonly follow?: boolean;
}

/** What comes back: lines of output as they come, then whether it could be done. */
export type Answer =
  | { readonly line: string }
  | { readonly report: unknown }
  | { readonly done: true; readonly status: number; readonly words?: string };

/** Does an order. What it gives to `tell` goes to whoever asked; `gone` is aborted when nobody listens any more. */
export type Obey = (order: Order, tell: (answer: Answer) => void, gone: AbortSignal) => Promise<Answer>;

/** An order is short; whoever sends more is cut off. */
const LONGEST_ORDER = 10_000;

/** So much may wait for a reader, in characters: all that is kept of a service, and as much again that comes. */
const MOST_WAITING = 20_000_000;

/** At the end answers have so long, milliseconds. */
const LAST_ANSWERS_MS = 1000;

/** Listens on the socket of a place for orders of the own account. */
export class ControlServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answers = new Set<Promise<void>>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** The place must be ours: a socket that is there is that of a forerunner, and is removed. */
  static async listen(path: string, obey: Obey): Promise<ControlServer> {
    rmSync(path, { force: true });
    const server = createServer();
    const control = new ControlServer(server);
    server.on("connection", (socket) => control.#serve(socket, obey));
    server.maxConnections = 100;
    server.listen(path);
    await once(server, "listening");
    // Before that the directory, which is 0700, keeps others out.
    chmodSync(path, 0o600);
    return control;
  }

  /**
   * All that can be answered must be on its way to that: what is not answered in a second is not any more, and whoever
   * does not read has one more.
   */
  async close(): Promise<void> {
    // From now on: nobody may be connected any more while we wait for the answers.
    const closed = once(this.#server, "close");
    this.#server.close();
    const atMostASecond = (wait: Promise<unknown>) =>
      Promise.race([wait, sleep(LAST_ANSWERS_MS, undefined, { ref: false })]);
    await atMostASecond(Promise.all(this.#answers));
    for (const socket of this.#sockets) socket.destroySoon();
    await atMostASecond(closed);
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(socket: Socket, obey: Obey): void {
    this.#sockets.add(socket);
    const gone = new AbortController();
    socket.on("close", () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    socket.on("error", () => undefined);
    const tell = (answer: Answer) => {
      // A reader that is stuck loses lines, not our memory; the other answers are few.
      if ("line" in answer && socket.writableLength > MOST_WAITING) return;
      if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
    };
    let received = "";
    socket.setEncoding("utf8").on("data", (text: string) => {
      received += text;
      const end = received.indexOf("\n");
      if (end < 0 && received.length > LONGEST_ORDER) socket.destroy();
      if (end < 0) return;
      socket.removeAllListeners("data").resume();
      const answer = answerTo(received.slice(0, end), obey, tell, gone.signal).then((last) => {
        tell(last);
        socket.end();
        this.#answers.delete(answer);
      });
      this.#answers.add(answer);
    });
  }
}

async function answerTo(
  line: string,
  obey: Obey,
  tell: (answer: Answer) => void,
  gone: AbortSignal,
): Promise<Answer> {
  try {
    return await obey(JSON.parse(line) as Order, tell, gone);
  } catch (error) {
    return { done: true, status: 70, words: (error as Error).message };
  }
}

/**
 * Give an order to the supervisor that listens there.
 * @returns its last answer; undefined: nobody listens
 * @throws EACCES if it is another account's; ECONNRESET if it ends before it has answered
 */
export async function giveOrder(
  path: string,
  order: Order,
  tell: (answer: Answer) => void,
  signal: AbortSignal,
): Promise<Extract<Answer, { done: true }> | undefined> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ECONNREFUSED") return undefined;
    throw error;
  }
  const stop = () => socket.destroy();
  signal.addEventListener("abort", stop);
  let last: Extract<Answer, { done: true }> | undefined;
  const cutter = new LineCutter((line) => {
    const answer = JSON.parse(line) as Answer;
    if ("done" in answer) last = answer;
    else tell(answer);
  }, Infinity);
  socket.on("data", (chunk: Buffer) => cutter.take(chunk)).on("error", () => undefined);
  socket.write(`${JSON.stringify(order)}\n`);
  await once(socket, "close");
  signal.removeEventListener("abort", stop);
  if (last || signal.aborted) return last ?? { done: true, status: 0 };
  throw Object.assign(new Error("The supervisor ended before it answered"), { code: "ECONNRESET" });
}
