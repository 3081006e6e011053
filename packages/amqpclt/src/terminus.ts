/**
 * Whether a queue is asked to be kept when its link ends. What is published to everybody has nothing to be kept.
 * (RabbitMQ makes the queue for a durable terminus, and a different one for another.)
 */
export const isDurable = (address: string): boolean => !/^\/(topic|exchange|temp-queue)\//.test(address);
