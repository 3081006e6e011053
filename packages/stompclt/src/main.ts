import { ConfigError } from "@spoolwire/program";
import { toFrame } from "@spoolwire/stomp";
import { runAgent, type AgentMain, type BrokerOptions, type Protocol } from "@spoolwire/transfer";
import { StompSink } from "./stomp-sink.js";
import { StompSource } from "./stomp-source.js";
import { UdpSink } from "./udp-sink.js";

/** STOMP, for an agent. */
export const stomp: Protocol = {
  schemes: ["stomp", "tcp", "stomp+ssl", "ssl", "udp"],
  openSource: (options) => {
    if (isUdp(options)) throw new ConfigError("udp:// is for --outgoing-broker-uri only");
    return new StompSource(options);
  },
  openSink: (options) => (isUdp(options) ? new UdpSink(options) : new StompSink(options)),
  checkMessage: (message) => void toFrame(message),
};

const isUdp = ({ uri }: BrokerOptions) => uri.startsWith("udp:");

/** The program `stompclt`. */
export const main: AgentMain = (argv, others = [], streams = process) => {
  const summary = "Move messages between STOMP brokers and directory queues.";
  const protocols = [stomp, ...others];
  return runAgent({ name: "stompclt", version: "0.1.0", summary, protocols }, argv, streams);
};
