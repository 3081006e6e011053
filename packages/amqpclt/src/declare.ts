import type { Channel } from "amqplib";
import type { Address } from "./address.js";

/** Declare and bind what an address asks for. @returns the name of its queue, if it has one */
export async function declare(channel: Channel, address: Address): Promise<string | undefined> {
  const { exchange, queue, routingKey } = address;
  if (exchange?.declare) {
    const { type, ...options } = exchange.declare;
    await channel.assertExchange(exchange.name, type, { ...options });
  } else if (exchange) await channel.checkExchange(exchange.name);
  if (!queue) return undefined;
  const { queue: name } = queue.declare
    ? await channel.assertQueue(queue.name, { ...queue.declare })
    : await channel.checkQueue(queue.name);
  if (exchange) await channel.bindQueue(name, exchange.name, routingKey, address.arguments);
  return name;
}
