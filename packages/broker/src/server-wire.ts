import type { Socket } from "node:net";
import { BrokerError } from "@spoolwire/message";
import { defaultLimits, Wire, type FrameLimits, type WireHandlers } from "@spoolwire/stomp";

export interface ServerWireHandlers extends WireHandlers {
  /** What comes is not STOMP. Nothing more is read, but the other side can still be told. */
  onBroken(error: Error): void;
}

/** A wire that a client's mistakes do not cut, so that they can be answered. */
export class ServerWire extends Wire {
  readonly #handlers: ServerWireHandlers;

  constructor(socket: Socket, handlers: ServerWireHandlers, limits: Partial<FrameLimits>) {
    super(socket, handlers, { ...defaultLimits, ...limits });
    this.#handlers = handlers;
  }

  override destroy(error?: Error): void {
    if (error instanceof BrokerError && error.code === "BROKER_PROTOCOL") this.#handlers.onBroken(error);
    else super.destroy(error);
  }
}
