// A private RabbitMQ: own node name, ports, epmd and data, started without the system's service.
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  type Child,
  type TestBroker,
  endWithUs,
  environment,
  freePort,
  password,
  privateBroker,
  startChild,
  temporaryDirectory,
  user,
} from "./broker.js";
import type { Certificates } from "./certificates.js";
import { RABBITMQ } from "./requirements.js";

/** RabbitMQ speaks AMQP 0-9-1 and 1.0 beside STOMP, and can be told to misbehave. */
export interface RabbitMq extends TestBroker {
  /** The port for AMQP 0-9-1 and AMQP 1.0. */
  readonly amqpPort: number;
  /** Where it speaks a protocol. */
  uriOf(protocol: "stomp" | "amqp10" | "amqp091"): string;
  /** Its ports with TLS, if it was given certificates. */
  readonly tlsPorts: { readonly stomp: number; readonly amqp: number } | undefined;
  /**
   * Run rabbitmqctl against this instance and return what it prints; half a second a call.
   * Faults on demand: `set_vm_memory_high_watermark 0.000001` blocks senders, `stop_app` closes without an ERROR.
   */
  ctl(...args: string[]): Promise<string>;
}

/**
 * Start a RabbitMQ with STOMP and AMQP 1.0. Its only account is the tests'; there is no guest. With certificates
 * it speaks TLS too, and who has a certificate of theirs with the account's name need not log in.
 */
export async function startRabbitMq(certificates?: Certificates): Promise<RabbitMq> {
  const directory = temporaryDirectory("rabbitmq");
  const port = await freePort();
  const amqpPort = await freePort();
  const epmdPort = await freePort();
  const tlsPorts = certificates && { stomp: await freePort(), amqp: await freePort() };
  const tls =
    certificates && tlsPorts
      ? [
          `stomp.listeners.ssl.1 = 127.0.0.1:${tlsPorts.stomp}`,
          `listeners.ssl.1 = 127.0.0.1:${tlsPorts.amqp}`,
          ...["PLAIN", "AMQPLAIN", "EXTERNAL"].map((name, index) => `auth_mechanisms.${index + 1} = ${name}`),
          `ssl_options.cacertfile = ${certificates.ca}`,
          `ssl_options.certfile = ${certificates.server.cert}`,
          `ssl_options.keyfile = ${certificates.server.key}`,
          "ssl_options.verify = verify_peer",
          "ssl_options.fail_if_no_peer_cert = false",
          "ssl_cert_login_from = common_name",
          "stomp.ssl_cert_login = true",
        ]
      : [];
  const env = configure(directory, { port, amqpPort, epmdPort, nodePort: await freePort() }, tls);
  let epmd: Child | undefined;
  const launch = async () => {
    epmd ??= await startChild({
      command: "epmd",
      args: ["-d", "-port", `${epmdPort}`, "-address", "127.0.0.1"],
      directory,
      name: "epmd",
      ready: /epmd running/,
    });
    return startChild({
      command: join(RABBITMQ, "rabbitmq-server"),
      args: [],
      env,
      directory,
      name: "rabbitmq",
      ready: /Server startup complete/,
    });
  };
  const release = async () => epmd?.stop();
  const broker = await privateBroker({ name: "rabbitmq", port, directory, launch, release });
  const ctl = async (...args: string[]) => {
    const path = join(RABBITMQ, "rabbitmqctl");
    const done = promisify(execFile)(path, ["--quiet", ...args], { env: environment(env) });
    endWithUs(done.child);
    return (await done).stdout;
  };
  const uriOf: RabbitMq["uriOf"] = (protocol) =>
    `${protocol}://127.0.0.1:${protocol === "stomp" ? port : amqpPort}`;
  return { ...broker, amqpPort, uriOf, tlsPorts, ctl };
}

/** The same instance, spoken to with AMQP. */
export function overAmqp(broker: RabbitMq, scheme: "amqp10" | "amqp091"): RabbitMq {
  return { ...broker, agent: "amqpclt", port: broker.amqpPort, uri: broker.uriOf(scheme) };
}

/** Write the configuration. Returns the environment of everything that belongs to the instance. */
function configure(
  directory: string,
  ports: { port: number; amqpPort: number; epmdPort: number; nodePort: number },
  more: readonly string[],
): Record<string, string> {
  const path = (name: string) => join(directory, name);
  mkdirSync(path("home"));
  writeFileSync(path("inetrc"), "{lookup,[file]}.\n"); // no DNS
  writeFileSync(path("enabled_plugins"), "[rabbitmq_amqp1_0,rabbitmq_auth_mechanism_ssl,rabbitmq_stomp].\n");
  const settings = [
    `listeners.tcp.1 = 127.0.0.1:${ports.amqpPort}`,
    `stomp.listeners.tcp.1 = 127.0.0.1:${ports.port}`,
    `default_user = ${user}`, // takes the place of guest
    `default_pass = ${password}`,
    // What it would derive from the machine, which may be full.
    "disk_free_limit.absolute = 50MB",
    "vm_memory_high_watermark.absolute = 1GB",
    ...more,
  ];
  writeFileSync(path("rabbitmq.conf"), `${settings.join("\n")}\n`);
  return {
    HOME: path("home"), // of the cookie
    RABBITMQ_NODENAME: `spoolwire${ports.port}@localhost`,
    RABBITMQ_CONF_ENV_FILE: path("none"), // not the system's
    RABBITMQ_CONFIG_FILE: path("rabbitmq.conf"),
    RABBITMQ_ENABLED_PLUGINS_FILE: path("enabled_plugins"),
    RABBITMQ_MNESIA_BASE: path("mnesia"),
    RABBITMQ_LOG_BASE: path("log"),
    RABBITMQ_LOGS: "-", // to stdout, where startChild reads
    RABBITMQ_PID_FILE: path("pid"),
    RABBITMQ_DIST_PORT: `${ports.nodePort}`,
    RABBITMQ_CTL_ERL_ARGS: "-dist_listen false",
    RUNNING_UNDER_SYSTEMD: "true", // the script becomes the server, so that our child is what has to be stopped
    // For every Erlang process: left to itself the first would start an epmd as a daemon that nobody stops.
    ERL_FLAGS: "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
    ERL_EPMD_PORT: `${ports.epmdPort}`,
    ERL_INETRC: path("inetrc"),
    ERL_CRASH_DUMP: path("erl_crash.dump"),
  };
}
