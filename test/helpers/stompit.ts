// A client that nobody here wrote. It has no types of its own.
import { createRequire } from "node:module";
import type { Readable, Writable } from "node:stream";
import type { Header } from "@spoolwire/message";

export interface Incoming extends Readable {
  readonly headers: Header;
}

export type Done = (error?: Error | null) => void;

export interface Client {
  readonly headers: Header;
  send(headers: Header, options?: { onReceipt?: () => void; onError?: Done }): Writable;
  subscribe(
    headers: Header,
    listener: (error: Error | null, message?: Incoming) => void,
  ): { unsubscribe(): void };
  ack(message: Incoming, headers?: Header, options?: { onReceipt?: () => void }): void;
  nack(message: Incoming): void;
  disconnect(done: Done): void;
  destroy(): void;
  on(event: "error", listener: Done): void;
}

interface Stompit {
  connect(
    options: { host: string; port: number; connectHeaders: Header },
    done: (error: Error | null) => void,
  ): Client;
}

const stompit = createRequire(import.meta.url)("stompit") as Stompit;

/** Connect to a broker of this host. */
export const connectStompit = (port: number, connectHeaders: Header): Promise<Client> =>
  new Promise((resolve, reject) => {
    const client = stompit.connect({ host: "127.0.0.1", port, connectHeaders }, (error) => {
      if (error) reject(error);
      else resolve(client);
    });
    // Without a listener an error would end the process, whenever it comes.
    client.on("error", () => {});
  });

export const disconnect = (client: Client): Promise<void> =>
  new Promise((resolve, reject) => client.disconnect((error) => (error ? reject(error) : resolve())));
