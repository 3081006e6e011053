// The commands in this process.
import { PassThrough } from "node:stream";
import { main } from "@spoolwire/dirq-cli";
import { afterEach, beforeEach } from "vitest";
import { removeDirectory, temporaryDirectory } from "../../helpers/broker.js";
import { call, collector, type Answer } from "../../helpers/in-process.js";

/** Run `dirq ARG…` to its end. */
export const dirq = (args: readonly string[], input: string | Buffer = ""): Promise<Answer> =>
  call(main, args, input);

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

/** A new directory for each test, whose path this returns. */
export function eachInDirectory(): () => string {
  let directory: string;
  beforeEach(() => (directory = temporaryDirectory("dirq-cli")));
  afterEach(() => removeDirectory(directory));
  return () => directory;
}
