import type { MessageQueueOptions } from "@spoolwire/message";
import { write } from "@spoolwire/program";
import { defaultBackOff } from "./back-off.js";
import { checkBodySize } from "./body-size.js";
import { brokerSide, type Surroundings } from "./broker-side.js";
import { DrySink } from "./dry-run.js";
import { endsByItself, type AgentValues } from "./options.js";
import { QueueSink } from "./queue-sink.js";
import { checkQueue, openQueue, queueOptions } from "./queue-side.js";
import type { Sink } from "./sink.js";

/** Where an agent's messages go. @throws ConfigError; what the file system throws */
export function openOutgoing(values: AgentValues, surroundings: Surroundings): Sink {
  const print = (line: string) => write(surroundings.streams.stdout, `${line}\n`);
  const { "outgoing-queue": queue, "dry-run": isDry } = values;
  if (queue) {
    // So that what a broker is told to forget is on the disk.
    const options: MessageQueueOptions = { durability: "full", ...queueOptions(queue, "--outgoing-queue") };
    if (isDry) return new DrySink(print, () => undefined);
    const backOff = endsByItself(values) ? undefined : defaultBackOff;
    return new QueueSink(openQueue(options, "--outgoing-queue"), surroundings.log, backOff);
  }
  const side = brokerSide("outgoing", values["outgoing-broker-uri"] ?? "", values, surroundings);
  const sink = side.protocol.openSink(side.options);
  if (!isDry) return sink;
  return new DrySink(print, (message) => {
    checkBodySize(message.body, side.options);
    side.protocol.checkMessage(message);
  });
}

/** Check what can be checked without making or connecting anything. @throws ConfigError */
export function checkOutgoing(values: AgentValues, surroundings: Surroundings): void {
  const queue = values["outgoing-queue"];
  if (queue) checkQueue(queue, "--outgoing-queue");
  else openOutgoing(values, surroundings);
}
