// The agents in this process, with all that either speaks: a process of its own costs half a second of the machine.
import { amqp, main as amqpclt } from "@spoolwire/amqpclt";
import { stomp, main as stompclt } from "@spoolwire/stompclt";
import { call, type Answer } from "./in-process.js";
import type { TestBroker } from "./broker.js";

/** Run an agent to its end. */
export const runAgent = (name: TestBroker["agent"], args: readonly string[]): Promise<Answer> =>
  call(
    (argv, streams) =>
      name === "stompclt" ? stompclt(argv, amqp, streams) : amqpclt(argv, [stomp], streams),
    args,
  );
