// TLS in front of a broker that has none: who listens can get another certificate while clients try.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type AddressInfo, type Socket } from "node:net";
import { createServer } from "node:tls";

/** Paths of PEM files. */
interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface TlsFront extends AsyncDisposable {
  readonly port: number;
  /** How often a client has begun to talk, and may have gone again for not trusting us. */
  readonly attempts: number;
  /** Show this certificate from now on. */
  show(pair: Pair): void;
}

const read = ({ cert, key }: Pair) => ({ cert: readFileSync(cert), key: readFileSync(key) });

/** Listen on a free port of 127.0.0.1, for connections to a port there. */
export async function startTlsFront(brokerPort: number, pair: Pair): Promise<TlsFront> {
  const sockets = new Set<Socket>();
  let attempts = 0;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
  };
  const server = createServer(read(pair), (client) => {
    const broker = connect(brokerPort, "127.0.0.1");
    keep(broker);
    client.on("error", () => undefined);
    client.on("close", () => broker.destroy()).pipe(broker);
    broker.on("close", () => client.destroy()).pipe(client);
  });
  server.on("connection", (socket: Socket) => {
    attempts++;
    keep(socket);
  });
  // A client that does not trust us leaves in the middle.
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get attempts() {
      return attempts;
    },
    show: (next) => server.setSecureContext(read(next)),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
