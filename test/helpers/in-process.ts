// A program's `main` in this process, with streams of the test: a process of its own would cost a tenth of a second.
import { Readable, Writable } from "node:stream";
import type { Streams } from "@spoolwire/program";

export interface Answer {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

type Main = (argv: readonly string[], streams: Streams) => Promise<number>;

/** Run a program to its end. */
export async function call(
  main: Main,
  args: readonly string[],
  input: string | Buffer = "",
): Promise<Answer> {
  const [stdout, stderr] = [collector(), collector()];
  const stdin = Readable.from(input.length > 0 ? [Buffer.from(input)] : []);
  const status = await main(args, { stdin, stdout: stdout.stream, stderr: stderr.stream });
  return { status, stdout: stdout.text(), stderr: stderr.text() };
}

/** A stream, and what was written to it. */
export function collector() {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString() };
}

/** What a test has in the place of a stream's `write`: each text is taken, and the writer told that it was. */
export const takes =
  (take: (text: string) => void) =>
  (bytes: unknown, ...rest: unknown[]): boolean => {
    take(String(bytes));
    (rest.at(-1) as (() => void) | undefined)?.();
    return true;
  };
