import { BrokerSink, BrokerSource, runAgent, type AgentMain, type Protocol } from "@spoolwire/transfer";
import { toEncoded } from "./mapping-10.js";
import { Receiving091 } from "./receiving-091.js";
import { Receiving10 } from "./receiving-10.js";
import { prepare091, Sending091 } from "./sending-091.js";
import { Sending10 } from "./sending-10.js";

/** AMQP 1.0, for an agent. */
export const amqp10: Protocol = {
  schemes: ["amqp", "amqps", "amqp10", "amqp10s"],
  modules: ["rhea"],
  openSource: (options) => new BrokerSource(new Receiving10(options), options),
  openSink: (options) => new BrokerSink(new Sending10(options), options),
  checkMessage: (message) => void toEncoded(message),
};

/** AMQP 0-9-1, for an agent: by its own schemes, or by a module, of which pika and kombu are the original's. */
export const amqp091: Protocol = {
  schemes: ["amqp091", "amqp091s", "amqp", "amqps"],
  modules: ["amqplib", "pika", "kombu"],
  openSource: (options) => new BrokerSource(new Receiving091(options), options),
  openSink: (options) => new BrokerSink(new Sending091(options), options),
  checkMessage: (message) => void prepare091(message),
};

/** What a program that speaks AMQP speaks; `amqp://` is the first's. */
export const amqp: readonly Protocol[] = [amqp10, amqp091];

/** The program `amqpclt`. */
export const main: AgentMain = (argv, others = [], streams = process) => {
  const summary = "Move messages between AMQP brokers and directory queues.";
  const protocols = [...amqp, ...others];
  return runAgent({ name: "amqpclt", version: "0.1.0", summary, protocols }, argv, streams);
};
