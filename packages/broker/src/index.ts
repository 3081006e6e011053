export { startBroker, type Broker, type BrokerStatus } from "./broker.js";
export { BusyError } from "./errors.js";
export { main } from "./main.js";
export type { BrokerOptions } from "./options.js";
export type { QueueStatus } from "./queue.js";
