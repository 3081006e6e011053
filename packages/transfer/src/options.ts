import {
  exactlyOne,
  excludes,
  requires,
  serviceOptions,
  serviceRelations,
  type OptionEntry,
  type OptionValues,
  type Relation,
} from "@spoolwire/program";
import { callbackPolicies } from "./callback.js";

const uri =
  "where the broker is, as stomp://HOST:PORT, stomp+ssl://HOST:PORT, failover:(URI,URI), " +
  "amqp://HOST:PORT/VHOST or amqps://HOST:PORT/VHOST";
const auth =
  "how to log in: none, `plain name=N pass=P`, `x509 cert=F key=F ca=F`, or file=PATH that holds one of them";
const connect = "more headers for the connection, such as host=VHOST";
const type = "which broker it is, if it cannot be guessed: ActiveMQ, Apollo, Artemis, RabbitMQ, Spoolwire";
const module = "amqp:// and amqps:// only: rhea speaks AMQP 1.0 (the default), amqplib AMQP 0-9-1";
const sockopts = "how to set up the socket: keepalive, keepidle, nodelay, localaddr, family";
const stompDebug =
  "trace to the log, with --debug: connection, api, command, header, body, io, or all; several with commas";
const queue =
  "path=DIRECTORY, type=DQS or DQN, and the queue's own options (durability, maxlock, maxtemp, umask; " +
  "DQS: granularity; DQN: maxelts, nlink)";

/** The options of every transfer agent. */
export const agentOptions = [
  {
    name: "incoming-broker-uri",
    type: "string",
    many: true,
    value: "URI",
    help: `receive: ${uri}; several: from all of them at once`,
  },
  { name: "incoming-broker-auth", type: "credential", many: true, value: "CREDENTIAL", help: auth },
  { name: "incoming-broker-module", type: "string", value: "NAME", help: module },
  { name: "incoming-broker-connect", type: "properties", help: connect },
  { name: "incoming-broker-sockopts", type: "properties", help: sockopts },
  { name: "incoming-broker-stomp-debug", type: "string", value: "WORDS", help: stompDebug },
  { name: "incoming-broker-type", type: "string", value: "TYPE", help: type },
  {
    name: "incoming-queue",
    type: "properties",
    help: `send from a queue: ${queue}; or the files of a plain directory: type=dir path=DIRECTORY settle=SECONDS done=DIRECTORY`,
  },
  { name: "outgoing-broker-uri", type: "string", value: "URI", help: `send: ${uri}, or udp://HOST:PORT` },
  { name: "outgoing-broker-auth", type: "credential", many: true, value: "CREDENTIAL", help: auth },
  { name: "outgoing-broker-module", type: "string", value: "NAME", help: module },
  { name: "outgoing-broker-connect", type: "properties", help: connect },
  { name: "outgoing-broker-sockopts", type: "properties", help: sockopts },
  { name: "outgoing-broker-stomp-debug", type: "string", value: "WORDS", help: stompDebug },
  { name: "outgoing-broker-type", type: "string", value: "TYPE", help: type },
  {
    name: "outgoing-queue",
    type: "properties",
    help: `receive into a queue, durability=full unless it says else: ${queue}`,
  },
  {
    name: "subscribe",
    type: "properties",
    many: true,
    help: "what to receive: destination=NAME and more headers",
  },
  {
    name: "unsubscribe",
    type: "properties",
    many: true,
    help: "unsubscribe at the end, with these headers: the first is for the first --subscribe, and so on; may be empty",
  },
  {
    name: "prefetch",
    type: "integer",
    min: 1,
    value: "N",
    help: "most messages that the broker sends ahead",
  },
  {
    name: "keep-headers",
    type: "boolean",
    help: "STOMP: keep the headers of one delivery too: subscription, ack, redelivered, receipt, content-length",
  },
  {
    name: "max-body-size",
    type: "integer",
    value: "BYTES",
    default: 128 * 1024 * 1024,
    help: "a larger message is put aside, or left with its broker, and told of",
  },
  {
    name: "reliable",
    type: "boolean",
    help: "acknowledge a message only when the other side has confirmed it",
  },
  {
    name: "max-attempts",
    type: "integer",
    value: "N",
    min: 1,
    default: 3,
    help: "send a message that the broker refuses so often, then put it aside",
  },
  { name: "window", type: "integer", value: "N", help: "most messages not yet confirmed (0: no limit)" },
  { name: "count", type: "integer", short: "c", value: "N", help: "stop after N messages" },
  {
    name: "rate",
    type: "number",
    min: 0.001,
    value: "N",
    help: "take at most N messages a second",
  },
  { name: "duration", type: "number", value: "SECONDS", help: "stop after so long" },
  { name: "loop", type: "boolean", help: "incoming queue: wait for more at its end instead of stopping" },
  {
    name: "remove",
    type: "boolean",
    help: "incoming queue: remove what was processed instead of unlocking it",
  },
  {
    name: "callback-path",
    type: "string",
    value: "FILE",
    help: "a JavaScript module with any of start(data), check(message), idle(), stop()",
  },
  {
    name: "callback-code",
    type: "string",
    value: "CODE",
    help: "JavaScript for each message, with hdr, bdy and msg; a string that it returns drops the message",
  },
  { name: "callback-data", type: "properties", help: "what the callback's start is given" },
  {
    name: "callback-error",
    type: "string",
    choices: callbackPolicies,
    help: "what becomes of a message for which the callback fails (default quarantine); stop ends the run",
  },
  {
    name: "dry-run",
    type: "boolean",
    help: "show what would be moved, and move nothing; an incoming queue is gone over once",
  },
  { name: "lazy", type: "boolean", help: "open the outgoing side only when there is a message" },
  {
    name: "reconnect",
    type: "boolean",
    help: "connect again when a broker is away, for ever (default: when the run does not end by itself)",
  },
  { name: "heart-beat", type: "boolean", help: "agree on heart-beats with the brokers" },
  {
    name: "timeout-client",
    type: "number",
    value: "SECONDS",
    default: 40,
    help: "heart-beats: how often we can send",
  },
  {
    name: "timeout-server",
    type: "number",
    value: "SECONDS",
    default: 10,
    help: "heart-beats: how often the broker should",
  },
  {
    name: "timeout-connect",
    type: "number",
    min: 0.001,
    value: "SECONDS",
    default: 60,
    help: "most time to connect and log in",
  },
  {
    name: "timeout-broker",
    type: "number",
    min: 0.001,
    value: "SECONDS",
    default: 60,
    help: "most time for a broker to confirm what is asked of it; then the connection is made anew",
  },
  {
    name: "timeout-flush",
    type: "number",
    value: "SECONDS",
    default: 60,
    help: "when stopping, most time for the network to take what was sent",
  },
  {
    name: "timeout-disconnect",
    type: "number",
    value: "SECONDS",
    default: 60,
    help: "most time to say goodbye",
  },
  {
    name: "timeout-inactivity",
    type: "number",
    value: "SECONDS",
    help: "stop when nothing came for so long",
  },
  {
    name: "timeout-linger",
    type: "number",
    value: "SECONDS",
    default: 60,
    help: "when stopping, most time for confirmations",
  },
  {
    name: "statistics",
    type: "boolean",
    short: "s",
    help: "tell how many messages were processed, and how fast",
  },
  ...serviceOptions,
] as const satisfies readonly OptionEntry[];

