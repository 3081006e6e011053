// What stompit, a client for applications, makes of the same messages and confirmations.
import type { Header } from "@spoolwire/message";
import { toFrame } from "@spoolwire/stomp";
import { text } from "node:stream/consumers";
import { connectStompit, disconnect } from "../helpers/stompit.js";
import type { Bare } from "./mover.js";
import type { Task } from "./transfer.js";

/** From memory to nowhere. */
export function stompit({ broker, message, window, size }: Task): Bare {
  const { headers, body } = toFrame(message);
  // Without a virtual host in words stompit would ask for one with the name of the host.
  const account = { host: "/", login: broker.user, passcode: broker.password };
  const connect = () => connectStompit(broker.port, account);
  return {
    send: async (destination) => {
      const client = await connect();
      let confirmed = 0;
      let wake: () => void = () => undefined;
      const options = { onReceipt: () => (confirmed++, wake()) };
      const confirmedFrom = async (count: number) => {
        while (confirmed < count) await new Promise<void>((resolve) => (wake = resolve));
      };
      for (let sent = 0; sent < size; sent++) {
        if (window > 0) await confirmedFrom(sent - window + 1);
        const frame = client.send({ ...headers, destination }, window > 0 ? options : {});
        await new Promise<void>((resolve) => frame.end(body, () => resolve()));
      }
      if (window > 0) await confirmedFrom(size);
      await disconnect(client);
    },
    receive: async (destination) => {
      const client = await connect();
      const how: Header =
        window > 0 ? { ack: "client-individual", "prefetch-count": String(window) } : { ack: "auto" };
      await new Promise<void>((resolve, reject) => {
        let received = 0;
        client.subscribe({ destination, ...how }, (error, incoming) => {
          if (!incoming) {
            reject(error ?? new Error("Expected a message, got none"));
            return;
          }
          text(incoming).then(() => {
            if (window > 0) client.ack(incoming);
            if (++received === size) resolve();
          }, reject);
        });
      });
      await disconnect(client);
    },
  };
}
