import { runAgent, type Protocol } from "@spoolwire/transfer";
import { StompSink } from "./stomp-sink.js";
import { StompSource } from "./stomp-source.js";

/** STOMP, for an agent. */
export const stomp: Protocol = {
  schemes: ["stomp", "tcp", "stomp+ssl", "ssl", "failover", "file"],
  openSource: (options) => new StompSource(options),
  openSink: (options) => new StompSink(options),
};

/** The program `stompclt`. @returns the exit status */
export function main(argv: readonly string[]): Promise<number> {
  const summary = "Move messages between STOMP brokers and directory queues.";
  return runAgent({ name: "stompclt", version: "0.1.0", summary, protocols: [stomp] }, argv);
}
