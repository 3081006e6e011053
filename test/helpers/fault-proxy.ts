// Between a client and a broker, whatever they speak: a proxy that ends or stalls connections at a given byte.
import { once } from "node:events";
import { type AddressInfo, type Socket, connect, createServer } from "node:net";

/** What goes wrong with one connection. */
export interface Fault {
  /** Whose bytes are counted: `up` goes to the broker. */
  readonly direction: "up" | "down";
  /** So many of them pass, and the next does not. */
  readonly after: number;
  /** Both ends see the end of the stream, or a reset; or nothing passes any more, and nobody sees anything. */
  readonly kind: "end" | "reset" | "stall";
}

/** Makes of what comes what goes on; one for each connection and direction. */
export type Rewrite = (chunk: Buffer, send: (bytes: Uint8Array) => void) => void;

export interface ProxyOptions {
  /** What happens to what comes from the broker (default: it goes on as it is). */
  readonly rewriteDown?: () => Rewrite;
}

export interface FaultProxy {
  readonly port: number;
  /** How many connections there were. */
  readonly connections: number;
  /** How many bytes of the last connection have passed, to the broker and from it. */
  readonly passed: { readonly up: number; readonly down: number };
  /** The next connection gets this fault, those after it none. */
  strikeNext(fault: Fault): void;
  /** Every connection from now on gets this fault, or none. */
  strikeEach(fault: Fault | undefined): void;
  /** End all connections that there are, at once. */
  reset(): void;
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Listen on a free port of 127.0.0.1, for connections to a port there. */
export async function startFaultProxy(brokerPort: number, options: ProxyOptions = {}): Promise<FaultProxy> {
  const pairs = new Set<Pair>();
  let connections = 0;
  let last: Pair | undefined;
  let next: Fault | undefined;
  let each: Fault | undefined;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    connections++;
    const pair = new Pair(client, brokerPort, next ?? each, options, () => pairs.delete(pair));
    pairs.add(pair);
    last = pair;
    next = undefined;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const reset = () => {
    for (const pair of pairs) pair.reset();
  };
  const stop = async () => {
    reset();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  };
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return connections;
    },
    get passed() {
      return last?.passed ?? { up: 0, down: 0 };
    },
    strikeNext: (fault) => (next = fault),
    strikeEach: (fault) => (each = fault),
    reset,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A client's socket and the one to the broker that belongs to it. */
class Pair {
  readonly passed = { up: 0, down: 0 };
  readonly #client: Socket;
  readonly #broker: Socket;
  readonly #fault: Fault | undefined;
  #isStalled = false;

  constructor(
    client: Socket,
    brokerPort: number,
    fault: Fault | undefined,
    { rewriteDown }: ProxyOptions,
    gone: () => void,
  ) {
    this.#client = client;
    this.#fault = fault;
    this.#broker = connect({ port: brokerPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    this.#carry("up", client, this.#broker);
    this.#carry("down", this.#broker, client, rewriteDown?.());
    let left = 2;
    for (const socket of [client, this.#broker]) {
      socket.on("error", () => this.reset());
      socket.on("close", () => --left === 0 && gone());
    }
  }

  reset(): void {
    for (const socket of [this.#client, this.#broker]) {
      // A connection that is not there yet cannot be reset.
      if (socket.connecting) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  #carry(direction: "up" | "down", from: Socket, to: Socket, rewrite?: Rewrite): void {
    const send = (bytes: Uint8Array) => {
      if (!this.#isStalled && !to.destroyed && !to.write(bytes)) {
        from.pause();
        to.once("drain", () => from.resume());
      }
    };
    from.on("data", (chunk: Buffer) => {
      const passed = this.passed[direction];
      const fault = this.#fault?.direction === direction ? this.#fault : undefined;
      const isLast = fault !== undefined && passed + chunk.length > fault.after;
      const whole = isLast ? chunk.subarray(0, fault.after - passed) : chunk;
      this.passed[direction] += whole.length;
      if (rewrite) rewrite(whole, send);
      else if (whole.length > 0) send(whole);
      if (isLast) this.#strike(fault.kind);
    });
    from.on("end", () => {
      if (!this.#isStalled) to.end();
    });
  }

  #strike(kind: Fault["kind"]): void {
    if (kind === "reset") this.reset();
    else if (kind === "end") {
      // What has passed still arrives, and then the end.
      for (const socket of [this.#client, this.#broker]) {
        socket.removeAllListeners("data").resume();
        socket.end(() => socket.destroySoon());
      }
    } else {
      this.#isStalled = true;
      for (const socket of [this.#client, this.#broker]) socket.pause();
    }
  }
}
