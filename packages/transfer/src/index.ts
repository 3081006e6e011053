export { runAgent, type AgentMain, type AgentSpec } from "./agent.js";
export { connectToAny, parseBrokers, type BrokerList } from "./broker-list.js";
export { checkBodySize, tooLarge } from "./body-size.js";
export { BrokerSink, type Refusal, type SendingConnection, type SendingProtocol } from "./broker-sink.js";
export {
  BrokerSource,
  type Delivery,
  type ReceivingConnection,
  type ReceivingProtocol,
} from "./broker-source.js";
export { DirSource, type DirSourceOptions } from "./dir-source.js";
export { Checker, type Callback, type CallbackPolicy, type CheckerOptions } from "./callback.js";
export { CallbackError, TransferError } from "./errors.js";
export { defaultBackOff, type BackOff } from "./back-off.js";
export { showLive } from "./live.js";
export { Link, type LinkOptions } from "./link.js";
export { compileCallback, loadCallback } from "./load-callback.js";
export { agentOptions, agentRelations } from "./options.js";
export { MergedSource } from "./merged-source.js";
export type { BrokerOptions, BrokerSourceOptions, Protocol } from "./protocol.js";
export { QueueSink } from "./queue-sink.js";
export { QueueSource, type QueueSourceOptions } from "./queue-source.js";
export { Rate } from "./rate.js";
export { describeReport, type TransferReport } from "./report.js";
export type { Settle, Sink } from "./sink.js";
export type { Arrival, Source, Ticket } from "./source.js";
export { Transfer, type TransferOptions } from "./transfer.js";
export { refuseOptions, refuseTwice } from "./refuse-options.js";
