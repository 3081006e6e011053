// The commands in this process, with streams of the test: a process for each would cost a tenth of a second.
import { PassThrough, Readable, Writable } from "node:stream";
import { main } from "@spoolwire/dirq-cli";
import { afterEach, beforeEach } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";

export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run `dirq ARG…` to its end. */
export async function dirq(args: readonly string[], input: string | Buffer = ""): Promise<Outcome> {
  const [stdout, stderr] = [collector(), collector()];
  const stdin = Readable.from(input.length > 0 ? [Buffer.from(input)] : []);
  const status = await main(args, { stdin, stdout: stdout.stream, stderr: stderr.stream });
  return { status, stdout: stdout.text(), stderr: stderr.text() };
}

/** What a terminal has and a pipe has not. */
interface TerminalSize {
  readonly isTTY: boolean;
  readonly columns: number;
  readonly rows: number;
}

/** A command that goes on until `stop`, and what it has written so far; on a terminal, if its size is given. */
export function startDirq(args: readonly string[], terminal?: TerminalSize) {
  const [stdout, stderr] = [collector(), collector()];
  const rawModes: boolean[] = [];
  const setRawMode = (isRaw: boolean) => void rawModes.push(isRaw);
  const stdin = Object.assign(new PassThrough(), terminal && { isTTY: true, setRawMode });
  const done = main(args, {
    ...{ stdin, stderr: stderr.stream },
    stdout: Object.assign(stdout.stream, terminal),
  });
  return {
    ...{ done, rawModes, stdout: stdout.text, stderr: stderr.text },
    // As the system does it: the command listens to the signals of this process.
    stop: () => void process.emit("SIGTERM"),
    type: (keys: string) => void stdin.write(keys),
  };
}

function collector() {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}

/** A new directory for each test, whose path this returns. */
export function eachInDirectory(): () => string {
  let directory: string;
  beforeEach(() => (directory = temporaryDirectory("dirq-cli")));
  afterEach(() => removeDirectory(directory));
  return () => directory;
}
