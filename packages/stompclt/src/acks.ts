import type { Header } from "@spoolwire/message";

/** A message that has come and is not acknowledged. */
interface Open {
  readonly headers: Readonly<Header>;
  /** Its ACK speaks for all that came before it. */
  readonly isCumulative: boolean;
  /** It may be forgotten. */
  isAccepted: boolean;
}

/**
 * Which ACKs go out, and when, as the subscriptions of a connection want it. With `ack:client` one speaks for all that
 * came before it, at RabbitMQ for those of the other subscriptions too: it waits until all of them may be forgotten, and
 * behind a message that never may, none goes out.
 */
export class Acks {
  readonly #send: (headers: Readonly<Header>) => void;
  /** By the id of the subscription. */
  readonly #modes = new Map<string, string>();
  /** In the order in which they came; none where no ACK speaks for another. */
  readonly #open = new Set<Open>();

  /** @param send acknowledges the message of these headers */
  constructor(send: (headers: Readonly<Header>) => void) {
    this.#send = send;
  }

  subscribed(id: string, mode: string): void {
    this.#modes.set(id, mode);
  }

  /** A message has come. @returns to be called once, when it may be forgotten */
  arrived(headers: Readonly<Header>): () => void {
    const mode = this.#modeOf(headers.subscription);
    if (mode === "auto") return () => undefined;
    if (!this.#has("client")) return () => this.#send(headers);
    const open: Open = { headers, isCumulative: mode === "client", isAccepted: false };
    this.#open.add(open);
    return () => {
      open.isAccepted = true;
      if (!open.isCumulative) this.#send(headers);
      this.#sendInOrder();
    };
  }

  #sendInOrder(): void {
    for (const open of this.#open) {
      if (!open.isAccepted) return;
      this.#open.delete(open);
      if (open.isCumulative) this.#send(open.headers);
    }
  }

  /** Of one that does not tell its subscription, the one that takes the most care. */
  #modeOf(subscription = ""): string {
    const mode = this.#modes.get(subscription);
    if (mode !== undefined) return mode;
    return ["client", "client-individual"].find((careful) => this.#has(careful)) ?? "auto";
  }

  #has(mode: string): boolean {
    for (const each of this.#modes.values()) if (each === mode) return true;
    return false;
  }
}
