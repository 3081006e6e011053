// The main job on embedded defaults, with separate processes: lines of a real file -> spool A -> agent ->
// broker -> agent -> spool B -> the same lines again. `npm run demo -- --help` tells its options.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { closeSync, createReadStream, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { SimpleQueue } from "@spoolwire/dirq";
import {
  ConfigError,
  excludes,
  ExitStatus,
  requires,
  runProgram,
  type OptionEntry,
} from "@spoolwire/program";
import { startActiveMq } from "../test/helpers/activemq.js";
import { endWithUs, freePort, startChild } from "../test/helpers/broker.js";
import { root } from "../test/helpers/embedded.js";
import { overAmqp, startRabbitMq } from "../test/helpers/rabbitmq.js";
import { canInstall, command as installCommand, install, missing } from "../test/helpers/requirements.js";
import { takeInput } from "./input.js";
import { drawFlow, type Hop } from "./picture.js";
import { showSupervised } from "./supervised.js";

const options = [
  {
    name: "input",
    type: "string",
    value: "FILE",
    help: "whose lines to send; - is standard input (default: a log)",
  },
  {
    name: "broker",
    type: "string",
    value: "NAME",
    default: "embedded",
    help: "embedded, rabbitmq or activemq",
  },
  {
    name: "protocol",
    type: "string",
    value: "NAME",
    choices: ["stomp", "amqp10", "amqp091"],
    default: "stomp",
    help: "what the agents speak; AMQP with rabbitmq only",
  },
  {
    name: "directory",
    type: "string",
    value: "DIR",
    help: "a new directory to work in (default: build/demo-flow)",
  },
  {
    name: "supervised",
    type: "boolean",
    help: "run it under one simplevisor with the embedded broker, and kill its members at random",
  },
  {
    name: "seconds",
    type: "number",
    value: "SECONDS",
    default: 20,
    min: 1,
    help: "--supervised: kill for so long",
  },
] as const satisfies readonly OptionEntry[];

/** Where the demo works: made anew by each run, left for a look afterwards. */
let work = join(root, "build/demo-flow");

/** A path there, as short as it can be typed from the root. */
function at(name: string): string {
  const path = join(work, name);
  return path.startsWith(root) ? relative(root, path) : path;
}

/** Aborted when one of the programs has failed. */
const failed = new AbortController();

interface DemoBroker {
  readonly title: string;
  /** The program that moves messages from and to it. */
  readonly agent: "stompclt" | "amqpclt";
  readonly uri: string;
  /** Credential string, if it asks for one. */
  readonly auth?: string;
  /** How a newcomer starts it, if there is a short way. */
  readonly command?: readonly string[];
  stop(): Promise<void>;
}

process.exitCode = await runProgram(
  {
    name: "demo",
    version: "0.1.0",
    summary: "Send the lines of a real file through two spools and a broker, and compare what comes out.",
    options,
    relations: [excludes("supervised", "broker", "protocol"), requires("seconds", "supervised")],
  },
  process.argv.slice(2),
  async ({ options: { input, directory, broker: name, protocol, supervised, seconds }, signal }) => {
    if (directory === undefined) rmSync(work, { recursive: true, force: true });
    else work = resolve(directory);
    mkdirSync(work, { recursive: directory === undefined });
    const title = await takeInput(input, root, join(work, "input"));
    if (supervised) return await showSupervised({ work, title, seconds, signal });
    const broker = await startBroker(name, protocol as "stomp" | "amqp10" | "amqp091");
    try {
      return await show(title, broker);
    } finally {
      await broker.stop();
    }
  },
);

async function startBroker(name: string, protocol: "stomp" | "amqp10" | "amqp091"): Promise<DemoBroker> {
  if (protocol !== "stomp" && name !== "rabbitmq") {
    throw new ConfigError(`--protocol ${protocol} needs --broker rabbitmq, got "${name}"`);
  }
  if (name === "embedded") {
    const port = await freePort();
    const uri = `stomp://127.0.0.1:${port}`;
    const command = ["bin/spoolwire-broker", "--data", at("broker"), "--port", `${port}`];
    const [file = "", ...args] = command;
    const child = await startChild({
      command: process.execPath,
      args: [join(root, file), ...args.map((arg) => (arg === at("broker") ? join(work, "broker") : arg))],
      directory: work,
      name: "broker",
      ready: /listening on/,
    });
    return { title: "embedded broker", agent: "stompclt", uri, command, stop: () => child.stop() };
  }
  if (name !== "rabbitmq" && name !== "activemq") {
    throw new ConfigError(`Expected --broker to be embedded, rabbitmq or activemq, got "${name}"`);
  }
  const absent = missing().filter((requirement) => requirement.name === name);
  if (absent.length > 0 && canInstall()) install(absent);
  else if (absent.length > 0)
    throw new ConfigError(`${name} is not installed; as root: ${installCommand(absent)}`);
  const start = async () => {
    const rabbit = await startRabbitMq();
    return protocol === "stomp" ? rabbit : overAmqp(rabbit, protocol);
  };
  const running = await (name === "rabbitmq" ? start() : startActiveMq());
  const { uri, auth, agent } = running;
  const title = name === "rabbitmq" ? "RabbitMQ" : "ActiveMQ";
  return { title, uri, auth, agent, stop: () => running.stop() };
}

