export { brokerTypes, guessBrokerType } from "./broker-type.js";
export { main, stomp } from "./main.js";
export { StompSink } from "./stomp-sink.js";
export { StompSource } from "./stomp-source.js";
export { UdpSink } from "./udp-sink.js";