/** What they come to. */
export type AgentValues = OptionValues<typeof agentOptions>;

/** Whether a run is over some day without being told, so that somebody waits for it: cron, a script. */
export const endsByItself = (values: AgentValues) =>
  (values["incoming-queue"] !== undefined && values.loop !== true) ||
  (values.count ?? 0) > 0 ||
  [values.duration, values["timeout-inactivity"]].some((limit) => limit !== undefined);

export const agentRelations: readonly Relation[] = [
  exactlyOne("incoming-broker-uri", "incoming-queue"),
  exactlyOne("outgoing-broker-uri", "outgoing-queue"),
  ...["auth", "connect", "module", "sockopts", "stomp-debug", "type"].flatMap((what) => [
    requires(`incoming-broker-${what}`, "incoming-broker-uri"),
    requires(`outgoing-broker-${what}`, "outgoing-broker-uri"),
  ]),
  requires("incoming-broker-uri", "subscribe"),
  requires("subscribe", "incoming-broker-uri"),
  requires("unsubscribe", "incoming-broker-uri"),
  requires("prefetch", "incoming-broker-uri"),
  requires("keep-headers", "incoming-broker-uri"),
  requires("max-body-size", "incoming-broker-uri", "outgoing-broker-uri"),
  requires("loop", "incoming-queue"),
  requires("remove", "incoming-queue"),
  excludes("callback-path", "callback-code"),
  requires("callback-data", "callback-path", "callback-code"),
  requires("callback-error", "callback-path", "callback-code"),
  requires("reconnect", "incoming-broker-uri", "outgoing-broker-uri"),
  requires("heart-beat", "incoming-broker-uri", "outgoing-broker-uri"),
  ...serviceRelations,
  // They would have nobody to go to; SIGUSR1 puts them in the log.
  excludes("daemon", "statistics"),
  // Its output is for somebody who looks.
  excludes("dry-run", "daemon"),
];
