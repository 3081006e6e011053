export { StompConnection, type ConnectionOptions, type TlsOptions } from "./connection.js";
export { encodeFrame, versions, type Frame, type ReceivedFrame, type Version } from "./frame.js";
export { formatHeartBeat, negotiate, noHeartBeat, parseHeartBeat, type HeartBeat } from "./heartbeat.js";
export { toFrame, toMessage } from "./mapping.js";
export { defaultLimits, FrameParser, type FrameLimits } from "./parser.js";
export type { Confirmed } from "./receipts.js";
export { formatUri, parseBrokers, parseUri, type BrokerList, type BrokerUri } from "./uri.js";
export { Wire, type WireHandlers } from "./wire.js";
