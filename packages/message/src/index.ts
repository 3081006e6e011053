export type { Algorithm, Compression } from "./compression.js";
export { DqsQueue, type DqsOptions } from "./dqs.js";
export { BrokerError, MessageError, type BrokerErrorCode, type MessageErrorCode } from "./errors.js";
export { parseJson, type MessageJson } from "./json.js";
export { defaultLimits, type MessageLimits } from "./limits.js";
export { Message, type Header, type WriteOptions } from "./message.js";
export { NullMessageQueue } from "./null.js";
export { openMessageQueue, type MessageQueue, type MessageQueueOptions } from "./queue.js";
export { ZeroMessageQueue } from "./zero.js";
