export { DqsQueue } from "./dqs.js";
export { BrokerError, MessageError, type BrokerErrorCode, type MessageErrorCode } from "./errors.js";
export { parseJson, type MessageJson } from "./json.js";
export { Message, type Header } from "./message.js";
export { openMessageQueue, type MessageQueue, type MessageQueueOptions } from "./queue.js";
