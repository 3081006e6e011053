import type { Metric } from "@spoolwire/program";
import type { Transfer } from "./transfer.js";

/** What a transfer did. */
export interface TransferReport {
  /** Messages taken from the source. */
  received: number;
  /** Messages that the sink has made safe, and that the source has forgotten. */
  confirmed: number;
  /** Messages that cannot be read, or not be sent; the log says where each of them is. */
  rejected: number;
  /** Messages that a callback has dropped; the source has forgotten them. */
  dropped: number;
  /** The sizes of the messages taken, characters and bytes added up as `Message.size` does. */
  bytes: number;
  /** How long it took. */
  seconds: number;
}

/** How far a transfer is, in few words. */
export function describeProgress({ received, confirmed, rejected }: TransferReport): string {
  return `${received} messages received, ${confirmed} confirmed, ${rejected} rejected`;
}

/** The figures of a transfer. */
export function transferMetrics({ report, pending, up }: Transfer): Metric[] {
  const counter = (name: string, help: string, value: number): Metric => ({
    name: `spoolwire_${name}_total`,
    type: "counter",
    help,
    value,
  });
  const side = (name: keyof Transfer["up"]): Metric => ({
    name: "spoolwire_side_up",
    type: "gauge",
    help: "Whether a side is there, as a broker that is away is not.",
    value: up[name] ? 1 : 0,
    labels: { side: name },
  });
  return [
    side("incoming"),
    side("outgoing"),
    {
      name: "spoolwire_messages_pending",
      type: "gauge",
      help: "Messages taken from the source and not settled.",
      value: pending,
    },
    counter("messages_received", "Messages taken from the source.", report.received),
    counter("messages_confirmed", "Messages that are safe at the sink.", report.confirmed),
    counter("messages_rejected", "Messages that cannot be read or not be sent.", report.rejected),
    counter("messages_dropped", "Messages that a callback has dropped.", report.dropped),
    counter("messages_size", "The sizes of the messages taken, characters and bytes.", report.bytes),
  ];
}

/** The statistics, worded as the original agents do. */
export function describeReport({ received, bytes, seconds }: TransferReport): string[] {
  if (received === 0) return ["processed no messages"];
  if (received === 1) return ["processed only 1 message"];
  const rate = (amount: number) => (amount / Math.max(seconds, 0.001)).toFixed(3);
  return [
    `processed ${received} messages in ${seconds.toFixed(3)} seconds (${rate(received / 1000)} k msg/sec)`,
    `throughput is around ${rate(bytes / 1e6)} MB/second`,
    `average message size is around ${Math.round(bytes / received)} bytes`,
  ];
}
