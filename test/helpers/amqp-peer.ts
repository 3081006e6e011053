// A peer that speaks AMQP 1.0 and does what a test says: for outcomes and ends that no broker here can be made to say.
import { once } from "node:events";
import type { AddressInfo, Server, Socket } from "node:net";
import rhea, { type Container } from "rhea";

export interface AmqpPeer extends AsyncDisposable {
  /** What it does is said by its events. */
  readonly container: Container;
  readonly port: number;
  readonly uri: string;
}

export async function startAmqpPeer(): Promise<AmqpPeer> {
  const container = rhea.create_container({ autoaccept: false });
  container.on("disconnected", () => undefined);
  const server: Server = container.listen({ port: 0, host: "127.0.0.1" });
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    container,
    port,
    uri: `amqp10://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