/** Run the four programs and tell what happened. */
async function show(title: string, broker: DemoBroker): Promise<number> {
  const auth = (side: string) => (broker.auth === undefined ? [] : [`--${side}-broker-auth`, broker.auth]);
  const produce = [
    ...["bin/dirq", "add", at("a"), "--lines", "--statistics"],
    ...["--header", "destination=/queue/demo", "persistent=true", "--", at("input")],
  ];
  const send = [
    ...[
      `bin/${broker.agent}`,
      "--incoming-queue",
      `path=${at("a")}`,
      "--remove",
      "--reliable",
      "--statistics",
    ],
    ...["--outgoing-broker-uri", broker.uri, ...auth("outgoing")],
  ];
  process.stdout.write(
    `Input: ${title}, ${statSync(join(work, "input")).size.toLocaleString("en-US")} bytes\n`,
  );
  const produced = await run(produce);
  const count = produced.count;
  // Nothing to wait for: then the receiver and the consumer stop for lack of work.
  const receiveUntil = count > 0 ? ["--count", `${count}`] : ["--timeout-inactivity", "1"];
  const consumeUntil = count > 0 ? ["--count", `${count}`, "--wait", "60"] : ["--count", "0", "--wait", "1"];
  const receive = [
    ...[
      `bin/${broker.agent}`,
      "--incoming-broker-uri",
      broker.uri,
      ...auth("incoming"),
      "--subscribe",
      "destination=/queue/demo",
    ],
    ...["--outgoing-queue", `path=${at("b")}`, "--reliable", "--statistics", ...receiveUntil],
  ];
  const consume = ["bin/dirq", "pop", at("b"), "--body", "--statistics", ...consumeUntil];
  const progress = showProgress(count);
  let hops: Hop[];
  try {
    // A consumer that finds nothing says so by its status: right for an empty file.
    const tolerated = count > 0 ? [] : [ExitStatus.nothing];
    const running = [run(send), run(receive), run(consume, join(work, "output"), tolerated)];
    hops = [produced, ...(await Promise.all(running))];
  } catch (error) {
    // The others would wait for ever for what the failed one does not send.
    failed.abort();
    throw error;
  } finally {
    progress.stop();
  }
  const boxes = [
    title,
    `spool A   ${at("a")}`,
    `${broker.title}   ${broker.uri}`,
    `spool B   ${at("b")}`,
    at("output"),
  ];
  process.stdout.write(`\n${drawFlow(boxes, hops)}\n\n`);
  tellCommands(broker, [produce, send, receive, consume]);
  const [sent, received] = await Promise.all([digest(join(work, "input")), digest(join(work, "output"))]);
  const lines = `${count.toLocaleString("en-US")} line${count === 1 ? "" : "s"}`;
  if (sent === received) {
    process.stdout.write(
      `\nThe output is identical to the input, byte for byte and in order: ${lines}, sha256 ${sent}\n`,
    );
    return ExitStatus.ok;
  }
  process.stdout.write(`\nTHE OUTPUT DIFFERS FROM THE INPUT: compare ${at("input")} with ${at("output")}\n`);
  return ExitStatus.software;
}

/** Run one of our programs from the root, its standard output into a file, and read its statistics. */
async function run(
  command: readonly string[],
  output?: string,
  tolerated: readonly number[] = [],
): Promise<Hop> {
  const stdout = output === undefined ? "ignore" : openSync(output, "w");
  const { signal } = failed;
  const child = spawn(process.execPath, command, { cwd: root, stdio: ["ignore", stdout, "pipe"], signal });
  endWithUs(child);
  if (typeof stdout === "number") closeSync(stdout);
  let words = "";
  child.stderr?.on("data", (chunk: Buffer) => (words += chunk.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  const name = command.slice(0, command[0] === "bin/dirq" ? 2 : 1).join(" ");
  if (status !== 0 && !tolerated.includes(status ?? -1))
    throw new Error(`${name} ended with status ${status}: ${words}`);
  const found = /(?:added|took|processed) (\d+) (?:elements|messages) in ([\d.]+) seconds/.exec(words);
  const only = words.includes("processed only 1 message") ? 1 : 0;
  return { program: name, count: Number(found?.[1] ?? only), seconds: Number(found?.[2] ?? 0) };
}

/** A line that is written over while the programs work; nothing where nobody is watching. */
function showProgress(count: number): { stop(): void } {
  if (!process.stderr.isTTY) return { stop: () => undefined };
  const depth = (name: string) => new SimpleQueue({ path: join(work, name) }).count();
  const timer = setInterval(() => {
    process.stderr.write(`\r\x1b[K${count} messages, in spool A: ${depth("a")}, in spool B: ${depth("b")}`);
  }, 500);
  return {
    stop: () => {
      clearInterval(timer);
      process.stderr.write("\r\x1b[K");
    },
  };
}

function tellCommands(broker: DemoBroker, commands: readonly (readonly string[])[]): void {
  const quote = (word: string) => (/^[\w./:=+,-]+$/.test(word) ? word : `'${word}'`);
  process.stdout.write("The four commands that were run, to be typed from here");
  const { command } = broker;
  process.stdout.write(command ? `, with the broker in another terminal:\n  ${command.join(" ")}\n` : ":\n");
  for (const words of commands) {
    const redirect = words[1] === "pop" ? ` > ${at("output")}` : "";
    process.stdout.write(`  ${words.map(quote).join(" ")}${redirect}\n`);
  }
}

async function digest(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
