import { once } from "node:events";
import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, isIP } from "node:net";
import { ConfigError } from "./errors.js";
import { formatMetrics, processMetrics, type Metric } from "./metrics.js";

/** What a status server tells, asked anew for each request. */
export interface StatusReport {
  /** How it goes, in words. */
  readonly words: string;
  /** Whether it does what it is there for: an agent whose broker is away does not. */
  readonly isReady: boolean;
  readonly metrics: readonly Metric[];
}

/** Where a status server listens. */
export type StatusAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** A client that says nothing for so long is let go, milliseconds. */
const PATIENCE_MS = 5000;

/** Bytes of a socket's path. What is longer would be cut without a word, and be a socket of another name. */
export const LONGEST_SOCKET = 107;

/**
 * `PORT` or `HOST:PORT` of this host, or `unix:PATH`. There is no password, so nothing else than loopback is allowed.
 * @throws ConfigError
 */
export function parseStatusAddress(text: string): StatusAddress {
  if (/^unix:./.test(text)) {
    const path = text.slice("unix:".length);
    const length = Buffer.byteLength(path);
    if (length <= LONGEST_SOCKET) return { path };
    throw new ConfigError(
      `Expected the path of --metrics to have at most ${LONGEST_SOCKET} bytes, got ${length}`,
    );
  }
  const match = /^(?:(localhost|127\.\d+\.\d+\.\d+|\[::1\]):)?(\d{1,5})$/.exec(text);
  const host = (match?.[1] ?? "127.0.0.1").replace(/^\[|\]$/g, "");
  const port = Number(match?.[2]);
  if (!match || port > 65_535 || (host !== "localhost" && isIP(host) === 0)) {
    throw new ConfigError(
      `Expected --metrics to be PORT, a loopback HOST:PORT or unix:PATH, got ${JSON.stringify(text)}`,
    );
  }
  return { host, port };
}

/**
 * Tells over HTTP how a program is: `/metrics` for Prometheus, `/livez` and `/readyz` for probes, `/status` as JSON.
 * Each answer is small and made at once: no client holds up the program.
 */
export class StatusServer {
  readonly #server: Server;
  readonly #report: () => StatusReport;

  private constructor(report: () => StatusReport) {
    this.#report = report;
    // Whether a client takes too long is looked at every 30 s otherwise.
    const patience = { requestTimeout: PATIENCE_MS, connectionsCheckingInterval: PATIENCE_MS / 5 };
    this.#server = createServer(patience, (request, response) => {
      this.#answer(request, response);
    });
    this.#server.maxConnections = 100;
    this.#server.unref();
  }

  /** @throws EADDRINUSE if another process listens there; the socket's own error */
  static async listen(address: StatusAddress, report: () => StatusReport): Promise<StatusServer> {
    const server = new StatusServer(report);
    if ("path" in address) await removeDeadSocket(address.path);
    server.#server.listen(address);
    await once(server.#server, "listening");
    // Figures are for the account that runs the program, and its group.
    if ("path" in address) chmodSync(address.path, 0o660);
    return server;
  }

  /** Where it listens: of port 0 the one that was found. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address ? address.port : 0;
  }

  /** The socket is gone when this returns, before it resolves. */
  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  #answer({ method, url = "" }: IncomingMessage, response: ServerResponse): void {
    const reply = (status: number, text: string, type = "text/plain; charset=utf-8") =>
      void response.writeHead(status, { "content-type": type }).end(method === "HEAD" ? undefined : text);
    if (method !== "GET" && method !== "HEAD") {
      reply(405, "Expected GET\n");
      return;
    }
    const path = url.replace(/\?.*/s, "");
    if (path === "/livez") {
      // Whoever can say so lives: the event loop turns.
      reply(200, "ok\n");
      return;
    }
    const { words, isReady, metrics } = this.#report();
    if (path === "/readyz") reply(isReady ? 200 : 503, `${words}\n`);
    else if (path === "/metrics") {
      reply(
        200,
        formatMetrics([...metrics, ...processMetrics()]),
        "text/plain; version=0.0.4; charset=utf-8",
      );
    } else if (path === "/status") {
      const status = { pid: process.pid, ready: isReady, status: words, metrics: flatten(metrics) };
      reply(200, `${JSON.stringify(status)}\n`, "application/json");
    } else reply(404, "Expected /metrics, /livez, /readyz or /status\n");
  }
}

/** Ask a status server. Undefined: nobody answers. */
export async function askStatus(address: StatusAddress): Promise<Record<string, unknown> | undefined> {
  const target = "path" in address ? { socketPath: address.path } : address;
  try {
    const asking = request({ ...target, path: "/status", timeout: PATIENCE_MS });
    asking.on("timeout", () => asking.destroy(new Error("timeout"))).end();
    const [response] = (await once(asking, "response")) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Each figure by its name, and its labels if it has any: `NAME{LABEL=VALUE}`. */
function flatten(metrics: readonly Metric[]): Record<string, number> {
  const nameOf = ({ name, labels }: Metric) => {
    const pairs = Object.entries(labels ?? {}).map((pair) => pair.join("="));
    return pairs.length > 0 ? `${name}{${pairs.join(",")}}` : name;
  };
  return Object.fromEntries(metrics.map((metric) => [nameOf(metric), metric.value]));
}

/** A socket that a crashed process has left would be in the way for ever. */
async function removeDeadSocket(path: string): Promise<void> {
  const probe = connect(path);
  try {
    await once(probe, "connect");
  } catch (error) {
    // A plain file refuses connections too: it stays, and the address is in use.
    if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED" && lstatSync(path).isSocket())
      unlinkSync(path);
  } finally {
    probe.destroy();
  }
}
